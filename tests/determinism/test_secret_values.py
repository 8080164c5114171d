"""A secret that the program fetches itself: real while recording, a surrogate everywhere else."""

from __future__ import annotations

import asyncio

import pytest

import replay
from replay.log.duckdb_store import DuckDBStore
from replay.secrets.patterns import SecretError
from replay.session.record import record_program
from replay.session.replay import replay_log

# In pieces: the record of a run holds the source of its program, which this file is.
VALUE = "zq9" + ("Kp3" + "Lm8" + "Nv2" + "Rt6") * 3


@replay.effect
async def sent(text):
    return {"echo": text}


def program(loaded, seen):
    def load():
        loaded.append(True)
        return VALUE

    async def main():
        value = replay.secret("vault", load)
        seen.append(value)
        answer = await sent(f"key={value}")
        print(answer["echo"])

    return lambda: asyncio.run(main())


def decoded(store):
    entries = list(store.entries())
    return b"".join(e.raw for e in entries) + b"".join(
        part.data or b"" for entry in entries for part in entry.brought
    )


def test_the_value_is_real_live_and_its_surrogate_stands_in_the_record(tmp_path, capsys):
    loaded, seen = [], []
    recording = record_program(program(loaded, seen), entry="test", workspace=tmp_path, dialects=())
    recording.result()
    store = DuckDBStore.open(recording.directory, read_only=True)
    live = capsys.readouterr().out

    report = replay_log(store, program(loaded, seen), dialects=())

    assert report.verdict == "identical"
    assert loaded == [True], "a replay fetches nothing"
    assert seen[0] == VALUE
    assert seen[1] != VALUE
    assert len(seen[1]) == len(VALUE)
    assert live == f"key={VALUE}\n"
    assert capsys.readouterr().out == f"key={seen[1]}\n"
    evidence = decoded(store)
    assert seen[1].encode() in evidence, "the scan finds what is there"
    assert VALUE[3:15].encode() not in evidence
    store.close()


def test_a_replay_that_asks_for_another_secret_diverges(tmp_path):
    recording = record_program(program([], []), entry="test", workspace=tmp_path, dialects=())
    store = DuckDBStore.open(recording.directory, read_only=True)

    async def main():
        replay.secret("other", lambda: VALUE)

    report = replay_log(store, lambda: asyncio.run(main()), dialects=())

    assert report.verdict == "diverged"
    store.close()


def test_outside_a_run_it_is_just_the_value():
    assert replay.secret("vault", lambda: VALUE) == VALUE


def test_a_value_that_cannot_be_told_apart_in_text_is_refused(tmp_path):
    async def main():
        replay.secret("pin", lambda: "1234")

    recording = record_program(
        lambda: asyncio.run(main()), entry="test", workspace=tmp_path, dialects=()
    )

    with pytest.raises(SecretError):
        recording.result()
