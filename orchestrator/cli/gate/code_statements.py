"""Where statements about a program's files stand, and which files they name.

The one invariant: what is found here is hostile, and only ever offered to a decision. What is not
found counts for nothing, so a file that is hidden too well is not admitted.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from orchestrator.cli.gate.decisions import (
    COLLECTION_SUFFIX,
    SIGSTORE_SUFFIX,
    envelopes_beside,
    known_keys,
    read_bounded,
)
from orchestrator.cli.gate.keyless_admission import keyless_signed
from orchestrator.cli.key_verbs.user_places import config_directory

if TYPE_CHECKING:
    from attestations.admission.layers import TrustPolicy

__all__ = ["CODE_COLLECTION", "code_envelopes", "module_envelopes", "named_by", "signed_among"]

#: Envelopes about the program's source files, in the directory in which it starts.
CODE_COLLECTION: Final = "ritornello.intoto.jsonl"
_COLLECTION_SIZE_MAX: Final = 32 << 20
_CANDIDATES_MAX: Final = 4096
#: Names of files and directories that are looked at for statements beside modules.
_NAMES_MAX: Final = 50_000
_BESIDE_SIZE_MAX: Final = 64 << 20
_WRAPPED: Final = b'"dsseEnvelope"'


def code_envelopes(file: Path | None, directory: Path) -> Iterator[bytes]:
    """Yield what is said of a program's files: beside the file, and in the known collections.

    Args:
        file: what the program begins with, if that is a file.
        directory: where the program starts.
    """
    from attestations.statements.envelope import read_lines

    if file is not None:
        yield from envelopes_beside(file)
    for place in (directory, config_directory()):
        collection = place / CODE_COLLECTION
        if os.path.lexists(collection):
            yield from read_lines(read_bounded(collection, _COLLECTION_SIZE_MAX))


def module_envelopes(directory: Path, begun: Path | None) -> Iterator[bytes]:
    """Yield what is said of the source files below a directory, beside each.

    Hidden directories and virtual environments are left out, and what lies behind so many names
    that looking would take long: the collection is for such programs.

    Args:
        directory: where the program starts.
        begun: the file it begins with, whose statements are known.

    Raises:
        PolicyError: one cannot be read, or all together are too long.
    """
    from attestations.errors import PolicyError

    size = 0
    for file in _spoken_of(directory):
        if file == begun:
            continue
        for envelope in envelopes_beside(file):
            size += len(envelope)
            if size > _BESIDE_SIZE_MAX:
                raise PolicyError(
                    f"statements beside files have more than {_BESIDE_SIZE_MAX} bytes together",
                    where=str(directory),
                )
            yield envelope


def _spoken_of(directory: Path) -> Iterator[Path]:
    """Yield the source files beside which statements stand, each once."""
    names, places = 0, [directory]
    while places:  # `os.walk` calls itself for each directory, and who has the project nests them
        place = places.pop()
        files: dict[str, None] = {}
        below: list[str] = []
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    names += 1
                    if names > _NAMES_MAX:
                        return
                    if entry.is_dir(follow_symlinks=False):
                        below.append(entry.name)
                        continue
                    for suffix in (COLLECTION_SUFFIX, SIGSTORE_SUFFIX):
                        if entry.name.endswith(".py" + suffix):
                            files[entry.name.removesuffix(suffix)] = None
        except OSError:
            continue  # it cannot be read, or its name is too long: nothing below it is admitted
        yield from (Path(place, name) for name in sorted(files))
        places += [Path(place, each) for each in sorted(below) if _is_looked_into(place, each)]


def _is_looked_into(place: Path, name: str) -> bool:
    own = not name.startswith(".") and name not in {"__pycache__", "node_modules"}
    try:
        return own and not os.path.lexists(place / name / "pyvenv.cfg")
    except OSError:
        return False  # nobody can look into it


def signed_among(trust: TrustPolicy, envelopes: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the envelopes that somebody known signed, whatever they say.

    Each is looked at once; those of strangers would be looked at for every file that they name.

    Raises:
        KeyFormError: a policy holds bytes that are no key.
        TrustFileError: the user's file of trusted keys cannot be read.
        KeylessError: the user's pin of a Sigstore cannot be read, or its root is another one.
    """
    from attestations.admission.gathering import keys_of
    from attestations.errors import EnvelopeError
    from attestations.statements.envelope import read_envelope, verify

    keys, keyless = keys_of(trust, known_keys()[1]), keyless_signed()
    for data in envelopes:
        if _WRAPPED in data:
            if keyless(data):
                yield data
            continue
        with contextlib.suppress(EnvelopeError):
            if verify(read_envelope(data), keys):
                yield data


def named_by(envelopes: Iterable[bytes]) -> dict[str, list[bytes]]:
    """Return what envelopes name, unverified, with the envelopes that name it, ascending."""
    from attestations.errors import AttestationError
    from attestations.statements.statement import read_statement

    found: dict[str, list[bytes]] = {}
    for data in envelopes:
        try:
            statement = read_statement(_payload(data))
        except (AttestationError, ValueError):
            continue  # it is counted for nothing, as it is by the decision
        for subject in statement.subject:
            about = found.setdefault(subject.digest.sha256, [])
            if not about or about[-1] is not data:
                about.append(data)
    return dict(sorted(found.items())[:_CANDIDATES_MAX])


class _Inner(msgspec.Struct, frozen=True):
    payload: bytes


class _Wrapped(msgspec.Struct, frozen=True, rename="camel"):
    """As much of a Sigstore bundle as says what it may be about."""

    dsse_envelope: _Inner


def _payload(data: bytes) -> bytes:
    """Return what is said, unverified, in an envelope or in a Sigstore bundle around one."""
    from attestations.statements.envelope import read_envelope

    if _WRAPPED not in data:
        return read_envelope(data).payload
    return msgspec.json.decode(data, type=_Wrapped).dsse_envelope.payload
