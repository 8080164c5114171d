"""The world of a run that goes on: nothing happens as far as the record reaches, and then it does.

What a door would have begun is kept as long as its question is open. When the run goes live, what
is still there was in flight when the run stopped, and what becomes of it is a matter of policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from replay.events.kinds import SecretSuspected
from replay.secrets.credentials import ANSWERED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from replay.events.kinds import WireObserved
    from replay.recording.in_flight import InFlight
    from replay.recording.open_records import Asked
    from replay.recording.recorder import Recorder
    from replay.sources.outside import LiveWorld
    from replay.sources.recorded_world import RecordedWorld
    from replay.sources.resumed import RecordEnd

__all__ = ["Kept", "ResumedWorld", "Vault"]


class Vault(Protocol):
    """Knows the values of the run's secrets, and where each may go."""

    def learn(self, carried: bytes, scheme: str, host: str) -> None:
        """Take note that the secrets in a request went to a host."""
        ...

    def load_with(self, source: str, load: Callable[[], str]) -> None:
        """Keep what fetches a secret's value."""
        ...

    def put_in(self, flight: InFlight) -> None:
        """Put values for surrogates into what goes out, or stop the run."""
        ...

    def scrub_again(self) -> Callable[[bytes], bytes]:
        """Return what puts surrogates into one body that comes piece by piece."""
        ...


class Kept:
    """What a door wants to happen, and what it says about it."""

    __slots__ = ("asked", "cancel", "flight", "network", "work")

    def __init__(
        self, asked: Asked, work: Callable[..., object], flight: InFlight, *, network: bool
    ) -> None:
        self.asked = asked
        self.work = work
        self.flight = flight
        self.network = network
        #: Cancels it once it was begun.
        self.cancel: Callable[[], None] = lambda: None


class ResumedWorld:
    """The other side of the doors, recorded and then live.

    Args:
        recorder: of the run.
        end: of the record.
        recorded: the world of the record.
        vault: keeps the secrets.
    """

    begins = True

    def __init__(
        self, recorder: Recorder, end: RecordEnd, recorded: RecordedWorld, vault: Vault
    ) -> None:
        self._recorder = recorder
        self._end = end
        self._recorded = recorded
        self._vault = vault
        self._live: LiveWorld | None = None
        self._kept: dict[int, Kept] = {}
        #: Seqs of repeated requests whose response was another one.
        self.changed: list[int] = []

    @property
    def is_live(self) -> bool:
        """Whether effects really happen by now."""
        return self._live is not None

    def begin(
        self, asked: Asked, work: Callable[..., object], *, network: bool, flight: InFlight
    ) -> Callable[[], None]:
        """Let an effect happen, or keep it until the run is live; return what cancels it."""
        kept = Kept(asked, work, flight, network=network)
        if self._live is not None:
            self._begin(self._live, kept)
            return kept.cancel
        self._kept[asked.seq] = kept

        def cancel() -> None:
            self._kept.pop(asked.seq, None)
            kept.cancel()

        return cancel

    def in_flight(self) -> list[Kept]:
        """Return what the record has as asked and not as answered, in order."""
        return [
            kept
            for seq, kept in sorted(self._kept.items())
            if seq < self._end.recorded and seq in self._recorder.open
        ]

    def go_live(self, live: LiveWorld, again: Iterable[Kept]) -> None:
        """Begin what was in flight and is to be done again, and what the record does not have.

        Args:
            live: the real one.
            again: of what :meth:`in_flight` gives.
        """
        self._live = live
        repeated = tuple(again)
        waiting, self._kept = self._kept, {}
        for seq, kept in sorted(waiting.items()):
            first = next((each for each in repeated if each.flight is kept.flight), None)
            if kept is first:
                self._repeat(live, kept)
            elif seq >= self._end.recorded or (first is not None and seq > first.asked.seq):
                # Never sent; or a part of something that is done again from its beginning.
                self._begin(live, kept)

    def _begin(self, live: LiveWorld, kept: Kept) -> None:
        self._vault.put_in(kept.flight)
        kept.cancel = live.begin(
            kept.asked,
            kept.work,  # type: ignore[arg-type]
            network=kept.network,
            flight=kept.flight,
        )

    def _repeat(self, live: LiveWorld, kept: Kept) -> None:
        if kept.asked.parts:
            work, seq = kept.work, kept.asked.seq
            scrub = self._vault.scrub_again()

            def differs() -> None:
                self.changed.append(seq)

            kept.work = lambda post: work(kept.flight.behind(post, scrub, differs))
        self._begin(live, kept)

    def observed(self, asked: Asked, wire: WireObserved) -> None:
        """Take note of where the record says that a request's secrets went."""
        kept = self._kept.get(asked.seq)
        if self._live is None and kept is not None and wire.http_version:
            self._vault.learn(kept.flight.carried, wire.scheme, wire.host)

    def finished(self, asked: Asked) -> None:
        """Forget a question that was answered in full."""
        self._kept.pop(asked.seq, None)
        if self._live is not None:
            self._live.finished(asked)

    def secret(self, source: str, load: Callable[[], str]) -> str:
        """Return the surrogate of a secret that the record has; fetch any other."""
        self._vault.load_with(source, load)
        if not self._end.passed():
            return self._recorded.secret(source, load)
        assert self._live is not None
        for known in self._recorder.scrubber.secrets:
            if known.source == source:
                return known.surrogate
        return self._live.secret(source, load)

    def credential(self, source: str, value: str) -> None:
        """Let a surrogate stand for a credential, unless it is one already."""
        met = source.startswith(ANSWERED)
        if self._live is not None and self._live.noted(value):
            return
        if not (met and self._live is None) and self._recorder.scrubber.knows(value):
            return
        if self._live is None:
            if self._recorder.size + self._recorder.pending_records < self._end.recorded:
                self._recorded.credential(source, value)
                return
            # What an answer of the record brought is no reason to go live, in its midst.
            if met or not self._end.passed():
                return
        assert self._live is not None
        self._live.credential(source, value)

    def inspect(self, record: int, body: bytes) -> None:
        """Note which secrets a body held in an encoding."""
        if self._live is not None:
            self._live.inspect(record, body)
            return
        self._recorded.inspect(record, body)
        if self._end.is_reached and self._recorder.scrubbing:
            for number in self._recorder.scrubber.suspects(body):
                self._recorder.note(SecretSuspected(record=record, number=number))

    def detached(self, work: Callable[..., object]) -> None:
        """Let something happen outside that nothing waits for: nothing was opened before."""
        if self._live is not None:
            self._live.detached(work)  # type: ignore[arg-type]

    def await_signals(self) -> None:
        """The program handles signals."""
        if self._live is not None:
            self._live.await_signals()

    def signal(self, name: str) -> None:
        """Let a signal enter."""
        if self._live is not None:
            self._live.signal(name)

    def stop(self) -> None:
        """Let nothing happen any more."""
        self._kept.clear()
        if self._live is not None:
            self._live.stop()
