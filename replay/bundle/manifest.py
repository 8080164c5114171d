"""The manifest: what a bundle holds, member by member, and whose digest is its name.

The one invariant: name, kind, length and digest of every member stand in one list, the name gives
the kind and the range, and the ranges of a kind follow one another from 0 without a gap. What is
not listed is not in the file; what is of another kind is refused.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec

from replay.bundle.limits import (
    BESIDE_MAX,
    FRAME_SIZE_MAX,
    MANIFEST_SIZE_MAX,
    MEMBER_SIZE_MAX,
    MEMBERS_MAX,
    NAME_LENGTH_MAX,
    POSITION_MAX,
)
from replay.errors import BundleError, BundlePathError

__all__ = [
    "CHECKPOINT_NAME",
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "ORIGIN_PREFIX",
    "Manifest",
    "Member",
    "MemberKind",
    "check_name",
    "decode_manifest",
    "encode_manifest",
    "identity_of",
    "member_name",
    "range_of",
]

FORMAT_VERSION: Final = 1
MANIFEST_NAME: Final = "manifest.json"
CHECKPOINT_NAME: Final = "checkpoint.note"
ORIGIN_PREFIX: Final = "ritornello/run/"

MemberKind = Literal["checkpoint", "headers", "parts", "refs", "statements", "workspace"]
Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]

_SUFFIX: Final[dict[MemberKind, str]] = {
    "headers": "jsonl",
    "parts": "bin",
    "refs": "bin",
    "statements": "bin",
    "workspace": "bin",
}
_NAME: Final = re.compile(r"[a-z0-9./-]+")
_RANGED: Final = re.compile(r"([a-z]+)/([0-9]{12})-([0-9]{12})\.([a-z]+)")


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One member as listed. Fields stand in sorted order: the encoding is theirs.

    Attributes:
        digest: hex SHA-256 of the plaintext.
        kind: what it holds.
        length: bytes of the plaintext.
        name: name in the zip; for all but the checkpoint it ends in the range of positions.
    """

    digest: Hex
    kind: MemberKind
    length: Annotated[int, msgspec.Meta(ge=1, le=FRAME_SIZE_MAX)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX)]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The list of members and the head of the run, format version 1. Fields in sorted order.

    Attributes:
        engine: version of the engine that wrote the bundle; a claim.
        format: format version.
        kind: what the bundle is of.
        members: every member but the manifest and the zip guard, ascending names.
        origin: ``ritornello/run/<id>``, as in the checkpoint.
        root: hex root of the run tree, as in the checkpoint.
        sealed: whether the last record is ``RunSealed``.
        size: number of records.
    """

    engine: Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z.+!_-]{1,64}\Z")]
    format: Literal[1]
    kind: Literal["run"]
    members: Annotated[tuple[Member, ...], msgspec.Meta(max_length=MEMBERS_MAX)]
    origin: Annotated[str, msgspec.Meta(pattern=r"\Aritornello/run/[0-9A-Za-z_-]{1,64}\Z")]
    root: Hex
    sealed: bool
    size: Annotated[int, msgspec.Meta(ge=1, le=POSITION_MAX + 1)]

    @property
    def run_id(self) -> str:
        """The id of the run, from the origin."""
        return self.origin.removeprefix(ORIGIN_PREFIX)

    def of_kind(self, kind: MemberKind) -> tuple[Member, ...]:
        """Return the members of a kind, ascending."""
        return tuple(member for member in self.members if member.kind == kind)


class _Version(msgspec.Struct, frozen=True):
    format: int


# Declared order is sorted order (a test holds it), so the plain encoder writes RFC 8785.
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Manifest)
_VERSION: Final = msgspec.json.Decoder(_Version)


def member_name(kind: MemberKind, first: int, last: int) -> str:
    """Return the name of the member that holds the positions ``first`` to ``last``, inclusive."""
    return f"{kind}/{first:012d}-{last:012d}.{_SUFFIX[kind]}"


def check_name(name: str) -> None:
    """Refuse any name but one of this format's.

    Raises:
        BundlePathError: the name has another character, length or form.
    """
    if len(name) > NAME_LENGTH_MAX or _NAME.fullmatch(name) is None:
        raise BundlePathError(
            "member name is not of [a-z0-9./-]", member=ascii(name[:NAME_LENGTH_MAX])
        )
    if name not in {MANIFEST_NAME, CHECKPOINT_NAME} and range_of(name) is None:
        raise BundlePathError("member name is not one of this format", member=name)


def range_of(name: str) -> tuple[MemberKind, int, int] | None:
    """Return kind, first and last position of a ranged member, or None for another name."""
    match = _RANGED.fullmatch(name)
    if match is None:
        return None
    for kind, suffix in _SUFFIX.items():
        if (kind, suffix) == (match[1], match[4]) and match[2] <= match[3]:
            return kind, int(match[2]), int(match[3])
    return None


def identity_of(raw: bytes) -> str:
    """Return a bundle's identity: the hex SHA-256 of its manifest's bytes."""
    return sha256(raw).hexdigest()


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode a manifest to its canonical bytes.

    Raises:
        BundleError: it would be refused when read.
    """
    raw = _ENCODER.encode(manifest)
    decode_manifest(raw)
    return raw


def decode_manifest(raw: bytes) -> Manifest:
    """Decode canonical manifest bytes and check that they list one run without gaps.

    Raises:
        BundleError: the bytes are not the canonical encoding, of another format version, or list
            what a run does not consist of; names the member listed where it is one.
        BundlePathError: a name is not one of this format.
    """
    if len(raw) > MANIFEST_SIZE_MAX:
        raise _refused(f"manifest of {len(raw)} bytes is over the limit")
    try:
        version = _VERSION.decode(raw).format
        if version != FORMAT_VERSION:
            raise BundleError(
                f"format version {version} is not known",
                member=MANIFEST_NAME,
                hint="read it with the engine that wrote it, or a newer one",
            )
        manifest = _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _refused(f"manifest cannot be read: {error}") from None
    if _ENCODER.encode(manifest) != raw:
        raise _refused("manifest bytes are not canonical")
    _check_members(manifest)
    return manifest


def _check_members(manifest: Manifest) -> None:
    """Check order, kinds and ranges; the lengths of frames are the reader's affair."""
    before = ""
    following: dict[MemberKind, int] = dict.fromkeys(_SUFFIX, 0)
    for member in manifest.members:
        check_name(member.name)
        if member.name <= before:
            raise BundleError("members are not listed in ascending order", member=member.name)
        before = member.name
        if member.name == CHECKPOINT_NAME:
            if member.kind != "checkpoint" or member.length > MEMBER_SIZE_MAX:
                raise BundleError("checkpoint of another kind or over the limit", member=before)
            continue
        found = range_of(member.name)
        if found is None or found[0] != member.kind:
            raise BundleError("listed with a kind that is not its name's", member=before)
        kind, first, last = found
        if first != following[kind]:
            raise BundleError(f"begins at {first}, not at {following[kind]}", member=before)
        if member.length > MEMBER_SIZE_MAX and first != last:
            raise BundleError(f"{member.length} bytes are over the limit", member=before)
        following[kind] = last + 1
    if not manifest.of_kind("checkpoint"):
        raise _refused(f"manifest lists no {CHECKPOINT_NAME}")
    for beside in ("statements", "workspace"):
        if following[beside] > BESIDE_MAX:
            raise _refused(f"manifest lists {following[beside]} frames of {beside}")
    for kind in ("headers", "refs"):
        if following[kind] != manifest.size:
            raise _refused(f"manifest lists {kind} of {following[kind]} records")


def _refused(message: str) -> BundleError:
    return BundleError(message, member=MANIFEST_NAME)
