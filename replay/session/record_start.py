"""What stands at the beginning and the end of a record about the run as a whole, read back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from replay.doors.libraries import LIBRARY_GAPS
from replay.errors import IntegrityError, UsageError
from replay.events.code_kinds import AdmissionDecided
from replay.events.kinds import CaptureGap, RunStarted, SecretRegistered, SecretSuspected
from replay.events.payload import decode_payload
from replay.sources.history import ErasedPayloadError

if TYPE_CHECKING:
    from replay.doors.dialect import Dialect
    from replay.events.kinds import Payload
    from replay.log.port import LogReader
    from replay.sources.history import History

__all__ = [
    "OBSERVED_NOTE",
    "absent_dialects",
    "checked_start",
    "first_record",
    "is_at_end",
    "is_at_start",
    "started_in",
]

#: Why a run that another tool saw cannot be replayed.
OBSERVED_NOTE: Final = "the run was observed by another tool, not recorded: not replay-verified"

_SEED: Final = re.compile("[0-9a-f]{32}")


def first_record(reader: LogReader) -> RunStarted:
    """Return the payload of a run's first record.

    Raises:
        IntegrityError: it is not the start of a run.
        ErasedPayloadError: its payload is gone.
    """
    entry = next(reader.entries(0, 1), None)
    if entry is not None:
        data = [part.data for part in entry.brought]
        if None in data:
            raise ErasedPayloadError(0, entry.brought[data.index(None)].state)
        whole = b"".join(piece for piece in data if piece is not None)
        payload, _ = decode_payload(entry.header.media, whole, 0)
        if isinstance(payload, RunStarted):
            return payload
    raise IntegrityError("the first record is not the start of a run", where="event 0")


def started_in(history: History) -> RunStarted:
    """Return the start of a recorded run.

    Raises:
        IntegrityError: there is none that a recorder writes.
        ErasedPayloadError: it is gone.
    """
    entry = history.entry(0)
    payload = None if entry is None else history.payload(entry)[0]
    return checked_start(payload)


def checked_start(payload: object) -> RunStarted:
    """Return the start of a run if it is one that a recorder writes.

    Raises:
        IntegrityError: it is not; a record is hostile.
        UsageError: another tool saw the run, so there is nothing to run again.
    """
    if not isinstance(payload, RunStarted):
        raise IntegrityError("the first record is not the start of a run", where="event 0")
    if payload.observed:
        raise UsageError(OBSERVED_NOTE, hint="record the program itself: ritornello record -- …")
    flags = payload.flags
    if (
        _SEED.fullmatch(payload.seed) is None
        or flags.get("collect_every", -1) < 0
        or flags.get("collect_full_every", 1) < 1
        or flags.get("busy_callbacks", 0) < 1
    ):
        raise IntegrityError("the start of the run holds no seed or schedule", where="event 0")
    return payload


def absent_dialects(started: RunStarted, dialects: tuple[Dialect, ...]) -> str:
    """Return a sentence about dialects that the record names and that are not here."""
    here = {(d.name, str(d.version)) for d in dialects}
    missing = [
        f"{name} {version}" for name, version in started.dialects if (name, version) not in here
    ]
    return f"dialects not installed: {', '.join(missing)}" if missing else ""


def is_at_start(payload: Payload) -> bool:
    """Return whether a note is of a run's start: itself, its admission, secrets around it."""
    if isinstance(payload, SecretRegistered):
        return (payload.source or "").startswith("env:")
    return isinstance(payload, RunStarted | AdmissionDecided)


def is_at_end(payload: Payload) -> bool:
    """Return whether a note is of a run's end: what was loaded then, and secrets found late."""
    return isinstance(payload, SecretSuspected) or (
        isinstance(payload, CaptureGap) and payload.what in LIBRARY_GAPS
    )
