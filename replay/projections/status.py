"""How far a run and each of its tasks had come, and what they were waiting for.

The one invariant: waiting means that something outside was asked and has not answered. A task that
waits for another task is running as far as the log can tell: no record says that it waits. Once the
run has ended, nothing of it runs or waits: what has no end of its own was stopped with it.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from replay.events.header import Header, Outcome
from replay.events.kinds import (
    EffectCancelled,
    EffectReturned,
    EffectStarted,
    Payload,
    RequestSent,
    ResponseEnded,
    RunEnded,
    RunSealed,
    RunStarted,
    TaskEnded,
    TaskSpawned,
    ThreadStarted,
)
from replay.projections import fold

__all__ = ["OpenEffect", "Progress", "RunStatus", "Status", "TaskStatus"]

#: ``stopped``: the run ended before it did, as idle workers, daemons and abandoned tasks are.
Progress = Literal["pending", "running", "waiting", "completed", "failed", "cancelled", "stopped"]

_AFTER: Final[dict[Outcome, Progress]] = {
    "ok": "completed",
    "error": "failed",
    "timeout": "failed",
    "cancelled": "cancelled",
}
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})


class OpenEffect(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was asked of the outside and has not answered.

    Attributes:
        seq: the record that asked.
        task: the task that asked.
        name: the effect's name, or method and path of the request.
    """

    seq: int
    task: int
    name: str


class TaskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One task or thread.

    Attributes:
        task: seq of the record that spawned it; 0 is the main thread.
        label: its label among its siblings; ``main`` for the main thread.
        ordinal: its position among the siblings of that label.
        parent: the task that spawned it; None for the main thread.
        progress: how far it had come.
        records: its records so far.
    """

    task: int
    label: str
    ordinal: int
    parent: int | None
    progress: Progress
    records: int = 0


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of a run after some of its records.

    Attributes:
        run: the run's id; None before the first record.
        progress: of the run as a whole. It waits while any of its effects is open.
        tasks: in the order in which they were spawned, the main thread first.
        open_effects: in the order in which they were asked for.
        sealed: whether the run was sealed.
    """

    run: str | None = None
    progress: Progress = "pending"
    tasks: tuple[TaskStatus, ...] = ()
    open_effects: tuple[OpenEffect, ...] = ()
    sealed: bool = False


class Status:
    """The projection; see :class:`RunStatus`."""

    def initial(self) -> RunStatus:
        """Return the state before the first record."""
        return RunStatus()

    def builder(self, state: RunStatus) -> _Builder:
        """Return a builder that goes on from a state."""
        return _Builder(state)

    def apply(self, state: RunStatus, header: Header, payload: Payload) -> RunStatus:
        """Return the state after one more record."""
        return fold.apply(self, state, header, payload)


class _Builder:
    def __init__(self, state: RunStatus) -> None:
        self._run = state.run
        self._sealed = state.sealed
        # An ended run stays ended; otherwise whether it waits follows from the open effects.
        self._ended: Progress | None = state.progress if state.progress in _ENDED else None
        self._tasks = {task.task: task for task in state.tasks}
        self._open = {effect.seq: effect for effect in state.open_effects}

    def add(self, header: Header, payload: Payload) -> None:
        seq, task = header.seq, header.task
        if isinstance(payload, RunStarted):
            self._run = payload.run
            self._spawn(0, "main", 0, None)
        self._touch(task)
        if isinstance(payload, TaskSpawned | ThreadStarted):
            self._spawn(seq, payload.label, payload.ordinal, task)
        elif isinstance(payload, EffectStarted):
            self._open[seq] = OpenEffect(seq=seq, task=task, name=payload.name)
        elif isinstance(payload, RequestSent):
            name = f"{payload.method} {payload.path}"
            self._open[seq] = OpenEffect(seq=seq, task=task, name=name)
        elif isinstance(payload, EffectReturned | ResponseEnded):
            if header.answers is not None:
                self._open.pop(header.answers, None)
        elif isinstance(payload, EffectCancelled):
            self._open.pop(payload.effect, None)
        elif isinstance(payload, TaskEnded):
            self._end(task, _AFTER[header.outcome])
        elif isinstance(payload, RunEnded):
            self._ended = _AFTER[header.outcome]
            self._end(0, self._ended)
        elif isinstance(payload, RunSealed):
            self._ended, self._sealed = payload.reason, True

    def state(self) -> RunStatus:
        waiting = {effect.task for effect in self._open.values()}
        tasks = tuple(
            task
            if (seen := self._seen(task, waiting)) == task.progress
            else msgspec.structs.replace(task, progress=seen)
            for task in self._tasks.values()
        )
        progress: Progress = "pending"
        if self._ended is not None:
            progress = self._ended
        elif self._tasks:
            progress = "waiting" if self._open else "running"
        return RunStatus(
            run=self._run,
            progress=progress,
            tasks=tasks,
            open_effects=tuple(self._open.values()),
            sealed=self._sealed,
        )

    def _seen(self, task: TaskStatus, waiting: set[int]) -> Progress:
        """Return how far a task had come, with what its own records do not say."""
        if task.progress in _ENDED:
            return task.progress
        if self._ended is not None:
            return "stopped"
        return "waiting" if task.task in waiting and task.progress == "running" else task.progress

    def _spawn(self, task: int, label: str, ordinal: int, parent: int | None) -> None:
        self._tasks[task] = TaskStatus(
            task=task, label=label, ordinal=ordinal, parent=parent, progress="pending"
        )

    def _touch(self, task: int) -> None:
        """Count a record of a task; its first one sets it going."""
        status = self._tasks.get(task)
        if status is not None:
            progress = status.progress if status.progress in _ENDED else "running"
            self._tasks[task] = msgspec.structs.replace(
                status, progress=progress, records=status.records + 1
            )

    def _end(self, task: int, progress: Progress) -> None:
        status = self._tasks.get(task)
        if status is not None:
            self._tasks[task] = msgspec.structs.replace(status, progress=progress)
