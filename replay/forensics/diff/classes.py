"""What kind of change a difference between two runs is.

The one invariant: the class follows from what was recorded, and exchanging the runs exchanges
``missing`` and ``extra`` and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from replay.forensics.classes import GENERIC_ROLES, role_of_field

if TYPE_CHECKING:
    from replay.forensics.diff.index import RunIndex
    from replay.forensics.diff.names import Identity
    from replay.forensics.diff.values import DifferenceClass, FieldDifference

__all__ = ["Elsewhere", "class_of", "elsewhere"]

#: How a content is found again nearby: ``order`` in both directions.
Elsewhere = Literal["order", "missing", "extra"]

_WINDOW: Final = 32
_CLASSES: Final[dict[str, DifferenceClass]] = {
    "RunStarted": "arguments",
    "RunEnded": "outcome",
    "CodeLoaded": "code",
    "RunSealed": "outcome",
    "TaskSpawned": "task",
    "TaskEnded": "outcome",
    "ThreadStarted": "task",
    "EffectStarted": "call",
    "EffectReturned": "answer",
    "EffectCancelled": "outcome",
    "RequestSent": "call",
    "ResponseStarted": "answer",
    "ChunksReceived": "answer",
    "ResponseEnded": "answer",
    "PromptSent": "prompt",
    "ToolReturned": "prompt",
    "RequestRetried": "call",
    "ResponseReceived": "answer",
    "ToolCalled": "answer",
    "ProcessStarted": "call",
    "ProcessSpawned": "answer",
    "ProcessFed": "call",
    "ProcessSignalled": "call",
    "ProcessWrote": "answer",
    "ProcessEnded": "answer",
    "OutputWritten": "output",
    "FileRead": "file",
    "FileWritten": "output",
    "StateChanged": "state",
    "ClockAdvanced": "clock",
}
_CLOCKS: Final = frozenset(
    (
        *("time_ns", "monotonic_ns", "perf_counter_ns", "process_time_ns", "thread_time_ns"),
        *("times", "getrusage"),
    )
)
_CHANCE: Final = frozenset({"urandom", "uuid1", "process.node"})
_CONTENT: Final = {"RequestSent": "body.", "EffectStarted": "arguments.", "PromptSent": ""}


def class_of(
    kind: str, sort: str, fields: Sequence[FieldDifference], found: Elsewhere | None
) -> DifferenceClass:
    """Return the class of a difference.

    Args:
        kind: kind of the record, of a reading with its source.
        sort: ``changed``, ``only_a`` or ``only_b``.
        fields: what differs in it.
        found: whether its content stands elsewhere in the other run.
    """
    name, _, source = kind.partition(" ")
    if sort == "only_a":
        return "missing"
    if sort == "only_b":
        return "extra"
    if name == "ReadingsTaken":
        source = source.partition(" ")[0]
        return (
            "clock" if source in _CLOCKS else "randomness" if source in _CHANCE else "environment"
        )
    if found is not None:
        return found
    return _asked(name, fields) or _CLASSES.get(name, "other")


def _asked(kind: str, fields: Sequence[FieldDifference]) -> DifferenceClass | None:
    """Return the class of a question by where it differs; what was said wins over to whom."""
    if kind not in _CONTENT:
        return None
    top = _CONTENT[kind]
    paths = [field.path.removeprefix(top) for field in fields if field.path.startswith(top)]
    found = [role_of_field(path, GENERIC_ROLES) for path in paths]
    if "prompt" in found:
        return "prompt"
    if "tool schema" in found:
        return "tool schema"
    return "model" if "model" in found else None


def elsewhere(a: RunIndex, b: RunIndex, key: Identity) -> Elsewhere | None:
    """Return whether what two runs did at one place stands near it in the other run.

    Looked at are the things of the same kind before and after it in its task, and the same thing of
    tasks that differ from its own in the ordinal only.
    """
    one, other = a.digest(a.by_key[key]), b.digest(b.by_key[key])
    ahead_b, beside_b = _found(one, b, key)
    ahead_a, beside_a = _found(other, a, key)
    if (beside_a and beside_b) or (ahead_a and ahead_b):
        return "order"
    if ahead_b:
        return "extra"
    if ahead_a:
        return "missing"
    return None


def _found(digest: bytes, run: RunIndex, key: Identity) -> tuple[bool, bool]:
    """Return whether a content comes later in the task, or in a sibling."""
    names = run.names
    path, kind, index, nth = names.parts(key)
    ahead = beside = False
    for distance in range(1, _WINDOW + 1):
        ahead = ahead or _is(digest, run, names.key(path, kind, index + distance, nth))
        for step in (distance, -distance):
            sibling = names.sibling(path, step)
            if sibling is not None:
                beside = beside or _is(digest, run, names.key(sibling, kind, index, nth))
    return ahead, beside


def _is(digest: bytes, run: RunIndex, key: Identity) -> bool:
    item = run.by_key.get(key)
    return item is not None and run.digest(item) == digest
