"""What lay beside a run in the bundle that it came in with, kept in the run's directory.

The one invariant: what came in with a bundle goes out with the next one as it was. A run that was
imported keeps the manifest and those members of its bundle that no log holds: the note with its
signatures, statements, workspace excerpts. They stand as files in ``attached/``, named and
compared with their digests as in the bundle.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from replay.bundle.excerpts import ExcerptChecker, gather_excerpts, iter_excerpts
from replay.bundle.limits import MANIFEST_SIZE_MAX
from replay.bundle.manifest import (
    MANIFEST_NAME,
    Manifest,
    MemberKind,
    decode_manifest,
    range_of,
)
from replay.bundle.reader import BundleReader
from replay.bundle.statements import Statement, iter_statements
from replay.errors import BundleError
from replay.log.excerpt import Excerpt
from replay.tree.note import NoteSignature, parse_checkpoint

__all__ = ["ATTACHED_NAME", "Attached", "keep_attached", "read_attached"]

ATTACHED_NAME: Final = "attached"
_KEPT: Final[tuple[MemberKind, ...]] = ("checkpoint", "statements", "workspace")


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What a run brought with it.

    Attributes:
        manifest: that of the bundle.
        signatures: signature lines of its checkpoint's note.
        statements: what others said about the run.
        excerpts: what workspace logs said about it.
    """

    manifest: Manifest
    signatures: tuple[NoteSignature, ...]
    statements: tuple[Statement, ...]
    excerpts: tuple[Excerpt, ...]


def keep_attached(reader: BundleReader, directory: Path) -> None:
    """Keep what lies beside a bundle's run in the directory made for the run.

    Raises:
        OSError: the disk refuses.
    """
    attached = directory / ATTACHED_NAME
    attached.mkdir(mode=0o700)
    for kind in _KEPT:
        for member in reader.manifest.of_kind(kind):
            _write(attached, member.name, reader.plain(member.name))
    _write(attached, MANIFEST_NAME, reader.manifest_bytes)


def read_attached(directory: Path) -> Attached | None:
    """Return what lies beside a run in its directory, None for one that came with nothing.

    Raises:
        BundleError: a file is not what came in, or gone.
        OSError: a file cannot be read.
    """
    attached = directory / ATTACHED_NAME
    if not (attached / MANIFEST_NAME).is_file():
        return None
    manifest = decode_manifest(_read(attached, MANIFEST_NAME, MANIFEST_SIZE_MAX))
    note = next(_plains(attached, manifest, "checkpoint"))[0]
    return Attached(
        manifest=manifest,
        signatures=parse_checkpoint(note)[1],
        statements=tuple(iter_statements(_plains(attached, manifest, "statements"))),
        excerpts=gather_excerpts(_checked(attached, manifest)),
    )


def _checked(attached: Path, manifest: Manifest) -> Iterator[tuple[Excerpt, str]]:
    """Yield the pieces of excerpts, each checked again: the manifest beside them proves nothing."""
    checker = ExcerptChecker(manifest.run_id)
    for piece, member in iter_excerpts(_plains(attached, manifest, "workspace")):
        checker.check(piece, member)
        yield piece, member
    checker.finish()


def _plains(
    attached: Path, manifest: Manifest, kind: MemberKind
) -> Iterator[tuple[bytes, str, int]]:
    """Yield plaintext, name and number of frames of the kept members of a kind."""
    for member in manifest.of_kind(kind):
        plain = _read(attached, member.name, member.length)
        if sha256(plain).hexdigest() != member.digest:
            raise BundleError("does not match the digest in the manifest", member=member.name)
        _, first, last = range_of(member.name) or (kind, 0, 0)
        yield plain, member.name, last - first + 1


def _read(attached: Path, name: str, size_max: int) -> bytes:
    try:
        descriptor = os.open(attached / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BundleError("came in with the run and is gone", member=name) from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a pipe would be waited for
            raise BundleError("not a regular file", member=name)
        return file.read(size_max + 1)


def _write(attached: Path, name: str, plain: bytes) -> None:
    path = attached / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(plain)
        file.flush()
        os.fsync(file.fileno())
