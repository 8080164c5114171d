"""What a door works with, and which run the calling thread belongs to."""

from __future__ import annotations

from _thread import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from replay.doors.state.stores import Stores
from replay.scheduler.threads import Threads

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from random import Random
    from typing import TextIO

    from replay.doors.dialect import Dialect
    from replay.doors.processes.child import Child
    from replay.doors.state.adapter import Adapter
    from replay.doors.surroundings.answering import Answerer
    from replay.events.header import Outcome
    from replay.events.kinds import Payload, WireObserved
    from replay.recording.in_flight import InFlight
    from replay.recording.open_records import Asked
    from replay.recording.recorder import Recorder
    from replay.scheduler.core import Scheduler

__all__ = [
    "DoorContext",
    "Post",
    "World",
    "bind_thread",
    "bound",
    "current",
    "current_answerer",
    "unbind_thread",
]


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

    @property
    def is_live(self) -> bool:
        """Whether effects really happen."""
        ...

    @property
    def begins(self) -> bool:
        """Whether what is given to `begin` happens, now or ever."""
        ...

    def begin(
        self,
        asked: Asked,
        work: Callable[[Post], Coroutine[Any, Any, None]],
        *,
        network: bool,
        flight: InFlight,
    ) -> Callable[[], None]:
        """Let an effect happen once all it depends on is durable; return what cancels it.

        Args:
            asked: the recorded question.
            work: what happens, on the network thread or on the one of effects.
            network: which of the two.
            flight: what is to become of it, if a crash leaves it without an answer.
        """
        ...

    def observed(self, asked: Asked, wire: WireObserved) -> None:
        """Take note of where a request went."""
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
        """Let a surrogate stand for a credential in a request or in the head of a response."""
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

    def await_signals(self) -> None:
        """The program handles signals: somebody may wake it where nothing else can come."""
        ...

    def signal(self, name: str) -> None:
        """Let a signal enter; callable at any moment, from a handler of the system."""
        ...


class SignalHandlers(Protocol):
    """The signal handlers of a program."""

    def get(self, number: Any) -> Any:
        """Return the handler of a signal."""
        ...

    def set(self, number: Any, handler: Any) -> Any:
        """Set the handler of a signal; return the one before."""
        ...

    def go_live(self) -> None:
        """Let the system's signals reach the program from here on."""
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
        self.threads = Threads(scheduler)
        #: The program's own state, as far as it is on record.
        self.stores = Stores(recorder)
        #: The adapters that record in this run, by name; set by the session.
        self.adapters: dict[str, Adapter] = {}
        #: The program's signal handlers; set by the stage.
        self.signals: SignalHandlers
        #: Child processes by number.
        self.children: dict[int, Child] = {}
        # Set by the stage.
        #: Makes an event loop of this run.
        self.new_loop: Callable[[], asyncio.AbstractEventLoop]
        #: Answers what the program reads of clocks, randomness and the environment.
        self.answerer: Answerer
        #: What `random.random` and its sisters draw from.
        self.random: Random
        #: What the program opened on disk; set by the session, None in runs without that door.
        self.files: object = None
        #: Whether other runs, or a service, go on beside it.
        self.shared = False
        #: Where `sys.stdout` writes to.
        self.stdout: TextIO
        #: Where `sys.stdin` reads from, and `sys.stderr` writes to.
        self.stdin: TextIO
        self.stderr: TextIO


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


def current_answerer() -> Answerer | None:
    """Return what answers the readings of the calling thread; the real thing does if None."""
    context = _by_thread.get(get_ident())
    return None if context is None or context.scheduler.inside else context.answerer


def bound() -> DoorContext | None:
    """Return the run that the calling thread belongs to, in engine code too."""
    return _by_thread.get(get_ident())
