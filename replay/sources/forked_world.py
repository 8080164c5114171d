"""The world of a fork: what has a recorded answer does not happen, and all else does.

What goes live is begun when the program idles, not when it asks: by then everybody who asked in the
same breath was recognised, and it is known which hosts had which secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.errors import ForkError
from replay.events.kinds import SecretRegistered
from replay.scheduler.ports import Halted
from replay.sources.outside import LiveWorld
from replay.sources.resumed_world import Kept, ResumedWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from replay.events.kinds import WireObserved
    from replay.recording.in_flight import InFlight
    from replay.recording.open_records import Asked
    from replay.recording.recorder import Recorder
    from replay.sources.keyed import KeyedInputs
    from replay.sources.recollection import Recollection
    from replay.sources.recorded_world import RecordedWorld
    from replay.sources.resumed import RecordEnd
    from replay.sources.resumed_world import Vault

__all__ = ["DryWorld", "ForkedWorld"]


class ForkedWorld(ResumedWorld):
    """See the module docstring.

    Attributes:
        recollection: the recorded run; set before the first record, as are the next two.
        keyed: gives recorded answers.
        matches: seq of the recorded question, by the seq of the one that was asked now.
        sent: what went live, in order, by seq.
        recalled: number of questions that got recorded answers.
    """

    recollection: Recollection
    keyed: KeyedInputs
    matches: dict[int, int]

    def __init__(
        self, recorder: Recorder, end: RecordEnd, recorded: RecordedWorld, vault: Vault
    ) -> None:
        super().__init__(recorder, end, recorded, vault)
        self._pending: dict[int, Kept] = {}
        #: Recognised, and not answered in full by now.
        self._recalled: dict[int, Kept] = {}
        self._flights: list[InFlight] = []
        self.sent: dict[int, Kept] = {}
        self.recalled = 0

    @property
    def waits(self) -> bool:
        """Whether an answer of the world's is waited for."""
        return any(seq in self._recorder.open for seq in self.sent)

    def in_flight(self) -> list[Kept]:
        """Return nothing: what was in flight is decided as everything else."""
        return []

    def go_live(self, live: LiveWorld, again: Iterable[Kept]) -> None:
        """Recall what is open already, or let it happen when the program idles."""
        self._live = live
        waiting, self._kept = self._kept, {}
        for seq, kept in sorted(waiting.items()):
            if seq >= self._end.recorded:
                self._route(kept)
            elif self.recollection.is_anew:
                self._defer(kept)
            else:
                self._recall(kept, seq)

    def begin(
        self, asked: Asked, work: Callable[..., object], *, network: bool, flight: InFlight
    ) -> Callable[[], None]:
        """Recall the answer, or let it happen when the program idles; return what cancels it."""
        if self._live is None:
            return super().begin(asked, work, network=network, flight=flight)
        kept = Kept(asked, work, flight, network=network)
        self._route(kept)
        return lambda: kept.cancel()  # noqa: PLW0108 - it is another one once it was begun

    def flush(self) -> None:
        """Begin what goes live."""
        assert self._live is not None
        pending, self._pending = self._pending, {}
        for seq, kept in sorted(pending.items()):
            if seq in self._recorder.open:  # and no part of one that was sent before
                self.sent[seq] = kept
                self.recollection.gone_live.add(kept.asked.actor.path())
            self._repeat(self._live, kept)

    def wake_silent(self) -> bool:
        """Let happen what was never answered in the record, if nothing else is under way.

        Returns:
            Whether only such questions are open as may not be asked again.
        """
        if self.waits:
            return False
        recalled = self._recorder.open.keys() & self._recalled.keys()
        for seq in sorted(recalled):
            kept = self._recalled[seq]
            if kept.flight.on_resume == "again":
                self._defer(self._recalled.pop(seq))
        self.flush()
        silent = self._recorder.open.keys() & self._recalled.keys()
        return len(silent) > 0 and len(silent) == len(self._recorder.open)

    def observed(self, asked: Asked, wire: WireObserved) -> None:
        """Take note of where a recorded request went; what is recognised is known by then."""
        if self._live is None:
            super().observed(asked, wire)

    def finished(self, asked: Asked) -> None:
        """Forget a question that was answered in full."""
        self._recalled.pop(asked.seq, None)
        super().finished(asked)

    def secret(self, source: str, load: Callable[[], str]) -> str:
        """Return the surrogate that the record gives for a secret fetched behind the position."""
        known = {secret.source for secret in self._recorder.scrubber.secrets}
        if self._live is not None and source not in known:
            for found in self.recollection.secrets:
                if found.source == source:
                    return self._registered(found, load)
        return super().secret(source, load)

    def credential(self, source: str, value: str) -> None:
        """Know the surrogate of a credential that a recorded answer brought."""
        if self._live is not None and not self._recorder.scrubber.knows(value):
            for found in self.recollection.secrets:
                if found.surrogate == value:
                    self._note(found)
                    return
        super().credential(source, value)

    def _registered(self, found: SecretRegistered, load: Callable[[], str]) -> str:
        self._vault.load_with(found.source or "", load)
        return self._note(found)

    def _note(self, found: SecretRegistered) -> str:
        recorder = self._recorder
        note = SecretRegistered(
            number=len(recorder.scrubber.secrets),
            source=found.source,
            surrogate=found.surrogate,
            public=found.public,
        )
        recorder.register_surrogate(note)
        recorder.note(note)
        return note.surrogate

    # --- one question -------------------------------------------------------------------------

    def _route(self, kept: Kept) -> None:
        seq = kept.asked.seq
        recorded = self.matches.get(seq)
        if seq in self._recorder.open:
            if recorded is None:
                self._defer(kept)
            else:
                self._recall(kept, recorded)
        elif not any(kept.flight is flight for flight in self._flights):
            self._defer(kept)  # something done to a process that goes live
        elif recorded is None:
            error = ForkError(
                "a child process whose answers are recorded gets something else",
                where=kept.flight.label,
                hint="--at SEQ, with the event that started it, lets it really run",
            )
            self._recorder.scheduler.halt(error)
            raise Halted from error

    def _defer(self, kept: Kept) -> None:
        seq = kept.asked.seq
        self._pending[seq] = kept
        kept.cancel = lambda: self._drop(seq)

    def _recall(self, kept: Kept, recorded: int) -> None:
        seq = kept.asked.seq
        self._recalled[seq] = kept
        self._flights.append(kept.flight)
        kept.cancel = lambda: self._drop(seq)
        self.recalled += 1
        went = self.recollection.went_to(recorded)
        if went is not None and went == kept.flight.destination:
            self._vault.learn(kept.flight.carried, *went)
        self.keyed.opened(seq, recorded)

    def _drop(self, seq: int) -> None:
        self._pending.pop(seq, None)
        self._recalled.pop(seq, None)


class DryWorld(LiveWorld):
    """A live world in which nothing happens, and what would have is known by its seq."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._foreseen = []

    def begin(
        self,
        asked: Asked,
        work: Callable[..., object],
        *,
        network: bool,
        flight: InFlight,
    ) -> Callable[[], None]:
        """Let nothing happen."""
        return lambda: None

    def detached(self, work: Callable[..., object]) -> None:
        """Let nothing happen."""

    def await_signals(self) -> None:
        """Wait for nothing."""

    def signal(self, name: str) -> None:
        """Let nothing enter."""

    def finished(self, asked: Asked) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing: nothing is under way."""
