"""The closed schema of a policy file: who has to have said what before an artifact runs.

The one invariant: a policy holds no text that is executed, matched as a pattern or fetched. Names
and identities are compared as a whole. What it does not allow is denied.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from attestations.admission.facts import ArtifactKind, Digest, Sight

__all__ = [
    "POLICY_SCHEMA",
    "Mode",
    "Policy",
    "Revocation",
    "Rule",
    "TrustedSigner",
    "Version",
    "version_key",
]

POLICY_SCHEMA: Final = "ritornello/policy/1"

#: ``observe`` records what would be decided and refuses damage only; ``required`` decides.
Mode = Literal["observe", "required"]

Label = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{0,63}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=500)]
Uri = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
#: Dotted numbers, at most four.
Version = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,9}(\.[0-9]{1,9}){0,3}\Z")]
_VERSION: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}")


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables of a policy file: a key that is not named here is refused."""


class TrustedSigner(_Table, frozen=True):
    """One signer: a key by its id, a key itself, or a keyless identity; exactly one of the three.

    Attributes:
        key: hex SHA-256 of the SPKI bytes of a public key, as `ritornello keys list` prints.
        public_key: the SPKI bytes themselves in base64; the policy needs no key beside it then.
        issuer: URL of the identity provider of a keyless signer; `identity` goes with it.
        identity: the certificate's subject alternative name; compared whole.
        claims: further certificate claims that must be there with these values.
    """

    key: Digest | None = None
    public_key: Annotated[str, msgspec.Meta(max_length=400)] | None = None
    issuer: Uri | None = None
    identity: Uri | None = None
    claims: Annotated[dict[str, Text], msgspec.Meta(max_length=16)] = msgspec.field(
        default_factory=dict
    )


class Rule(_Table, frozen=True):
    """What must hold for artifacts of one kind. Of several rules for a kind, each must hold.

    Attributes:
        name: what decisions call it; once in a file.
        kind: which artifacts it is about.
        accept: ``any`` asks for no statement, so that a kind can be let through in so many words.
        predicates: predicate types; for each one there must be enough signers.
        signers: names of signers who count.
        threshold: how many different ones are enough.
        minimum_version: statements about older versions do not count.
        maximum_age_days: statements issued longer ago, or at no stated time, do not count.
        seen: one of these sights of the statement is needed; none is, if empty.
        build_types: provenance of other ways to build does not count; of any way, if empty.
    """

    name: Label
    kind: ArtifactKind
    accept: Literal["attested", "any"] = "attested"
    predicates: Annotated[tuple[Uri, ...], msgspec.Meta(max_length=16)] = ()
    signers: Annotated[tuple[Label, ...], msgspec.Meta(max_length=64)] = ()
    threshold: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    minimum_version: Version | None = None
    maximum_age_days: Annotated[int, msgspec.Meta(ge=1, le=36500)] | None = None
    seen: Annotated[tuple[Sight, ...], msgspec.Meta(max_length=3)] = ()
    build_types: Annotated[tuple[Uri, ...], msgspec.Meta(max_length=16)] = ()


class Revocation(_Table, frozen=True):
    """A signer who counts no longer, or an artifact that does not run any more.

    Attributes:
        key: id of a key.
        issuer: identity provider of a keyless signer; `identity` goes with it.
        identity: its identity.
        digest: SHA-256 of an artifact.
        workspace: origin of the workspace log that `size` is about.
        size: what was signed while that log had at most so many records still counts, but only
            where a pin, a time stamp or a witness saw the statement then; without it nothing does.
        time: what a trusted clock stamped before this moment still counts. Of no other sight: a
            log that was written anew can be stamped, but the past cannot.
        reason: why.
    """

    key: Digest | None = None
    issuer: Uri | None = None
    identity: Uri | None = None
    digest: Digest | None = None
    workspace: Text = ""
    size: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)] | None = None
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    reason: Text = ""


class Policy(_Table, frozen=True):
    """A policy file.

    Attributes:
        schema: what the file is.
        name: what decisions call it.
        version: number of the policy itself; a new one has a higher number.
        trust: whether it decides or looks on; a file that says nothing looks on.
        expires: after this the policy allows nothing.
        signers: signers by the names that rules use.
        rules: what must hold, by kind of artifact; a kind without a rule is denied.
        revocations: what counts no longer.
    """

    schema: Literal["ritornello/policy/1"]
    name: Label
    version: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)] = 1
    trust: Mode | None = None
    expires: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    signers: Annotated[dict[Label, TrustedSigner], msgspec.Meta(max_length=256)] = msgspec.field(
        default_factory=dict
    )
    rules: Annotated[tuple[Rule, ...], msgspec.Meta(max_length=256)] = ()
    revocations: Annotated[tuple[Revocation, ...], msgspec.Meta(max_length=4096)] = ()


def version_key(version: str) -> tuple[int, ...] | None:
    """Return what orders versions, None for text that is none; ``1.2`` equals ``1.2.0``."""
    if _VERSION.fullmatch(version) is None:
        return None
    numbers = [int(number) for number in version.split(".")]
    return (*numbers, *(0 for _ in range(4 - len(numbers))))
