"""The recorder of a run that goes on: what comes in is scrubbed before the program sees it.

The program of such a run holds surrogates, from its first line on. A live answer that repeats a
secret would give it the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.events.kinds import ChunksReceived, ProcessWrote
from replay.events.payload import decode_payload, encode_head
from replay.recording.recorder import Recorder
from replay.secrets.deltas import DeltaScrubber

if TYPE_CHECKING:
    from replay.events.header import Outcome
    from replay.events.kinds import Payload
    from replay.recording.open_records import Asked, Target
    from replay.secrets.scrub import Scrubber, StreamScrubber

__all__ = ["HidingRecorder"]


class HidingRecorder(Recorder):
    """See the module docstring."""

    def ask(self, payload: Payload, body: bytes | None, target: Target) -> Asked:
        """Record a question; its answers come scrubbed."""
        return super().ask(payload, body, _Hidden(target, self.scrubber))


class _Hidden:
    """Stands before whoever waits for an answer."""

    def __init__(self, target: Target, scrubber: Scrubber) -> None:
        self._target = target
        self._scrubber = scrubber
        self._chunks: DeltaScrubber | None = None
        self._streams: dict[str, StreamScrubber] = {}

    def receive(self, payload: Payload, body: bytes, outcome: Outcome) -> None:
        """Pass an answer on, without the values of secrets."""
        scrubber = self._scrubber
        if not scrubber.secrets:
            self._target.receive(payload, body, outcome)
            return
        if isinstance(payload, ChunksReceived):
            if self._chunks is None:
                self._chunks = DeltaScrubber(scrubber)
            self._target.receive(payload, self._chunks.feed(body), outcome)
            return
        if isinstance(payload, ProcessWrote):
            stream = self._streams.setdefault(payload.stream, scrubber.stream())
            body = stream.feed(body)
        elif body:
            body = scrubber.scrub(body)
        head = encode_head(payload)
        scrubbed = scrubber.scrub(head)
        if scrubbed != head:
            payload, _ = decode_payload("json", scrubbed, 0)
        self._target.receive(payload, body, outcome)
