"""The state a run ended with, for people and for programs."""

import msgspec

from orchestrator.cli.reading.records import Event
from orchestrator.cli.reading.state_table import state_fields, state_lines, state_of
from orchestrator.cli.reading.summaries import summary
from replay.events.kinds import StateChanged
from tests.support.conversations import records
from tests.support.recordings import Recording


def _events(*payloads):
    run = Recording()
    for payload in payloads:
        run.add(payload)
    return [
        Event(name="", header=header, state="present", payload=payload)
        for header, payload in records(run)
    ]


WRITTEN = StateChanged(
    store="board", key="n", operation="written", version=1, value=msgspec.Raw(b"3"), by=("left",)
)


def test_a_key_is_shown_with_value_version_and_writer():
    keys = state_of(_events(WRITTEN))

    assert state_lines(keys)[1].split() == [
        "STATE", "KEY", "VERSION", "WRITER", "CONCURRENT", "VALUE",
    ]  # fmt: skip
    assert state_lines(keys)[2].split() == ["board", "n", "1", "1", "3"]
    (fields,) = state_fields(keys)
    assert (fields["value"], fields["writer"], fields["concurrent"]) == ("3", 1, [])


def test_a_run_without_state_shows_none():
    assert state_lines(state_of(_events())) == []


def test_one_line_says_what_was_done_to_which_key():
    assert summary(_events(WRITTEN)[-1]) == "board.n written =3 (by left)"
