"""Reads a bundle as the log of a run.

The one invariant: nothing is handed out that was not compared with the manifest's digests first,
and, unless the caller asks otherwise, nothing before the whole run has been verified.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from replay.bundle.container import Container
from replay.bundle.excerpts import gather_excerpts, iter_excerpts
from replay.bundle.limits import MANIFEST_SIZE_MAX
from replay.bundle.manifest import MANIFEST_NAME, Manifest, decode_manifest, identity_of
from replay.bundle.members import Members
from replay.bundle.records import iter_entries
from replay.bundle.statements import Statement, iter_statements
from replay.bundle.verification import Verified, verify_bundle
from replay.errors import BundleError, ProofError
from replay.events.entry import Entry, Part
from replay.events.header import decode_header
from replay.log.excerpt import Excerpt
from replay.log.port import DecodeHeader, Line, lean_of
from replay.log.seeming import begins_as_zip, seeming
from replay.tree.note import Checkpoint, NoteSignature, parse_checkpoint

__all__ = ["BundleReader"]

_MEMBERS_KEPT: Final = 4


class BundleReader:
    """The records of one run in a bundle; a `LogReader`. One thread at a time.

    Attributes:
        manifest: what the file holds.
        manifest_bytes: the manifest as it stands in the file.
        identity: hex SHA-256 of the manifest's bytes.
        checkpoint: origin, size and root, as signed or signable.
        signatures: signature lines of the checkpoint's note; claims, not verified here.
        verified: what verification found, or None if it was put off.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        slot = container.slots.get(MANIFEST_NAME)
        if slot is not None and slot.length > MANIFEST_SIZE_MAX:
            raise BundleError(f"{slot.length} bytes are over the limit", member=MANIFEST_NAME)
        raw = container.read(MANIFEST_NAME)
        self.manifest_bytes: bytes = raw
        self.manifest: Manifest = decode_manifest(raw)
        self.identity: str = identity_of(raw)
        self._members = Members(container, self.manifest)
        self.checkpoint: Checkpoint
        self.signatures: tuple[NoteSignature, ...]
        self.checkpoint, self.signatures = _checkpoint(self._members, self.manifest)
        self.verified: Verified | None = None
        self._kept: dict[int, dict[int, Part]] = {}

    @classmethod
    def open(cls, path: Path, *, verify: bool = True) -> Self:
        """Open a bundle.

        Args:
            path: the file.
            verify: check every record now. Without it the structure, the manifest and the
                checkpoint are checked, and each member against the manifest when it is read:
                enough for a caller who knows that the identity is one that verified before.

        Raises:
            BundleError: the file is not a bundle that holds; names member and record.
            OSError: the file cannot be opened or read.
        """
        try:
            container = Container.open(path)
        except BundleError as error:
            what = None if begins_as_zip(path) else seeming(path)
            if what is not None and not error.hint:
                error.hint = f"it seems to be {what[0]}; {what[1]}"
            raise
        try:
            reader = cls(container)
            if verify:
                reader.verify()
        except BaseException:
            container.close()
            raise
        return reader

    @property
    def run_id(self) -> str:
        """The id of the run, from the checkpoint's origin."""
        return self.manifest.run_id

    def verify(self) -> Verified:
        """Check every record, part list and part, and what lies beside the run.

        Raises:
            BundleError: names member and record.
        """
        self.verified = verify_bundle(self.entries(), self.manifest, self._members)
        return self.verified

    def size(self) -> int:
        """Return the number of records."""
        return self.manifest.size

    def entries(
        self, first: int = 0, last: int | None = None, *, decode: DecodeHeader = decode_header
    ) -> Iterator[Entry]:
        """Yield records with positions in [first, last), ascending, no gaps.

        Raises:
            BundleError: a record is malformed; names it.
        """
        size = self.manifest.size
        end = size if last is None else min(last, size)
        return iter_entries(self._members, first, end, decode)

    def lean(
        self, wanted: frozenset[str], *, decode: DecodeHeader = decode_header
    ) -> Iterator[Sequence[Line]]:
        """Yield all records in order, a batch at a time: whole where the kind is wanted.

        Raises:
            BundleError: a record is malformed; names it.
        """
        return lean_of(self.entries(decode=decode), wanted)

    def parts(self, ordinals: Sequence[int]) -> dict[int, Part]:
        """Return the parts with these ordinals, by ordinal.

        Raises:
            BundleError: an ordinal that the run never had.
        """
        count = self._members.count("parts")
        found: dict[int, Part] = {}
        for ordinal in ordinals:
            if not 0 <= ordinal < count:
                raise BundleError(f"the run has no part {ordinal}", member=MANIFEST_NAME)
            found[ordinal] = self._part(ordinal)
        return found

    def salts(self, first: int, last: int) -> list[bytes]:
        """Return the salts of the parts with ordinals in [first, last), clipped to the run's.

        A part that was erased, or withheld with its salt, has an empty one.
        """
        salts: list[bytes] = []
        for part, _ in self._members.parts(max(first, 0)):
            if part.ordinal >= last:
                break
            salts.append(part.salt)
        return salts

    def excerpts(self) -> tuple[Excerpt, ...]:
        """Return what workspace logs say about the run, ascending origins."""
        return gather_excerpts(iter_excerpts(self._members.plains("workspace")))

    def statements(self) -> Iterator[Statement]:
        """Yield what others said about the run: claims, not looked into and not verified."""
        return iter_statements(self._members.plains("statements"))

    def plain(self, name: str) -> bytes:
        """Return the plaintext of a member that the manifest lists.

        Raises:
            BundleError: there is none of that name.
        """
        return self._members.plain(name)

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._kept.clear()
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _part(self, ordinal: int) -> Part:
        """Find a part; the members used last are kept, since payloads refer to neighbours."""
        for kept in reversed(self._kept.values()):
            if ordinal in kept:
                return kept[ordinal]
        beside = self._members.parts_beside(ordinal)
        if len(self._kept) == _MEMBERS_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[ordinal] = beside
        return beside[ordinal]


def _checkpoint(
    members: Members, manifest: Manifest
) -> tuple[Checkpoint, tuple[NoteSignature, ...]]:
    name, raw = members.note()
    try:
        checkpoint, signatures = parse_checkpoint(raw)
    except ProofError as error:
        raise BundleError(error.message, member=name) from None
    claimed = (checkpoint.origin, checkpoint.size, checkpoint.root.hex())
    if claimed != (manifest.origin, manifest.size, manifest.root):
        raise BundleError("names another run, size or root than the manifest", member=name)
    return checkpoint, signatures
