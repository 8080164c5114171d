"""Inputs that no recorder writes stop a replay by name; the program never sees them."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from replay.errors import IntegrityError
from replay.events.kinds import ReadingsTaken, RunStarted
from replay.session.replay import replay_log
from tests.support.recordings import ListReader, Recording, run_started


def started(**fields) -> RunStarted:
    first = msgspec.structs.replace(run_started(), flags={"collect_every": 256})
    return msgspec.structs.replace(first, **fields)


def replayed(first: RunStarted, *payloads):
    recording = Recording(first=first)
    for payload in payloads:
        recording.add(payload)
    seen = []

    async def main():
        try:
            time.time()
        except BaseException as error:
            seen.append(error)
            raise

    reader = ListReader(recording.seal().entries)
    try:
        replay_log(reader, lambda: asyncio.run(main()), dialects=())
    finally:
        assert not any(isinstance(error, Exception) for error in seen)


def test_a_record_of_no_readings_is_damage_and_no_error_of_the_program():
    with pytest.raises(IntegrityError, match="not one that a recorder writes"):
        replayed(started(), ReadingsTaken(readings=()))


@pytest.mark.parametrize(
    "fields", [{"flags": {}}, {"flags": {"collect_every": 0}}, {"seed": "no hex"}, {"seed": "00"}]
)
def test_a_start_without_seed_or_schedule_is_damage(fields):
    with pytest.raises(IntegrityError, match="no seed or schedule"):
        replayed(started(**fields))
