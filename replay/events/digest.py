"""The hashes of a record: content hash, part commitment, payload commitment.

The only module that knows BLAKE3. The run tree is SHA-256 and lives in :mod:`replay.tree`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from blake3 import blake3

__all__ = [
    "COMMITMENT_BYTES",
    "SALT_BYTES",
    "Committer",
    "content_hash",
    "derive",
    "keyed_digest",
    "one_part_commitment",
    "part_commitment",
    "payload_commitment",
    "payload_commitment_of",
]

SALT_BYTES: Final = 16
COMMITMENT_BYTES: Final = 32

# Copying a prepared hasher is a third cheaper than deriving the context key for every part.
_part_hasher: Final = blake3(derive_key_context="ritornello part v1").copy
_payload_hasher: Final = blake3(derive_key_context="ritornello payload v1").copy


def content_hash(header: bytes) -> str:
    """Return an event's name: the hex BLAKE3 of its header bytes."""
    return blake3(header).hexdigest()


def part_commitment(salt: bytes, data: bytes) -> bytes:
    """Return the 32-byte commitment to one part: derive-key BLAKE3 of salt and data.

    Args:
        salt: 16 bytes from the operating system, or empty for a part declared public.
        data: the exact bytes of the part.
    """
    return _part_hasher().update(salt + data).digest()


def payload_commitment(commitments: Iterable[tuple[int, bytes]]) -> str:
    """Return the hex commitment to a payload: its (size in bytes, part commitment) list, in order.

    Sizes are hashed as unsigned 64-bit little-endian integers, so that no two lists of parts
    have one encoding.
    """
    return payload_commitment_of(
        b"".join(size.to_bytes(8, "little") + commitment for size, commitment in commitments)
    )


def payload_commitment_of(listed: bytes) -> str:
    """Return the hex payload commitment of an already encoded list of (size, commitment)."""
    return _payload_hasher().update(listed).hexdigest()


def one_part_commitment(salt: bytes, data: bytes) -> tuple[bytes, str]:
    """Commit to a payload of one part; return how the part is listed and the payload commitment."""
    listed = len(data).to_bytes(8, "little") + part_commitment(salt, data)
    return listed, payload_commitment_of(listed)


class Committer:
    """Commits to parts and payloads as the functions do, for one thread at a time.

    It uses its hashers again, which is a third cheaper than a copy for each commitment. Each call
    begins with a clean one, so a call that was interrupted leaves nothing to the next; but one that
    comes in the midst of another would spoil it. So it is for checks and replays, not for records.

    Attributes:
        part: as :func:`part_commitment`.
        payload: as :func:`payload_commitment_of`.
        one: as :func:`one_part_commitment`.
    """

    __slots__ = ("one", "part", "payload")

    def __init__(self) -> None:
        self.part: Callable[[bytes, bytes], bytes] = _part_with(_part_hasher())
        self.payload: Callable[[bytes], str] = _payload_with(_payload_hasher())
        self.one: Callable[[bytes, bytes], tuple[bytes, str]] = _one_with(
            _part_hasher(), _payload_hasher()
        )


def _part_with(hasher: blake3) -> Callable[[bytes, bytes], bytes]:
    reset, update, digest = hasher.reset, hasher.update, hasher.digest

    def part(salt: bytes, data: bytes) -> bytes:
        reset()
        update(salt + data)
        return digest()

    return part


def _payload_with(hasher: blake3) -> Callable[[bytes], str]:
    reset, update, hexdigest = hasher.reset, hasher.update, hasher.hexdigest

    def payload(listed: bytes) -> str:
        reset()
        update(listed)
        return hexdigest()

    return payload


def _one_with(part: blake3, payload: blake3) -> Callable[[bytes, bytes], tuple[bytes, str]]:
    # Written out: a replay does this for nearly every record.
    reset, update, digest = part.reset, part.update, part.digest
    restart, feed, hexdigest = payload.reset, payload.update, payload.hexdigest

    def one(salt: bytes, data: bytes) -> tuple[bytes, str]:
        reset()
        update(salt + data)
        listed = len(data).to_bytes(8, "little") + digest()
        restart()
        feed(listed)
        return listed, hexdigest()

    return one


def derive(context: str, *material: bytes) -> bytes:
    """Derive 32 bytes from length-framed key material under a fixed context string."""
    hasher = blake3(derive_key_context=context)
    for piece in material:
        hasher.update(len(piece).to_bytes(8, "little") + piece)
    return hasher.digest()


def keyed_digest(key: bytes, pieces: Iterable[bytes]) -> str:
    """Return the hex BLAKE3 of a content under a key of the run, for what no record can hold.

    Args:
        key: what only this run has, so that equal contents of two runs do not show.
        pieces: the content, in order; where it is cut is of no moment.
    """
    hasher = blake3(derive_key_context="ritornello content v1")
    hasher.update(len(key).to_bytes(8, "little") + key)
    for piece in pieces:
        hasher.update(piece)
    return hasher.hexdigest()
