"""Which of two things came first, by causes alone: events by number, tasks by name."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.cli.reading.records import Event
from orchestrator.cli.reading.summaries import task_labels
from replay.errors import NotFoundError
from replay.projections.clocks import ClockState, Order, VectorClocks

__all__ = ["order_of"]


def order_of(events: Sequence[Event], first: str, second: str) -> Order:
    """Say how two events or tasks stand to each other.

    A task is before another if its last record is before the first one of the other.

    Args:
        events: all records of the run.
        first: the number of an event, a task's spawn path, or the end of one that no other
            task has.
        second: likewise.

    Raises:
        NotFoundError: nothing or several things have that name.
    """
    labels = task_labels(events)
    one, other = _span(events, labels, first), _span(events, labels, second)
    if one == other:
        return "equal"
    builder = VectorClocks().builder(ClockState())
    for event in events:
        builder.add(event.header)
    clocks = builder.state()
    if clocks.order(one[1], other[0]) == "before":
        return "before"
    return "after" if clocks.order(other[1], one[0]) == "before" else "concurrent"


def _span(events: Sequence[Event], labels: dict[int, str], name: str) -> tuple[int, int]:
    """Return the first and the last record of what a name names."""
    if name.isascii() and name.isdigit():
        seq = int(name)
        if seq >= len(events):
            raise NotFoundError(f"there is no event {seq}", hint=f"0 to {len(events) - 1} are here")
        return seq, seq
    found = [task for task, path in labels.items() if path == name]
    found = found or [task for task, path in labels.items() if path.endswith(f"/{name}")]
    if len(found) != 1:
        what = f"{len(found)} tasks have the name" if found else "there is no task"
        some = ", ".join(list(labels.values())[:8])
        raise NotFoundError(f"{what} {name!r}", hint=f"the tasks are {some}")
    own = [event.header.seq for event in events if event.header.task == found[0]]
    # A task that never ran has its spawn alone.
    return (own[0], own[-1]) if own else (found[0], found[0])
