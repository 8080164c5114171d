"""Event loops that a program makes: on an owned thread they are loops of its run."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from asyncio.events import BaseDefaultEventLoopPolicy
from asyncio.selector_events import BaseSelectorEventLoop
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, cast

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.errors import UsageError
from replay.scheduler.loop import DeterministicLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LoopDoor", "no_current_loop"]


class LoopDoor(CountedDoor):
    """``asyncio.run``, ``Runner``, ``anyio.run`` and ``new_event_loop`` give the run's loop."""

    def __init__(self) -> None:
        super().__init__()
        # Made at the first use.
        self._running: ModuleFunctionExchange | None = None

    def put(self) -> None:
        """Wrap both ``new_event_loop``, by which all make their loop, and refuse real loops."""
        self._real = real = asyncio.new_event_loop

        def new_event_loop() -> asyncio.AbstractEventLoop:
            context = current()
            return real() if context is None else context.new_loop()

        asyncio.new_event_loop = asyncio.events.new_event_loop = new_event_loop
        # `get_event_loop` where none is running asks the policy directly.
        self._policy_real = policy_real = BaseDefaultEventLoopPolicy.new_event_loop

        def of_policy(policy: BaseDefaultEventLoopPolicy) -> asyncio.AbstractEventLoop:
            context = current()
            return policy_real(policy) if context is None else context.new_loop()

        setattr(BaseDefaultEventLoopPolicy, "new_event_loop", of_policy)  # noqa: B010
        self._init = real_init = BaseSelectorEventLoop.__init__

        @functools.wraps(real_init)
        def __init__(loop: BaseSelectorEventLoop, *args: Any, **options: Any) -> None:  # noqa: N807
            if current() is not None:
                vars(loop)["_closed"] = True  # what its finalizer looks at
                raise _outside(loop)
            real_init(loop, *args, **options)

        setattr(BaseSelectorEventLoop, "__init__", __init__)  # noqa: B010 - mypy knows better
        # What every event loop calls when it begins to run, those in C too (uvloop).
        if self._running is None:
            function = cast("BuiltinFunctionType", asyncio.events._set_running_loop)
            self._running = ModuleFunctionExchange(function)
        set_running = self._running.real

        def set_running_loop(loop: object, /) -> None:
            if not isinstance(loop, DeterministicLoop | None) and current() is not None:
                raise _outside(loop)
            set_running(loop)

        self._running.put(set_running_loop)

    def take_back(self) -> None:
        """Give all back."""
        if self._running is not None:
            self._running.take_back()
        setattr(BaseSelectorEventLoop, "__init__", self._init)  # noqa: B010
        setattr(BaseDefaultEventLoopPolicy, "new_event_loop", self._policy_real)  # noqa: B010
        asyncio.new_event_loop = asyncio.events.new_event_loop = self._real


def _outside(loop: object) -> UsageError:
    kind = type(loop)
    return UsageError(
        f"{kind.__module__}.{kind.__qualname__} would run outside the schedule",
        hint="let asyncio.run or asyncio.new_event_loop make the loop",
    )


@contextlib.contextmanager
def no_current_loop() -> Iterator[None]:
    """Let the calling thread have no current event loop, as at the start of a process.

    A loop of the run would be the thread's current one after the run, or in the next.
    """
    local = getattr(asyncio.get_event_loop_policy(), "_local", None)
    if local is None:  # a policy of somebody's own
        yield
        return
    before = local._loop, local._set_called
    local._loop, local._set_called = None, False
    try:
        yield
    finally:
        local._loop, local._set_called = before
