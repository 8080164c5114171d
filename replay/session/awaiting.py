"""The awaited form: a run on a thread of its own, awaited by a task of a running event loop.

Outside of any loop a call runs in place and returns what came of it. In a running loop the same
call returns a coroutine. The return type is that of the outcome in both cases, and an outcome can
be awaited too (it is there at once), so that both forms are correct for a type checker.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, NoReturn, TypeVar, cast

from replay.doors.context import bound
from replay.errors import UsageError
from replay.own_locks import OwnLock

__all__ = ["Cancellation", "in_place_or_awaited"]

R = TypeVar("R")

#: How long a cancelled task waits for the end of the run that it awaited.
CANCEL_WAIT_S: Final = 10.0

# The program's own threading is answered by the run; the engine starts threads with these.
_Thread: Final = threading.Thread
_start: Final = threading.Thread.start


class Cancellation:
    """Lets the task that awaits a run ask for its end, from another thread."""

    def __init__(self) -> None:
        self._lock = OwnLock()
        self._act: Callable[[], None] | None = None
        self._asked = False

    def ask(self) -> None:
        """Ask once; further calls change nothing."""
        with self._lock:
            act = None if self._asked else self._act
            self._asked = True
        if act is not None:
            act()

    def listen(self, act: Callable[[], None]) -> None:
        """Say what is to be done when somebody asks; at once, if somebody has."""
        with self._lock:
            self._act = act
            asked = self._asked
        if asked:
            act()


def in_place_or_awaited(name: str, work: Callable[[Cancellation], R]) -> R:
    """Run something that records or replays: here, or awaited on a thread of its own.

    Args:
        name: what the caller called, for messages.
        work: does it, on the thread on which it is called.

    Returns:
        What the work returned; in a running event loop a coroutine that gives it.

    Raises:
        UsageError: the caller is itself part of a run.
    """
    if bound() is not None or asyncio._get_running_loop() is None:
        return work(Cancellation())
    return cast("R", _UnderWay(name, _on_own_thread(work)))


class _UnderWay(Coroutine[Any, Any, R]):
    """A coroutine that says what to do to whoever takes it for its outcome."""

    def __init__(self, name: str, coroutine: Coroutine[Any, Any, R]) -> None:
        self._name = name
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, None, R]:
        return self._coroutine.__await__()

    def send(self, value: Any, /) -> Any:
        return self._coroutine.send(value)

    def throw(self, *details: Any) -> Any:
        return self._coroutine.throw(*details)

    def close(self) -> None:
        self._coroutine.close()

    def __getattr__(self, attribute: str) -> NoReturn:
        if attribute.startswith(("__", "cr_")):
            raise AttributeError(attribute)
        raise UsageError(
            f"in a running event loop {self._name} has to be awaited",
            hint=f"await {self._name}(…)",
        )


async def _on_own_thread(work: Callable[[Cancellation], R]) -> R:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[R] = loop.create_future()
    cancellation = Cancellation()

    # Nobody may be there to look, and asyncio would complain of that.
    done.add_done_callback(lambda settled: settled.cancelled() or settled.exception())

    def run() -> None:
        # What the program's own threads inherit: on the main thread it would be the same.
        vars(threading.current_thread())["_daemonic"] = False
        outcome: R | None = None
        error: BaseException | None = None
        try:
            outcome = work(cancellation)
        except BaseException as raised:  # noqa: BLE001 - it belongs to whoever awaits
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody awaits any more
            loop.call_soon_threadsafe(lambda: _settle(done, outcome, error))

    # A program sees the name of its thread, and logs it: the same here as on the main thread. A
    # run that is stuck must not keep the process from ending.
    thread = _Thread(target=contextvars.Context().run, args=(run,), name="MainThread", daemon=True)
    _start(thread)
    try:
        await asyncio.wait([done])
    except asyncio.CancelledError:
        # The run is asked to end, and awaited; not for ever, since an effect may be stuck, and not
        # by whoever cancels again. It goes on to its seal by itself then.
        cancellation.ask()
        await asyncio.wait([done], timeout=CANCEL_WAIT_S)
        raise
    return done.result()


def _settle(done: asyncio.Future[R], outcome: R | None, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(cast("R", outcome))  # the work's own None then
    elif isinstance(error, StopIteration):
        done.set_exception(RuntimeError(f"the run raised {error!r}"))
    else:
        done.set_exception(error)
