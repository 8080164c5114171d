"""What goes to the terminal: data on standard output, the rest on standard error, all of it inert.

Recorded text is hostile: before a person's terminal sees it, every character that could steer the
terminal or reorder what is read is spelled out. JSON output is escaped by its encoder and again
here, so that it stays on its line.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TextIO

import msgspec

from orchestrator.reports.spelling import spelled

__all__ = [
    "counted",
    "emit",
    "emit_json",
    "emit_line",
    "in_github_actions",
    "inert",
    "instant",
    "paint",
    "printing_no_commands",
    "say",
    "table",
]

_COLOURS: Final = {"green": "32", "red": "31", "yellow": "33", "bold": "1"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def inert(text: str, limit: int | None = None) -> str:
    """Return text that a terminal shows and does not obey, at most ``limit`` characters long."""
    return spelled(text, limit)


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
    """Write a value as one line of JSON in ASCII, inert on every terminal and in GitHub Actions."""
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # the name of a file that is no UTF-8
        text = msgspec.json.encode(_encodable(msgspec.to_builtins(value))).decode()
    # The runner looks for these commands within lines, too. They can only stand in a string.
    text = text.replace("##[", "\\u0023#[")
    if not text.isascii() or "\x7f" in text:
        text = "".join(c if " " <= c < "\x7f" else _json_escape(c) for c in text)
    emit(text)


def say(*lines: str) -> None:
    """Write lines to standard error."""
    for line in lines:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def in_github_actions() -> bool:
    """Return whether GitHub Actions reads what is printed, and obeys commands in it."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


@contextlib.contextmanager
def printing_no_commands() -> Iterator[None]:
    """Keep what is printed within from being read as workflow commands by GitHub Actions.

    Said on standard error, as all that is no data; the runner heeds it for both streams.
    """
    token = secrets.token_hex(16)
    say(f"::stop-commands::{token}")
    try:
        yield
    finally:
        say("", f"::{token}::")  # a program may have left a line unfinished


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


def _encodable(value: object) -> object:
    """Return a plain value in which characters are spelled out that no UTF-8 has."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(each) for each in value]
    return value


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))
