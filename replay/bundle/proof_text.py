"""How the proof of one event lies in a text file: its lines, written and read.

The one invariant: every field that is taken is bounded before it is decoded, and a refusal names
the line. What the lines mean, and that they are in their one spelling, is the affair of
:mod:`replay.bundle.proof`. The form is in ``docs/reference/proof.md``.

Source: https://c2sp.org/tlog-proof, for the second section.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final

from replay.errors import ProofError
from replay.events.digest import COMMITMENT_BYTES, SALT_BYTES
from replay.events.entry import Part, PartState
from replay.events.header import Header, decode_header
from replay.tree import HASH_SIZE_BYTES

__all__ = ["event_section", "place_section", "proof_refused", "read_event", "read_place"]

_FIRST: Final = b"ritornello/proof/v1"
_SECOND: Final = b"c2sp.org/tlog-proof@v1"
_STATES: Final[dict[bytes, PartState]] = {
    b"present": "present",
    b"erased": "erased",
    b"withheld": "withheld",
    b"missing": "missing",
}
_SIZE_DIGITS_MAX: Final = 16
_PARTS_MAX: Final = 1 << 20
_PATH_MAX: Final = 63
_HINT: Final = "ask for the proof again; do not repair it by hand"


def event_section(raw: bytes, parts: Sequence[Part]) -> bytes:
    """Return the first section, without its last line feed: header and parts."""
    lines = [_FIRST, b"header " + raw]
    for part in parts:
        fields = [b"part", part.state.encode(), _coded(part.salt), _coded(part.commitment)]
        fields.append(b"%d" % part.size)
        if part.data is not None:
            fields.append(_coded(part.data))
        lines.append(b" ".join(fields))
    return b"\n".join(lines)


def place_section(seq: int, path: Sequence[bytes]) -> bytes:
    """Return the second section, without its last line feed: index and siblings."""
    return b"\n".join([_SECOND, b"index %d" % seq, *map(b64encode, path)])


def read_event(data: bytes) -> tuple[Header, bytes, tuple[Part, ...]]:
    """Read the first section: the header, its bytes, and the parts of its payload.

    Raises:
        IntegrityError: it is of another form.
    """
    if data.count(b"\n") > _PARTS_MAX + 1:
        raise proof_refused("has more parts than a payload")
    first, *lines = data.split(b"\n")
    if first != _FIRST:
        raise proof_refused(f"does not begin with {_FIRST.decode()}", "line 1")
    if not lines or not lines[0].startswith(b"header "):
        raise proof_refused("names no header", "line 2")
    raw = lines[0].removeprefix(b"header ")
    header = decode_header(raw)
    if len(lines) < 2:
        raise proof_refused("lists no part", "line 3")
    return header, raw, tuple(_part(line, place) for place, line in enumerate(lines[1:]))


def read_place(data: bytes, seq: int, line: int) -> tuple[bytes, ...]:
    """Read the second section: the siblings from the leaf to the root.

    Args:
        data: the section.
        seq: position that the header claims.
        line: number of the section's first line.

    Raises:
        ProofError: it is of another form, or of another position.
    """
    if data.count(b"\n") > _PATH_MAX + 1:
        raise proof_refused("the path is longer than that of any tree", f"line {line + 2}")
    first, _, rest = data.partition(b"\n")
    index, *hashes = rest.split(b"\n")
    if first != _SECOND:
        raise proof_refused(f"does not go on with {_SECOND.decode()}", f"line {line}")
    if index != b"index %d" % seq:
        raise proof_refused("the index is not the event's position", f"line {line + 1}")
    return tuple(_sibling(text, f"line {line + 2 + at}") for at, text in enumerate(hashes))


def proof_refused(message: str, where: str = "") -> ProofError:
    """Return the error for a file that is no proof, or one that does not hold."""
    return ProofError(f"proof: {message}", where=where, hint=_HINT)


def _sibling(text: bytes, where: str) -> bytes:
    found = _bytes_of(text, where)
    if len(found) != HASH_SIZE_BYTES:
        raise proof_refused("a hash of the path is not 32 bytes long", where)
    return found


def _part(line: bytes, place: int) -> Part:
    where = f"line {place + 3}"
    word, *fields = line.split(b" ", 6)
    state = _STATES.get(fields[0]) if fields else None
    if word != b"part" or state is None or len(fields) != (5 if state == "present" else 4):
        raise proof_refused(
            "is not: part, state, salt, commitment, size, and data if present", where
        )
    salt, commitment = _bytes_of(fields[1], where), _bytes_of(fields[2], where)
    if len(salt) not in {0, SALT_BYTES} or (salt and state == "erased"):
        raise proof_refused("salt and state do not fit", where)
    if len(commitment) != COMMITMENT_BYTES:
        raise proof_refused("a commitment is not 32 bytes long", where)
    data = _bytes_of(fields[4], where) if state == "present" else None
    return Part(
        ordinal=place,
        salt=salt,
        commitment=commitment,
        size=_number(fields[3], where),
        data=data,
        state=state,
    )


def _number(text: bytes, where: str) -> int:
    if not text.isdigit() or len(text) > _SIZE_DIGITS_MAX:
        raise proof_refused("a size is no number", where)
    return int(text)


def _bytes_of(text: bytes, where: str) -> bytes:
    if text == b"-":
        return b""
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise proof_refused("is not base64", where) from None


def _coded(data: bytes) -> bytes:
    return b64encode(data) or b"-"
