"""The recorded world: nothing happens behind the doors, and what was noted is copied.

Nothing here can reach outside either; what a door would have begun has its answers in the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.events.kinds import SecretRegistered
from replay.recording.divergence import Divergence
from replay.secrets.surrogates import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.events.kinds import Payload, WireObserved
    from replay.recording.in_flight import InFlight
    from replay.recording.open_records import Asked
    from replay.recording.recorder import Recorder

__all__ = ["RecordedWorld"]


class RecordedWorld:
    """Effects do not happen: their answers are in the record."""

    is_live = False
    begins = False

    def __init__(
        self,
        recorder: Recorder,
        notes: Callable[[], Payload | None],
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
        if any(value in {known.value, known.surrogate} for known in recorder.scrubber.secrets):
            return
        if self._next_kind() != "SecretRegistered":
            return
        recorder.flush()
        payload = self._notes()
        if not isinstance(payload, SecretRegistered) or payload.source != source:
            return
        # The program may hold the true value, in its own source: then it is known here too.
        if len(value) == len(payload.surrogate):
            recorder.register(
                Secret(
                    number=payload.number,
                    source=source,
                    value=value,
                    surrogate=payload.surrogate,
                    public=payload.public,
                )
            )
        else:
            recorder.register_surrogate(payload)
        recorder.note(payload)

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
