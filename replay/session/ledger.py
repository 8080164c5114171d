"""The ledger: spawns and ends of tasks and threads, as records.

A spawn is recorded when the creator's turn is over or another record comes, whichever is first: on
some Python versions the name a program gives a task arrives after the task was made.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias

from replay.doors.effects import plain_json
from replay.events.digest import derive
from replay.events.kinds import TaskEnded, TaskSpawned, ThreadStarted
from replay.recording.place import place

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from replay.events.header import Outcome
    from replay.recording.recorder import Recorder
    from replay.scheduler.actor import Actor

__all__ = ["SEED_BYTES", "TaskLedger"]

SEED_BYTES: Final = 16


_Announced: TypeAlias = "tuple[Actor, Callable[[], str | None], str, msgspec.Raw, str | None]"


class TaskLedger:
    """Records tasks and threads, labels them among their siblings, and derives their seeds.

    Args:
        recorder: the recorder of the run.
        seed: the run's seed; a task's is derived from its parent's, its label and its ordinal.
    """

    def __init__(self, recorder: Recorder, seed: bytes) -> None:
        self._recorder = recorder
        self._seed = seed
        self._announced: list[_Announced] = []
        recorder.settle = self.settle
        recorder.announced = lambda: len(self._announced)

    def spawned(self, child: Actor, coroutine: object, name: Callable[[], str | None]) -> None:
        """Announce a task; arguments are taken now, before anything can change them."""
        label = getattr(coroutine, "__qualname__", None) or type(coroutine).__qualname__
        self._announced.append((child, name, label, _arguments(coroutine), place()))

    def settle(self) -> None:
        """Record the tasks announced so far."""
        recorder = self._recorder
        recorder.scheduler.unsettled = False
        announced, self._announced = self._announced, []
        for child, name, qualified, arguments, where in announced:
            parent = child.parent
            assert parent is not None
            self._label(parent, child, name() or qualified)
            seq = recorder.derive(
                TaskSpawned(
                    label=child.label,
                    ordinal=child.ordinal,
                    arguments=arguments,
                    seed=child.seed.hex(),
                ),
                actor=parent,
                where=where,
            )
            child.number = seq
            child.learn(parent, seq, parent.lamport)

    def ended(self, actor: Actor, error: BaseException | None) -> None:
        """Record the end of a task."""
        outcome: Outcome = "ok"
        if isinstance(error, asyncio.CancelledError):
            outcome = "cancelled"
        elif error is not None:
            outcome = "error"
        name = None if error is None else f"{type(error).__module__}:{type(error).__qualname__}"
        self._recorder.derive(TaskEnded(error=name), actor=actor, outcome=outcome)
        actor.ended = True
        actor.coroutine = None

    def thread_started(self, child: Actor, label: str) -> None:
        """Record that a worker thread joined the schedule."""
        parent = child.parent
        assert parent is not None
        self._label(parent, child, label)
        seq = self._recorder.derive(
            ThreadStarted(label=label, ordinal=child.ordinal, participant=child.participant),
            actor=parent,
        )
        child.number = seq
        child.learn(parent, seq, parent.lamport)

    def _shown(self, text: str) -> str:
        """Return text of the program's as a record may hold it: no secrets, no half characters."""
        data = text.encode("utf-8", "backslashreplace")
        return self._recorder.scrubber.scrub(data).decode("utf-8", "replace")

    def _label(self, parent: Actor, child: Actor, label: str) -> None:
        # As the record shows it: the seed derives from it, in a replay from nothing else.
        child.label = label = self._shown(label)
        child.ordinal = parent.children.get(label, 0)
        parent.children[label] = child.ordinal + 1
        child.seed = derive(
            "ritornello task seed v1",
            parent.seed or self._seed,
            label.encode(),
            child.ordinal.to_bytes(8, "little"),
        )[:SEED_BYTES]


def _arguments(coroutine: object) -> msgspec.Raw:
    """Return the arguments of a coroutine that has not started, as JSON by name."""
    frame = getattr(coroutine, "cr_frame", None)
    if frame is None:
        return plain_json({})
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04)
    count += bool(code.co_flags & 0x08)
    values = frame.f_locals
    return plain_json({n: values[n] for n in code.co_varnames[:count] if n in values})
