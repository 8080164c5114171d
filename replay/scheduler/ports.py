"""What the scheduler needs of a run, stated as protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from replay.scheduler.actor import Actor

__all__ = ["FAR", "Halted", "Inputs", "Ledger", "Nudged", "Stalled", "Terminated"]

#: A loop time that never comes, in microseconds.
FAR = 2**62


class Halted(BaseException):
    """The run was stopped by its scheduler: a divergence, a failure of the log, an end.

    It descends from BaseException so that no handler of the program can take it for its own, and
    even if one does, the scheduler has stopped: the verdict was fixed when this was raised.
    """


class Stalled(Exception):
    """No participant can run, no timer is set and no input can ever come."""


class Terminated(SystemExit):
    """A signal ended the program, which does not handle it.

    Args:
        number: of the signal; the process ends with 128 more, as shells count.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class Nudged(Exception):
    """A live wait was broken off: somebody became ready from outside the schedule, by a signal."""


class Inputs(Protocol):
    """Where delivered inputs come from. All times are microseconds of the claimed clock."""

    def peek(self, due: int | None) -> int | None:
        """Return when the next input enters, or None if the timer due next fires first.

        Called when no participant can run. A live source waits, at most until ``due``.

        Args:
            due: deadline of the earliest timer, None if there is none.

        Raises:
            Stalled: neither an input nor a timer can ever come.
            Nudged: a waiting participant became ready meanwhile.
        """
        ...

    def nudge(self) -> None:
        """Break off a wait. Called from a signal handler of the program."""
        ...

    def enter(self, time: int, callbacks: int | None) -> None:
        """Deliver the input seen by the last ``peek``, at ``time``, to whoever asked for it.

        Args:
            time: microseconds of the claimed clock.
            callbacks: how many callbacks ran since the last delivery, when the program did not
                idle; None at idle.
        """
        ...

    def busy(self, ran: int, due: int | None) -> int | None:
        """Look for an input for a program that does not idle, without waiting.

        Args:
            ran: callbacks run since the last delivery.
            due: deadline of the earliest timer.

        Returns:
            When an input enters now, or None to let the program go on.
        """
        ...

    def busy_limit(self, ran: int) -> int:
        """Return the number of callbacks since the last delivery at which to call ``busy``."""
        ...


class Ledger(Protocol):
    """Who is told of tasks and threads, in schedule order."""

    def spawned(self, child: Actor, coroutine: object, name: Callable[[], str | None]) -> None:
        """A task was created. ``name`` gives the name the program chose, as known by then."""
        ...

    def settle(self) -> None:
        """Record spawns that were announced and not yet recorded."""
        ...

    def ended(self, actor: Actor, error: BaseException | None) -> None:
        """A task or thread finished, with the exception it ended with."""
        ...

    def thread_started(self, child: Actor, label: str) -> None:
        """A worker thread joined the schedule."""
        ...
