"""What two runs did, spent and left behind, side by side.

The one invariant: nothing here is a difference by itself; differences are the records'.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from replay.forensics.diff.fields import different_fields, different_text, shortened
from replay.forensics.diff.totals import Stream
from replay.forensics.diff.values import (
    End,
    FieldDifference,
    FileDifference,
    Outputs,
    RunFacts,
    TaskFigures,
    TaskPair,
)

if TYPE_CHECKING:
    from replay.events.kind_base import Failure
    from replay.forensics.diff.index import RunIndex
    from replay.forensics.diff.totals import TaskTotals

__all__ = ["TASKS_MAX", "code_of", "facts_of", "outputs_of", "set_up_of", "tasks_of"]

TASKS_MAX: Final = 1_000
_FILES_LISTED: Final = 1_000
_SOURCES_LISTED: Final = 100
_FAILURE_MAX: Final = 400
#: What is another number in every process.
_ALWAYS_OTHERS: Final = frozenset({"process.pid", "process.node", "process.clock_info"})


def facts_of(run: RunIndex) -> RunFacts:
    """Return what a run was, as a whole."""
    totals = run.totals
    tasks = totals.tasks.values()
    unknown = any(task.unknown for task in tasks)
    return RunFacts(
        run=None if totals.started is None else totals.started.run,
        events=run.size,
        reason=totals.reason,
        started_us=totals.first_us,
        figures=TaskFigures(
            records=run.size,
            requests=sum(task.requests for task in tasks),
            input_tokens=None if unknown else sum(task.input_tokens for task in tasks),
            output_tokens=None if unknown else sum(task.output_tokens for task in tasks),
            duration_us=totals.last_us - totals.first_us,
        ),
    )


def tasks_of(
    a: RunIndex, b: RunIndex, differences: Counter[int]
) -> tuple[tuple[TaskPair, ...], int]:
    """Return the tasks of both runs side by side, and how many more there are."""
    pairs = [
        TaskPair(
            task=a.names.path_text(path),
            a=_figures(a.totals.tasks.get(path)),
            b=_figures(b.totals.tasks.get(path)),
            differences=differences[path],
        )
        for path in dict.fromkeys([*a.totals.tasks, *b.totals.tasks])
    ]
    pairs.sort(key=lambda pair: (not pair.differences, pair.task))
    return tuple(pairs[:TASKS_MAX]), max(0, len(pairs) - TASKS_MAX)


def _figures(totals: TaskTotals | None) -> TaskFigures | None:
    if totals is None:
        return None
    return TaskFigures(
        records=totals.records,
        requests=totals.requests,
        input_tokens=None if totals.unknown else totals.input_tokens,
        output_tokens=None if totals.unknown else totals.output_tokens,
        duration_us=totals.last_us - totals.first_us,
    )


def code_of(a: RunIndex, b: RunIndex) -> tuple[FieldDifference, ...]:
    """Return the source files of the program that differ, line by line."""
    one, other = a.totals.sources, b.totals.sources
    if not one or not other:
        return ()  # a run that was killed has none: nothing is known
    paths = [path for path in sorted({*one, *other}) if one.get(path) != other.get(path)]
    return tuple(
        different_text(path, one.get(path), other.get(path), lines=True)
        for path in paths[:_SOURCES_LISTED]
    )


def set_up_of(a: RunIndex, b: RunIndex) -> tuple[FieldDifference, ...]:
    """Return what differs in how two runs were set up."""
    fields, _ = different_fields(_set_up(a), _set_up(b))
    return fields


def _set_up(run: RunIndex) -> tuple[object, object] | None:
    started = run.totals.started
    if started is None:
        return None
    return {
        "versions": dict(started.versions),
        "distributions": run.totals.distributions,
        "dialects": dict(started.dialects),
        "adapters": dict(started.adapters),
        "setting": {k: v for k, v in started.setting.items() if k not in _ALWAYS_OTHERS},
        "flags": started.flags,
        "directory": started.directory,
        "hash_seed": started.hash_seed,
    }, None


def outputs_of(a: RunIndex, b: RunIndex) -> Outputs:
    """Return what came out of two runs, as far as it is not the same."""
    streams: list[FieldDifference] = []
    same = 0
    for name in sorted({*a.totals.streams, *b.totals.streams}):
        one, other = a.totals.streams.get(name), b.totals.streams.get(name)
        if one is not None and other is not None and one.same_as(other):
            same += 1
        else:
            streams.append(different_text(name, _text(one), _text(other)))
    files, files_same, not_compared = _files(a, b)
    return Outputs(
        end_a=_end(a),
        end_b=_end(b),
        streams=tuple(streams),
        streams_same=same,
        files=files,
        files_same=files_same,
        files_not_compared=not_compared,
    )


def _text(stream: Stream | None) -> str | None:
    return None if stream is None else bytes(stream.text).decode("utf-8", "backslashreplace")


def _files(a: RunIndex, b: RunIndex) -> tuple[tuple[FileDifference, ...], int, int]:
    found: list[FileDifference] = []
    same, unknown = 0, a.totals.omitted_files + b.totals.omitted_files
    for path in sorted({*a.totals.files, *b.totals.files}):
        one, other = a.totals.files.get(path), b.totals.files.get(path)
        if one is not None and other is not None and one.size == other.size:
            if one.content == other.content and one.content is not None:
                same += 1
                continue
            if one.content is None or other.content is None:
                unknown += 1
                continue
        found.append(
            FileDifference(
                path=path,
                seq_a=None if one is None else one.seq,
                seq_b=None if other is None else other.seq,
                size_a=None if one is None else one.size,
                size_b=None if other is None else other.size,
            )
        )
    unknown += max(0, len(found) - _FILES_LISTED)
    return tuple(found[:_FILES_LISTED]), same, unknown


def _end(run: RunIndex) -> End:
    ended = run.totals.ended
    if ended is None:
        return End(reason=run.totals.reason)
    value = bytes(ended.value).decode("utf-8", "backslashreplace")
    return End(
        reason=run.totals.reason,
        value=shortened(value, None),
        failure=_failure(ended.failure),
        exit_code=ended.exit_code,
    )


def _failure(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    arguments = bytes(failure.arguments).decode("utf-8", "backslashreplace")
    return f"{failure.type} {arguments}"[:_FAILURE_MAX]
