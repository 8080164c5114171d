"""What is noted at the end of a run: libraries, and secrets that stand in earlier records.

A program may get a token in an answer, read it in a file, or have it in its arguments; it is known
as a secret only once it goes out as a credential. From there on a surrogate stands for it, and here
the records before that are looked through, while the value is still known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replay.doors.libraries import loaded_gaps
from replay.erasure.streams import RunStreams
from replay.erasure.views import views_of
from replay.events.kinds import CaptureGap, SecretRegistered, SecretSuspected
from replay.events.payload import decode_payload
from replay.scheduler.engine_side import EngineSide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from replay.events.entry import Entry
    from replay.events.kinds import Payload
    from replay.log.port import LogReader
    from replay.recording.recorder import Recorder
    from replay.secrets.surrogates import Secret

__all__ = ["last_notes", "looked_back"]

#: Sources of what was registered before anything with its value could be recorded.
_KNOWN_AT_ONCE: Final = ("answer:", "env:", "file:")


def last_notes(
    recorder: Recorder, durable: Callable[[], LogReader], had: Sequence[Payload] = ()
) -> Iterator[Payload]:
    """Yield what is to be noted about a run as a whole at its end.

    Args:
        recorder: of the run.
        durable: gives what is recorded, once all of that is durable.
        had: what the record has of it already.
    """
    gaps = {(each.what, each.name) for each in had if isinstance(each, CaptureGap)}
    yield from (gap for gap in loaded_gaps() if (gap.what, gap.name) not in gaps)
    with EngineSide(recorder.scheduler):
        found = looked_back(recorder.scrubber.secrets, durable)
    yield from (each for each in found if each not in had)


def looked_back(
    secrets: Sequence[Secret], durable: Callable[[], LogReader]
) -> tuple[SecretSuspected, ...]:
    """Return what is to be noted of records that hold the value of a secret.

    Costs nothing where each secret was known before it could be recorded. Otherwise all that was
    recorded until the last of the others was registered is read once.

    Args:
        secrets: of the run, as far as their values are known.
        durable: gives what is recorded; called only if it is to be looked through.

    Raises:
        IntegrityError: the record cannot be read.
        LogError: the record is not durable.
    """
    sought = {
        secret.number: secret.value.encode()
        for secret in secrets
        if secret.value is not None
        and secret.value != secret.surrogate
        and not (secret.source or "").startswith(_KNOWN_AT_ONCE)
    }
    if not sought:
        return ()
    reader = durable()
    found: set[tuple[int, int]] = set()
    streams = RunStreams(reader, _registered_by(reader, set(sought)))
    for piece in streams.pieces():
        if not piece.traced:
            continue
        for view in views_of(piece.data, goes_on=piece.goes_on):
            for number, value in sought.items():
                for at in _places(view.data, value):
                    parts = piece.parts(*view.source(at, at + len(value)))
                    found.update((streams.brought_by[part], number) for part in parts)
    return tuple(SecretSuspected(record=seq, number=number) for seq, number in sorted(found))


def _registered_by(reader: LogReader, numbers: set[int]) -> int:
    """Return the position of the last record that registers one of some secrets."""
    last = 0
    for lines in reader.lean(frozenset({"SecretRegistered"})):
        for line in lines:
            if isinstance(line, bytes):
                continue
            payload = _payload(reader, line)
            if isinstance(payload, SecretRegistered) and payload.number in numbers:
                numbers.discard(payload.number)
                last = line.header.seq
            if not numbers:
                return last
    return last


def _payload(reader: LogReader, entry: Entry) -> object:
    parts = reader.parts(sorted(set(entry.parts)))
    data = b"".join(parts[ordinal].data or b"" for ordinal in entry.parts)
    return decode_payload(entry.header.media, data, entry.header.seq)[0]


def _places(data: bytes, value: bytes) -> Iterator[int]:
    at = data.find(value)
    while at >= 0:
        yield at
        at = data.find(value, at + 1)
