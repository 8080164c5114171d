"""What the comparison of two runs came to, as values: the shape of ``ritornello/diff/1``.

The one invariant: exchanging the runs exchanges ``a`` and ``b``, and nothing else.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "Difference",
    "DifferenceClass",
    "End",
    "FieldDifference",
    "FileDifference",
    "IgnoredCause",
    "Outputs",
    "Reached",
    "RuleUse",
    "RunDiff",
    "RunFacts",
    "Segment",
    "TaskFigures",
    "TaskPair",
]

#: What kind of change a difference is. ``arguments``: the run was started otherwise. ``code``: the
#: program is another one. ``prompt``, ``tool schema``, ``model``: what is asked of a model, which
#: tools it has, which model with which settings. ``answer``: what came back. ``order``: what one
#: run did at one place, the other did at another. ``missing``, ``extra``: only the first, only the
#: second run has it. ``clock``, ``randomness``, ``environment``, ``file``: what was read. ``call``:
#: the arguments of an effect, request or process. ``task``: what a task was started with.
#: ``state``, ``output``, ``outcome``: what came of it.
DifferenceClass = Literal[
    "arguments",
    "code",
    "prompt",
    "tool schema",
    "model",
    "answer",
    "order",
    "missing",
    "extra",
    "clock",
    "randomness",
    "environment",
    "file",
    "call",
    "task",
    "state",
    "output",
    "outcome",
    "other",
]


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A run of words of two texts: in both, only in the first, only in the second."""

    of: Literal["both", "a", "b"]
    text: str


class FieldDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One field that differs.

    Attributes:
        path: where it is, in the head or below ``body``.
        a, b: both values, as text or JSON, shortened around their first difference; None where
            there is none.
        words: word by word, where both are longer texts.
    """

    path: str
    a: str | None
    b: str | None
    words: tuple[Segment, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not the same in two runs.

    Attributes:
        task: spawn path of the task.
        kind: what it is; of a reading with its source.
        index: its index among those of its kind and task; of an answer, that of its question.
        sort: whether both runs have it.
        cls: what kind of change.
        seq_a, seq_b: the records.
        root: whether nothing that caused it differs.
        follows_first: whether the first divergence is among its causes.
        fields: what differs in it, at most 20; empty where nobody looked.
        omitted_fields: fields beyond that number.
        place_a, place_b: lines of the program, where known.
    """

    task: str
    kind: str
    index: int
    nth: int = 0
    sort: Literal["changed", "only_a", "only_b"]
    cls: DifferenceClass = msgspec.field(name="class")
    seq_a: int | None
    seq_b: int | None
    root: bool
    follows_first: bool
    fields: tuple[FieldDifference, ...] = ()
    omitted_fields: int = 0
    place_a: str | None = None
    place_b: str | None = None


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one task and kind that the first divergence is among the causes of."""

    task: str
    kind: str
    a: int
    b: int


class IgnoredCause(msgspec.Struct, frozen=True, kw_only=True):
    """Differences that a rule ignores and that are among the causes of the first divergence.

    Attributes:
        rule: the rule.
        count: how many.
        nearest_a, nearest_b: the last of them.
    """

    rule: str
    count: int
    nearest_a: int | None
    nearest_b: int | None


class RuleUse(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, and how many differing records it kept out; of a rule about fields, None."""

    rule: str
    default: bool
    records: int | None


class TaskFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a task, or a whole run, did.

    Attributes:
        records: records.
        requests: requests, effects and processes that it started.
        input_tokens, output_tokens: what providers said, None if any of them said nothing.
        duration_us: claimed time from its first record to its last.
    """

    records: int
    requests: int
    input_tokens: int | None
    output_tokens: int | None
    duration_us: int


class TaskPair(msgspec.Struct, frozen=True, kw_only=True):
    """One task in two runs; None where a run does not have it."""

    task: str
    a: TaskFigures | None
    b: TaskFigures | None
    differences: int = 0


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two runs.

    Attributes:
        run: its id, None if that was erased.
        events: records.
        reason: how it was sealed; None for one that is open, or was killed.
        started_us: claimed time of its first record.
        figures: what it did as a whole.
        cost_usd: what it cost; None, as no price is in the record.
    """

    run: str | None
    events: int
    reason: str | None
    started_us: int
    figures: TaskFigures
    cost_usd: float | None = None


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended: its value as JSON, what it raised, its exit code."""

    reason: str | None
    value: str | None = None
    failure: str | None = None
    exit_code: int | None = None


class FileDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A written file that is not the same; None where a run did not write it."""

    path: str
    seq_a: int | None
    seq_b: int | None
    size_a: int | None
    size_b: int | None


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """What came out of two runs.

    Attributes:
        end_a, end_b: how they ended.
        streams: output streams that differ, word by word around the first difference.
        streams_same: how many are the same.
        files: written files that differ; at most 1,000.
        files_same: how many are the same.
        files_not_compared: too large for a record, or beyond the limit.
    """

    end_a: End
    end_b: End
    streams: tuple[FieldDifference, ...] = ()
    streams_same: int = 0
    files: tuple[FileDifference, ...] = ()
    files_same: int = 0
    files_not_compared: int = 0


class RunDiff(msgspec.Struct, frozen=True, kw_only=True):
    """How two runs differ.

    Attributes:
        verdict: ``same``; ``different``; ``not_judged`` if nothing differs in what can be compared
            and some of it is not here.
        a, b: the runs.
        prefix: records at the beginning that are the same in both, position by position.
        equal: things that both did, the same way.
        changed, only_a, only_b: things that differ, by sort.
        not_compared: things of which a part is erased, withheld or missing.
        ignored: things that differ and that a rule ignores.
        moved: equal and changed things that came in another order; that is no difference.
        first: the first divergence by causes.
        differences: all differences with an open eye for the first ones, in order of position.
        omitted: differences beyond the limit.
        reached_a, reached_b: records that the first divergence is among the causes of.
        reached: the same by task and kind.
        follows: differences that follow from the first.
        independent: differences that do not.
        ignored_causes: ignored differences among the causes of the first.
        code: source files of the program that differ, line by line; no difference by itself.
        set_up: what differs in how the runs were set up; no difference by itself.
        tasks: task by task; those with differences first, at most 1,000.
        omitted_tasks: tasks beyond that number.
        outputs: what came out.
        rules: what was ignored.
    """

    verdict: Literal["same", "different", "not_judged"]
    a: RunFacts
    b: RunFacts
    prefix: int
    equal: int
    changed: int
    only_a: int
    only_b: int
    not_compared: int
    ignored: int
    moved: int
    first: Difference | None
    differences: tuple[Difference, ...]
    omitted: int
    reached_a: int
    reached_b: int
    reached: tuple[Reached, ...]
    follows: int
    independent: int
    ignored_causes: tuple[IgnoredCause, ...]
    code: tuple[FieldDifference, ...]
    set_up: tuple[FieldDifference, ...]
    tasks: tuple[TaskPair, ...]
    omitted_tasks: int
    outputs: Outputs
    rules: tuple[RuleUse, ...]
