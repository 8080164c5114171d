"""The difference of two runs for a terminal: the short answer first, then why, then how much."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from orchestrator.cli.terminal import inert, instant, paint, table
from replay.forensics.diff.values import (
    Difference,
    End,
    FieldDifference,
    RunDiff,
    RunFacts,
    Segment,
    TaskFigures,
)

__all__ = ["CLASS_TEXTS", "HEAD", "end_text", "lines_of", "name_of", "pair_of", "row_of"]

#: What a class means, in a few words; one for each.
CLASS_TEXTS: Final = {
    "arguments": "the run was started with other arguments",
    "code": "the program is another one",
    "prompt": "the prompt changed",
    "tool schema": "the tools offered to the model changed",
    "model": "another model was asked",
    "answer": "the answer was another one",
    "order": "what one run did here, the other did elsewhere",
    "missing": "only A has it",
    "extra": "only B has it",
    "clock": "a clock was read differently",
    "randomness": "chance was read differently",
    "environment": "the surroundings were read differently",
    "file": "a file that was read had another content",
    "call": "a call had other arguments",
    "task": "a task was started with other arguments",
    "state": "the state changed differently",
    "output": "the output was another one",
    "outcome": "it ended differently",
    "other": "it is not the same",
}
_SHOWN: Final = 8
_FIELDS_SHOWN: Final = 6
_VALUE_MAX: Final = 300
_TASKS_SHOWN: Final = 12
_TASK_MAX: Final = 60
#: Names of the columns of a table of tasks.
HEAD: Final = ("Task", "Different", "Events", "Requests", "Input", "Output", "Seconds")
_FIGURES: Final = ("records", "requests", "input_tokens", "output_tokens")


def lines_of(found: RunDiff, *, every: bool = False) -> Iterator[str]:
    """Yield what a person reads first, and with ``every`` all there is.

    Args:
        found: the comparison.
        every: whether to list all differences, tasks and rules.
    """
    yield f"A  {_facts(found.a)}"
    yield f"B  {_facts(found.b)}"
    yield _verdict(found)
    if found.first is not None:
        yield from _first(found, found.first)
        yield from _others(found, every=every)
    if found.code:
        yield ""
        yield "the program's own source differs:"
        for field in found.code if every else found.code[:_SHOWN]:
            yield from _source(field)
    if found.set_up:
        yield ""
        yield "set up otherwise:"
        for field in found.set_up if every else found.set_up[:_SHOWN]:
            yield from _field(field)
    yield ""
    yield from _outputs(found)
    if found.first is not None or every:
        yield ""
        yield from _tasks(found, every=every)
    if every:
        yield ""
        yield "ignored:"
        for use in found.rules:
            count = "" if use.records is None else f"  ({use.records})"
            yield f"  {inert(use.rule)}{count}"
    elif found.ignored:
        yield f"ignored    {found.ignored}; --all lists the rules"


def _facts(run: RunFacts) -> str:
    reason = run.reason or "open: no seal"
    return f"{inert(run.run or '-')}  {reason}, {run.events} events, {instant(run.started_us)}"


def _verdict(found: RunDiff) -> str:
    if found.verdict == "same":
        moved = f", {found.moved} of them in another order" if found.moved else ""
        return f"{paint('same', 'green')}: {found.equal} things compared{moved}"
    if found.verdict == "not_judged":
        count = found.not_compared
        return f"{paint('not judged', 'yellow')}: {count} things are not here to be compared"
    more = f", {found.not_compared} not comparable" if found.not_compared else ""
    return (
        f"{paint('different', 'red')}: {found.changed} changed, {found.only_a} only in A,"
        f" {found.only_b} only in B; {found.equal} the same{more}"
    )


def _first(found: RunDiff, first: Difference) -> Iterator[str]:
    yield ""
    yield f"{paint('first divergence', 'bold')}: {first.cls} ({CLASS_TEXTS[first.cls]})"
    yield f"  {name_of(first)}"
    for field in first.fields[:_FIELDS_SHOWN]:
        yield from _field(field)
    left = len(first.fields) - _FIELDS_SHOWN + first.omitted_fields
    if left > 0:
        yield f"  {left} more fields differ"
    for side, place in (("A", first.place_a), ("B", first.place_b)):
        if place is not None:
            yield f"  in {side} at {inert(place, _VALUE_MAX)}"
    yield f"  {found.prefix} things before it are the same, in the same order"
    for cause in found.ignored_causes:
        near = pair_of(cause.nearest_a, cause.nearest_b)
        yield f"  ignored before it: {cause.count} by {inert(cause.rule)}, the last {near}"
    yield (
        f"  {found.reached_a} events of A and {found.reached_b} of B come after it by their causes"
    )
    for reached in found.reached[:_SHOWN]:
        yield f"    {inert(reached.task, 60)} {inert(reached.kind, 60)}: {reached.a} | {reached.b}"
    if len(found.reached) > _SHOWN:
        yield f"    and {len(found.reached) - _SHOWN} more kinds of them"


def _others(found: RunDiff, *, every: bool) -> Iterator[str]:
    others = [each for each in found.differences if each is not found.first]
    if not others:
        return
    yield ""
    yield f"differences that follow from it: {found.follows}; that do not: {found.independent}"
    # What does not follow is news; the rest is its consequence.
    shown = others if every else sorted(others, key=lambda each: each.follows_first)[:_SHOWN]
    for each in shown:
        mark = "follows" if each.follows_first else "root" if each.root else "other"
        yield f"  {mark:7}  {each.cls:11}  {name_of(each)}"
        if every:
            for field in each.fields:
                yield from (f"    {line}" for line in _field(field))
    left = len(others) - len(shown) + found.omitted
    if left:
        yield f"  and {left} more; --all lists them"


def _field(field: FieldDifference) -> Iterator[str]:
    yield f"  field {inert(field.path, _VALUE_MAX)}"
    if field.words:
        yield f"    {_words(field.words)}"
        return
    for side, value in (("A", field.a), ("B", field.b)):
        if value is not None:
            yield f"    {side} {inert(value, _VALUE_MAX)}"


def _source(field: FieldDifference) -> Iterator[str]:
    """Yield the lines of a source file that differ; of one that only one run has, its name."""
    side = "" if field.a is not None and field.b is not None else " (only in one run)"
    yield f"  {inert(field.path, _VALUE_MAX)}{side}"
    marks = {"a": ("-", "red"), "b": ("+", "green")}
    for segment in field.words:
        if segment.of in marks:
            mark, colour = marks[segment.of]
            for line in segment.text.splitlines():
                yield paint(f"    {mark} {inert(line, _VALUE_MAX)}", colour)


def _words(segments: Iterable[Segment]) -> str:
    """Return texts word by word, with ``[-A-]`` and ``{+B+}`` where they differ."""
    pieces: list[str] = []
    for segment in segments:
        text = inert(segment.text, _VALUE_MAX)
        if segment.of == "a":
            text = paint(f"[-{text}-]", "red")
        elif segment.of == "b":
            text = paint(f"{{+{text}+}}", "green")
        pieces.append(text)
    return "".join(pieces)


def _outputs(found: RunDiff) -> Iterator[str]:
    out = found.outputs
    one, other = end_text(out.end_a), end_text(out.end_b)
    yield f"ended      {inert(one)}" + ("" if one == other else f" | {inert(other)}")
    for stream in out.streams:
        yield f"{inert(stream.path, 20)} differs"
        yield from _field(stream)
    if out.streams_same:
        yield f"output     {out.streams_same} streams the same"
    for file in out.files[:_SHOWN]:
        sizes = f"{_size(file.size_a)} | {_size(file.size_b)}"
        yield f"file       {inert(file.path, _VALUE_MAX)}: {sizes}"
    if len(out.files) > _SHOWN:
        yield f"           and {len(out.files) - _SHOWN} more"
    if out.files_same:
        yield f"files      {out.files_same} the same"
    if out.files_not_compared:
        yield f"files      {out.files_not_compared} not compared: no content on record"


def _tasks(found: RunDiff, *, every: bool) -> Iterable[str]:
    shown = found.tasks if every else found.tasks[:_TASKS_SHOWN]
    rows = [row_of("(the run)", found.a.figures, found.b.figures, None)]
    for pair in shown:
        short = pair.task if len(pair.task) <= _TASK_MAX else "…" + pair.task[1 - _TASK_MAX :]
        rows.append(row_of(short, pair.a, pair.b, pair.differences))
    yield from table([name.upper() for name in HEAD], rows)
    left = len(found.tasks) - len(shown) + found.omitted_tasks
    if left:
        yield f"and {left} more tasks; --all lists them"
    yield "A | B where they differ; tokens as providers gave them; no price is in the record"


def row_of(
    task: str, a: TaskFigures | None, b: TaskFigures | None, differences: int | None
) -> Sequence[str]:
    """Return a task, or the whole run, side by side: cells under `HEAD`."""
    return (
        task,
        "" if differences is None else str(differences),
        *(_counted(a, b, name) for name in _FIGURES),
        f"{_seconds(a)} | {_seconds(b)}",
    )


def _counted(a: TaskFigures | None, b: TaskFigures | None, name: str) -> str:
    left, right = (
        "-" if side is None else "unknown" if (value := getattr(side, name)) is None else str(value)
        for side in (a, b)
    )
    return left if left == right else f"{left} | {right}"


def _seconds(figures: TaskFigures | None) -> str:
    return "-" if figures is None else f"{figures.duration_us / 1_000_000:.3f}"


def name_of(each: Difference) -> str:
    """Return what differs and where, inert."""
    index = f"{each.index}.{each.nth}" if each.nth else str(each.index)
    where = pair_of(each.seq_a, each.seq_b)
    return f"{inert(each.task, 80)}  {inert(each.kind, 80)} {index}  ({where})"


def pair_of(seq_a: int | None, seq_b: int | None) -> str:
    """Return positions in both runs."""
    found = [f"{side} event {seq}" for side, seq in (("A", seq_a), ("B", seq_b)) if seq is not None]
    return ", ".join(found)


def end_text(end: End) -> str:
    """Return how a run ended."""
    if end.failure is not None:
        return f"raised {end.failure}"
    if end.exit_code is not None:
        return f"exit code {end.exit_code}"
    if end.value not in {None, "null"}:
        return f"returned {end.value}"
    return end.reason or "open: no seal"


def _size(size: int | None) -> str:
    return "not written" if size is None else f"{size} bytes"
