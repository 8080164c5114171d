"""SLSA provenance v1: how an artifact came about, in the form that other tools read.

The one invariant: it says no more than is known. The builder is this tool on the signer's own
machine; nothing isolated it, so this is provenance that exists and is signed by a key, and no
higher level is claimed.

Numbers and null are kept out of the parameters: readers that go through protobuf turn every
number into a double.

Source: https://slsa.dev/spec/v1.2/build-provenance.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final
from urllib.parse import quote

import msgspec

from attestations.errors import StatementError
from attestations.statements.predicates import URI, CodeFile, Distribution
from attestations.statements.statement import Statement, Subject

__all__ = [
    "BUILDER",
    "BUILD_ATTEST",
    "BUILD_RECORD",
    "PROVENANCE",
    "Provenance",
    "Resource",
    "make_provenance",
    "read_provenance",
    "resources_of",
]

PROVENANCE: Final = "https://slsa.dev/provenance/v1"
"""The predicate type."""

BUILD_RECORD: Final = f"{URI}/build/record/v1"
"""The build type of a run: a program ran under the recorder."""

BUILD_ATTEST: Final = f"{URI}/build/as-is/v1"
"""The build type of a file that whoever signed took as it was."""

BUILDER: Final = f"{URI}/builder/local"
"""The builder: this command, on the machine of whoever signed."""

Text = Annotated[str, msgspec.Meta(max_length=4096)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of the parts; fields of others that are not here are passed over."""


class Resource(_Part, frozen=True, kw_only=True):
    """What went in; ours have a `uri` or a SHA-256, others may have other digests."""

    digest: dict[str, str] = {}
    name: Text = ""
    uri: Text = ""


class BuildDefinition(_Part, frozen=True, kw_only=True):
    """What was asked for."""

    build_type: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    external_parameters: dict[str, object]
    internal_parameters: dict[str, object] = {}
    resolved_dependencies: tuple[Resource, ...] = ()


class Builder(_Part, frozen=True, kw_only=True):
    """Who is trusted to have done it."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    version: dict[str, str] = {}


class BuildMetadata(_Part, frozen=True, kw_only=True):
    """Which invocation, and when by its own clock (RFC 3339, UTC)."""

    finished_on: Text = ""
    invocation_id: Text = ""
    started_on: Text = ""


class RunDetails(_Part, frozen=True, kw_only=True):
    """What was done."""

    builder: Builder
    metadata: BuildMetadata = BuildMetadata()


class Provenance(_Part, frozen=True, kw_only=True):
    """The predicate."""

    build_definition: BuildDefinition
    run_details: RunDetails


def make_provenance(
    subject: Subject,
    *,
    build_type: str,
    parameters: dict[str, str],
    engine: str,
    invocation: str,
    started_on: str = "",
    finished_on: str = "",
    dependencies: Iterable[Resource] = (),
) -> Statement:
    """Say how a subject came about.

    Args:
        subject: the artifact.
        build_type: :data:`BUILD_RECORD` or :data:`BUILD_ATTEST`.
        parameters: what was asked for, by name.
        engine: version of this engine.
        invocation: which one it was: a run's id, or a digest.
        started_on: claimed time of its begin; empty if nobody knows.
        finished_on: claimed time of its end; empty if nobody knows.
        dependencies: what went in.
    """
    predicate = Provenance(
        build_definition=BuildDefinition(
            build_type=build_type,
            external_parameters=dict(sorted(parameters.items())),
            resolved_dependencies=tuple(dependencies),
        ),
        run_details=RunDetails(
            builder=Builder(id=BUILDER, version={"ritornello": engine}),
            metadata=BuildMetadata(
                invocation_id=invocation, started_on=started_on, finished_on=finished_on
            ),
        ),
    )
    return Statement(
        predicate=msgspec.Raw(msgspec.json.encode(predicate)),
        predicate_type=PROVENANCE,
        subject=(subject,),
    )


def resources_of(
    files: Iterable[CodeFile], distributions: Iterable[Distribution]
) -> tuple[Resource, ...]:
    """Return source files and distributions as what went in; a distribution as a package URL."""
    return (
        *(Resource(name=each.path, digest={"sha256": each.sha256}) for each in files),
        *(
            Resource(name=each.name, uri=f"pkg:{_purl(each.name)}@{quote(each.version)}")
            for each in distributions
        ),
    )


def read_provenance(statement: Statement) -> Provenance:
    """Return the provenance that a verified statement is, of whatever builder.

    Raises:
        StatementError: it is of another type or not of its form.
    """
    if statement.predicate_type != PROVENANCE:
        raise StatementError(f"the predicate is {statement.predicate_type}, no provenance v1")
    try:
        return msgspec.json.decode(bytes(statement.predicate), type=Provenance)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise StatementError(f"no SLSA provenance: {error}") from None


def _purl(name: str) -> str:
    """Spell a distribution as package URLs do: lower case, hyphens; the interpreter is none."""
    return "generic/python" if name == "python" else "pypi/" + quote(name.lower().replace("_", "-"))
