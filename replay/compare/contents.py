"""Where two contents of a written file begin to differ, in a sentence for people."""

from __future__ import annotations

from typing import Final

import msgspec

from replay.events.file_kinds import FileWritten

__all__ = ["first_difference"]

_SHOWN_MAX: Final = 80
_HEAD: Final = msgspec.json.Decoder(FileWritten)


def first_difference(recorded: bytes | None, computed: bytes | None) -> str:
    """Return which file differs, and the first line and byte in which it does.

    Args:
        recorded: payload of the recorded ``FileWritten``, head first; None if it is gone.
        computed: the same of the replay.
    """
    before, after = _read(recorded), _read(computed)
    if before is None or after is None:
        return ""
    (old, then), (new, now) = before, after
    if old.path != new.path:
        return f"the program wrote {new.path}, not {old.path}"
    if then == now:
        return f"{new.path} was opened in another way" if old.size == new.size else ""
    common = _common_bytes(then, now)
    line = then.count(b"\n", 0, common) + 1
    start = then.rfind(b"\n", 0, common) + 1
    return (
        f"{new.path}: first difference in line {line}, byte {old.offset + common}:"
        f" recorded {_shown(then, start)}, replayed {_shown(now, start)}"
    )


def _read(payload: bytes | None) -> tuple[FileWritten, bytes] | None:
    if payload is None:
        return None
    head, _, body = payload.partition(b"\n")
    try:
        return _HEAD.decode(head), body
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _common_bytes(one: bytes, other: bytes) -> int:
    """Return how many leading bytes are the same, by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _shown(content: bytes, start: int) -> str:
    end = content.find(b"\n", start)
    line = content[start : end if end >= 0 else len(content)]
    if start >= len(content):
        return "the end"
    return repr(line[:_SHOWN_MAX].decode("utf-8", "backslashreplace"))
