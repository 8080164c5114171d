"""Pins: the head of a log as a small text file, to be kept where the log's keeper cannot reach.

The one invariant: a pin is replaced only by the head of the same log that continues it. The file is
a checkpoint note, so it can stand in a git repository, in a mail or on paper.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from attestations.anchors.comparing import compare
from attestations.errors import NoteError, StateError
from attestations.whole_files import read_regular, write_whole
from replay.errors import ProofError
from replay.tree import Checkpoint, parse_checkpoint

__all__ = ["read_pin", "write_pin"]

_NOTE_SIZE_MAX: Final = 256 * 1024
_WRITES_ONE: Final = "`ritornello pin RUN --write FILE` writes one"


def read_pin(path: Path) -> Checkpoint:
    """Read a pin.

    Raises:
        StateError: the file cannot be read, or is not a checkpoint note.
    """
    try:
        data = read_regular(path, _NOTE_SIZE_MAX + 1)
    except OSError as error:
        raise StateError(
            f"the pin cannot be read: {error.strerror}", where=str(path), hint=_WRITES_ONE
        ) from error
    try:
        checkpoint, _ = parse_checkpoint(data)
    except ProofError as error:
        raise StateError(
            f"this is not a pin: {error.message}",
            where=str(path),
            hint=_WRITES_ONE,
        ) from None
    return checkpoint


def write_pin(
    path: Path, now: Checkpoint, note: bytes, prefix_root: Callable[[int], bytes]
) -> Checkpoint | None:
    """Write a pin, or put a later one in its place.

    Args:
        path: the file.
        now: the head of the log at hand, computed from its records.
        note: its note.
        prefix_root: computes the root over the first so many records at hand.

    Returns:
        The pin that stood there before, if one did.

    Raises:
        StateError: what stands there is no pin; nothing was written.
        NoteError: it is one of another log, or contradicts the head; nothing was written.
        OSError: the file cannot be written; what stood there still does.
    """
    before = read_pin(path) if path.exists() else None
    if before is not None:
        compared = compare(now, before, prefix_root)
        if compared == "other":
            raise NoteError(
                f"the file pins another log, {before.origin}",
                where=str(path),
                hint="write each log's pin to a file of its own",
            )
        if compared in {"shorter", "fork"}:
            raise NoteError(
                f"the head contradicts the pin that is there: {before.size} records were pinned,"
                f" here are {now.size}"
                + ("" if compared == "shorter" else ", others in the same places"),
                where=str(path),
                hint="keep both: one of them was never true",
            )
    write_whole(path, note, mode=0o644)
    return before
