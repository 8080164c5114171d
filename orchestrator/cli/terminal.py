"""What goes to the terminal: data on standard output, the rest on standard error, all of it inert.

Recorded text is hostile: before a person's terminal sees it, every character that could steer the
terminal or reorder what is read is spelled out. JSON output is escaped by its encoder and again
here, so that it stays on its line.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TextIO

import msgspec

__all__ = [
    "counted",
    "emit",
    "emit_json",
    "emit_line",
    "inert",
    "instant",
    "paint",
    "say",
    "table",
]

_STEERING: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_COLOURS: Final = {"green": "32", "red": "31", "yellow": "33", "bold": "1"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def inert(text: str, limit: int | None = None) -> str:
    """Return text that a terminal shows and does not obey, at most ``limit`` characters long."""
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(c) if unicodedata.category(c) in _STEERING else c for c in text)


def counted(count: int, thing: str) -> str:
    """Return so many of a thing, whose plural ends in an s."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def emit(text: str) -> None:
    """Write a line of data to standard output."""
    sys.stdout.write(text + "\n")


def emit_json(verb: str, value: dict[str, object]) -> None:
    """Write one object to standard output, with the name of its schema."""
    emit_line({"schema": f"ritornello/{verb}/1", **value})


def emit_line(value: object) -> None:
    """Write a value as one line of JSON in ASCII, inert on every terminal."""
    text = msgspec.json.encode(value).decode()
    if not text.isascii() or "\x7f" in text:
        text = "".join(c if " " <= c < "\x7f" else _json_escape(c) for c in text)
    emit(text)


def say(*lines: str) -> None:
    """Write lines to standard error."""
    for line in lines:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Colour text if the stream is a terminal that is not asked to be plain."""
    stream = stream or sys.stdout
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain or not stream.isatty():
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """Yield lines of columns; cells are made inert, the last column is not padded."""
    cells = [list(head), *([inert(cell) for cell in row] for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def instant(time_us: int | None) -> str:
    """Return a claimed time as text, in UTC."""
    if time_us is None:
        return "-"
    try:
        moment = _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return f"{time_us} us"
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _spelled(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))
