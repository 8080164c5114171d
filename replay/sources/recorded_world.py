"""The recorded world: nothing happens behind the doors, and what was noted is copied.

Nothing here can reach outside either; what a door would have begun has its answers in the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from replay.events.kinds import SecretRegistered
from replay.recording.divergence import Divergence
from replay.secrets.credentials import ANSWERED
from replay.secrets.surrogates import Secret, SecretError

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.events.kinds import Payload, WireObserved
    from replay.recording.in_flight import InFlight
    from replay.recording.open_records import Asked
    from replay.recording.recorder import Recorder

__all__ = ["Notes", "RecordedWorld"]


class Notes(Protocol):
    """Gives what was noted at this point of the record."""

    def __call__(self, wanted: Callable[[Payload], bool] = ..., /) -> Payload | None:
        """Return the note that comes next, if there is one and it is wanted."""
        ...


class RecordedWorld:
    """Effects do not happen: their answers are in the record."""

    is_live = False
    begins = False

    def __init__(
        self,
        recorder: Recorder,
        notes: Notes,
        next_kind: Callable[[], str | None],
    ) -> None:
        self._recorder = recorder
        self._notes = notes
        self._next_kind = next_kind

    def secret(self, source: str, load: Callable[[], str]) -> str:
        """Return the surrogate that the record gives; the value is not loaded."""
        self._recorder.flush()
        payload = self._notes()
        if not isinstance(payload, SecretRegistered) or payload.source != source:
            self._recorder.diverge(
                Divergence(
                    seq=self._recorder.size,
                    category="clock",
                    recorded_kind=None if payload is None else type(payload).__name__,
                    replayed_kind="SecretRegistered",
                    task="",
                    note=f"the program asked for {source}",
                )
            )
            raise AssertionError("unreachable")
        self._recorder.register_surrogate(payload)
        self._recorder.note(payload)
        return payload.surrogate

    def credential(self, source: str, value: str) -> None:
        """Copy the registration of a credential, if the recording has one at this point."""
        recorder = self._recorder
        known = recorder.scrubber.secrets
        met = source.startswith(ANSWERED)
        # Two that an answer brought may have the same surrogate; then it is told by the record.
        if not met and any(value in {each.value, each.surrogate} for each in known):
            return
        if self._next_kind() != "SecretRegistered":
            return
        recorder.flush()

        def wanted(note: Payload) -> bool:
            """Whether it is of this one; what an answer brought is its surrogate already."""
            return (
                isinstance(note, SecretRegistered)
                and note.source == source
                and (not met or note.surrogate == value)
            )

        payload = self._notes(wanted)
        if isinstance(payload, SecretRegistered):
            self._register(payload, value)
            recorder.note(payload)

    def _register(self, payload: SecretRegistered, value: str) -> None:
        """Know a secret of the record; the program may hold its value, in its own source."""
        recorder = self._recorder
        if value != payload.surrogate:
            try:
                recorder.register(
                    Secret(
                        number=payload.number,
                        source=payload.source,
                        value=value,
                        surrogate=payload.surrogate,
                        public=payload.public,
                    )
                )
            except SecretError:
                pass  # it was made of a surrogate, such as a signature
            else:
                return
        recorder.register_surrogate(payload)

    def inspect(self, record: int, body: bytes) -> None:
        """Copy what was suspected at this point."""
        self._recorder.flush()
        while self._next_kind() == "SecretSuspected" and (payload := self._notes()) is not None:
            self._recorder.note(payload)

    def begin(
        self, asked: Asked, work: Callable[..., object], *, network: bool, flight: InFlight
    ) -> Callable[[], None]:
        """Do nothing; there is nothing to cancel either."""
        return _nothing

    def observed(self, asked: Asked, wire: WireObserved) -> None:
        """Do nothing."""

    def detached(self, work: Callable[..., object]) -> None:
        """Do nothing."""

    def await_signals(self) -> None:
        """Do nothing."""

    def signal(self, name: str) -> None:
        """Do nothing."""

    def finished(self, asked: Asked) -> None:
        """Do nothing."""


def _nothing() -> None:
    return None
