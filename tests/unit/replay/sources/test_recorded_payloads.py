"""Inputs that no recorder writes stop a replay by name; the program never sees them."""

from __future__ import annotations

import asyncio
import contextlib
import time

import msgspec
import pytest

import replay
from replay.errors import IntegrityError
from replay.events.kinds import ReadingsTaken, RunStarted
from replay.session.opening import open_run
from replay.session.replay import replay_log
from tests.support.recordings import ListReader, Recording, changed, run_started


def started(**fields) -> RunStarted:
    first = msgspec.structs.replace(
        run_started(), flags={"busy_callbacks": 4096, "collect_every": 256}
    )
    return msgspec.structs.replace(first, **fields)


def replayed(first: RunStarted, *payloads):
    recording = Recording(first=first)
    for payload in payloads:
        recording.add(payload)
    seen = []

    def main():
        try:
            time.time()
        except BaseException as error:
            seen.append(error)
            raise

    first_entry, *others = recording.seal().entries
    reader = ListReader([changed(first_entry, trigger="start"), *others])
    try:
        replay_log(reader, main, dialects=())
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


def test_an_erased_consequence_is_erased_and_not_a_difference(tmp_path):
    async def main():
        print("said")

    replay.record(main, workspace=tmp_path, dialects=())
    with contextlib.closing(open_run("last", workspace=tmp_path)) as kept:
        entries = [_erased(e) if e.header.kind == "OutputWritten" else e for e in kept.entries()]

    report = replay_log(ListReader(entries), lambda: asyncio.run(main()), dialects=())

    assert report.verdict == "erased"
    assert report.divergence is None
    assert report.root_replayed != report.root_recorded


def _erased(entry):
    gone = [
        msgspec.structs.replace(part, data=None, salt=b"", state="erased") for part in entry.brought
    ]
    return msgspec.structs.replace(entry, brought=tuple(gone))
