"""The members of an opened bundle as the manifest lists them: frames by kind and position.

The one invariant: no byte of a member is looked at before its length and digest have been compared
with the manifest. The file may change while it is open, so that happens each time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from hashlib import sha256

from replay.bundle.container import Container
from replay.bundle.frames import iter_headers, iter_parts, iter_refs
from replay.bundle.manifest import MANIFEST_NAME, Manifest, Member, MemberKind, range_of
from replay.errors import BundleError
from replay.events.entry import Part

__all__ = ["Members"]


class Members:
    """Reads frames of a bundle's members, checked against its manifest.

    Args:
        container: the opened file.
        manifest: its decoded manifest.

    Raises:
        BundleError: file and manifest do not name the same members with the same lengths.
    """

    def __init__(self, container: Container, manifest: Manifest) -> None:
        self._container = container
        self._members: dict[str, list[tuple[Member, int, int]]] = {}
        listed = {MANIFEST_NAME}
        for member in manifest.members:
            slot = container.slots.get(member.name)
            if slot is None:
                raise BundleError("listed but not in the file", member=member.name)
            if slot.length != member.length:
                raise BundleError("has another length than listed", member=member.name)
            listed.add(member.name)
            _, first, last = range_of(member.name) or (member.kind, 0, 0)
            self._members.setdefault(member.kind, []).append((member, first, last))
        for name in container.slots:
            if name not in listed:
                raise BundleError("in the file but not listed", member=name)

    def count(self, kind: MemberKind) -> int:
        """Return how many frames of a kind there are."""
        ranges = self._members.get(kind)
        return ranges[-1][2] + 1 if ranges else 0

    def name_of(self, kind: MemberKind, position: int) -> str:
        """Return the name of the member that holds a position, or of the last one of the kind."""
        ranges = self._from(kind, position) or self._members.get(kind, ())[-1:]
        return ranges[0][0].name if ranges else MANIFEST_NAME

    def note(self) -> tuple[str, bytes]:
        """Return name and bytes of the checkpoint note."""
        member = self._members["checkpoint"][0][0]
        return member.name, self._plain(member)

    def headers(self) -> Iterator[tuple[int, bytes]]:
        """Yield position and bytes of every header."""
        for member, first, last in self._from("headers", 0):
            yield from iter_headers(self._plain(member), member.name, first, last)

    def refs(self) -> Iterator[tuple[int, bytes]]:
        """Yield position and bytes of every stored part list."""
        for member, first, last in self._from("refs", 0):
            yield from iter_refs(self._plain(member), member.name, first, last)

    def parts(self, start: int) -> Iterator[tuple[Part, int]]:
        """Yield the parts from an ordinal on, with the seq of the record that brought each."""
        for member, first, last in self._from("parts", start):
            for part, event in iter_parts(self._plain(member), member.name, first, last):
                if part.ordinal >= start:
                    yield part, event

    def parts_beside(self, ordinal: int) -> dict[int, Part]:
        """Return all parts of the member that holds an ordinal, by ordinal."""
        member, first, last = self._from("parts", ordinal)[0]
        frames = iter_parts(self._plain(member), member.name, first, last)
        return {part.ordinal: part for part, _ in frames}

    def plains(self, kind: MemberKind) -> Iterator[tuple[bytes, str, int]]:
        """Yield plaintext, name and number of frames of the members of a kind."""
        for member, first, last in self._from(kind, 0):
            yield self._plain(member), member.name, last - first + 1

    def plain(self, name: str) -> bytes:
        """Return the plaintext of a member.

        Raises:
            BundleError: it is none of those listed, or not what was listed.
        """
        for ranges in self._members.values():
            for member, _, _ in ranges:
                if member.name == name:
                    return self._plain(member)
        raise BundleError("is not listed", member=name)

    def _from(self, kind: MemberKind, position: int) -> list[tuple[Member, int, int]]:
        ranges = self._members.get(kind, [])
        return ranges[bisect_left(ranges, position, key=lambda each: each[2]) :]

    def _plain(self, member: Member) -> bytes:
        plain = self._container.read(member.name)
        if len(plain) != member.length or sha256(plain).hexdigest() != member.digest:
            raise BundleError("does not match the digest in the manifest", member=member.name)
        return plain
