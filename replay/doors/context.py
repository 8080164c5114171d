"""What a door works with, and which run the calling thread belongs to."""

from __future__ import annotations

from _thread import get_ident
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from replay.doors.dialect import Dialect
    from replay.events.header import Outcome
    from replay.events.kinds import Payload
    from replay.recording.open_records import Asked
    from replay.recording.recorder import Recorder
    from replay.scheduler.core import Scheduler

__all__ = ["Answers", "DoorContext", "Post", "World", "bind_thread", "current", "unbind_thread"]


class Post(Protocol):
    """Hands an answer to the run, from any thread."""

    def __call__(
        self,
        payload: Payload | None,
        body: bytes | None,
        outcome: Outcome,
        seen: Payload | None = None,
    ) -> None:
        """Hand over one answer.

        Args:
            payload: what is recorded; None for a chunk, whose bytes are the body.
            body: exact bytes.
            outcome: how it ended.
            seen: what the program gets, where that holds a credential.
        """
        ...


class World(Protocol):
    """The other side of the doors: live, or recorded."""

    #: Whether effects really happen.
    is_live: bool

    def begin(
        self, asked: Asked, work: Callable[[Post], Coroutine[Any, Any, None]], *, network: bool
    ) -> Callable[[], None]:
        """Let an effect happen once all it depends on is durable; return what cancels it.

        Args:
            asked: the recorded question.
            work: what happens, on the network thread or on the one of effects.
            network: which of the two.
        """
        ...

    def detached(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let something happen outside that nothing waits for, such as closing connections."""
        ...

    def secret(self, source: str, load: Callable[[], str]) -> str:
        """Return a secret value and let a surrogate stand for it in the record from now on.

        A recorded world returns the surrogate and does not load anything.
        """
        ...

    def credential(self, source: str, value: str) -> None:
        """Let a surrogate stand for a credential that goes out with a request."""
        ...

    def inspect(self, record: int, body: bytes) -> None:
        """Look for secrets in a body whose encoding hid them, and note what is suspected.

        Args:
            record: seq of the request whose response it is.
            body: the decoded bytes.
        """
        ...

    def finished(self, asked: Asked) -> None:
        """Forget a question that was answered in full."""
        ...


class DoorContext:
    """What the doors of one run share."""

    def __init__(
        self,
        scheduler: Scheduler,
        recorder: Recorder,
        world: World,
        dialects: tuple[Dialect, ...],
    ) -> None:
        self.scheduler = scheduler
        self.recorder = recorder
        self.world = world
        self.dialects = dialects
        #: Makes an event loop of this run; set by the stage.
        self.new_loop: Callable[[], asyncio.AbstractEventLoop]


class Answers:
    """The answers to one question, in order, for one task that waits for them."""

    __slots__ = ("_loop", "_ready", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: deque[tuple[Payload, bytes, Outcome]] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def receive(self, payload: Payload, body: bytes, outcome: Outcome) -> None:
        """Take an answer and wake the waiter."""
        self._ready.append((payload, body, outcome))
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def next(self) -> tuple[Payload, bytes, Outcome]:
        """Return the next answer."""
        while not self._ready:
            self._waiter = waiter = self._loop.create_future()
            await waiter
            self._waiter = None
        return self._ready.popleft()


_by_thread: dict[int, DoorContext] = {}


def bind_thread(context: DoorContext) -> None:
    """Make the calling thread one of a run."""
    _by_thread[get_ident()] = context


def unbind_thread() -> None:
    """Give the calling thread back to the rest of the process."""
    _by_thread.pop(get_ident(), None)


def current() -> DoorContext | None:
    """Return the run whose program the calling thread runs; None in engine code and elsewhere."""
    context = _by_thread.get(get_ident())
    return None if context is None or context.scheduler.inside else context
