"""A divergence: the first record of a replay that differs from the recording, as a value."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Category", "Diverged", "Divergence", "FieldChange"]

#: ``changed``: same kind, other content. ``missing``: the program did not do what comes next.
#: ``extra``: it did something that the recording has not. ``order``: it did what the recording
#: has, but elsewhere. ``clock``: it read another source, or a timer took another turn.
Category = Literal["changed", "missing", "extra", "order", "clock"]


class FieldChange(msgspec.Struct, frozen=True):
    """One field that differs: its path, and both values as JSON or text, shortened."""

    path: str
    recorded: str | None
    replayed: str | None


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how a replay left its recording.

    Attributes:
        seq: position of the first record that differs.
        category: what sort of difference.
        recorded_kind: kind of the record that was expected, None after the end.
        replayed_kind: kind of the record that was computed, None if there was none.
        task: spawn path of the task, for people.
        fields: what differs, outermost first.
        recorded_place, replayed_place: user file:line with the await chain, where known.
        candidate: seq of the recorded record nearest to the computed one.
        note: one sentence more.
        library: module of a library in which the user's code read a clock or the like; empty if it
            did so itself.
    """

    seq: int
    category: Category
    recorded_kind: str | None
    replayed_kind: str | None
    task: str
    fields: tuple[FieldChange, ...] = ()
    recorded_place: str | None = None
    replayed_place: str | None = None
    candidate: int | None = None
    note: str = ""
    library: str = ""

    def summary(self) -> str:
        """Return one line: where, what was expected, what came."""
        expected = self.recorded_kind or "the end"
        came = self.replayed_kind or "nothing"
        return f"event {self.seq}: expected {expected}, replay gave {came} ({self.category})"


class Diverged(Exception):
    """Stops a replay; carries the difference as a value."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__(divergence.summary())
        self.divergence = divergence
