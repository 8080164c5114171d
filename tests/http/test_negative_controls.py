"""A replay that could not fail would prove nothing: each change is found, named and placed."""

from __future__ import annotations

import pytest

from orchestrator.testing import Answer, Rule, Script, ScriptedProvider, Text
from tests.http.driver import LIBRARIES, PROGRAMS, Recorded, record, replay_many
from tests.http.forging import change_word
from tests.http.scenes import fake_key

#: Processes of a loaded machine; alone they take a few seconds.
pytestmark = pytest.mark.timeout(180)

PROGRAM = PROGRAMS / "questions.py"
SCRIPT = Script(
    rules=(Rule(contains="second", answers=(Answer(blocks=(Text("a quiet zephyr"),)),)),)
)
ASKS = {n: f'    await ask(client, "the {n} question")\n' for n in ("first", "second", "third")}
CLIENT = 'client = anthropic.AsyncAnthropic(base_url=os.environ["BASE_URL"])'
CLOSE = "    await client.close()\n"
MUTANTS = {
    "none": (),
    "prompt": (("the second q", "the Second q"),),
    "parameter": (("max_tokens=32", "max_tokens=33"),),
    "left out": ((ASKS["second"], ""),),
    "last left out": ((ASKS["third"], ""),),
    "one more": ((CLOSE, '    await ask(client, "one more question")\n' + CLOSE),),
    "other client": (
        (
            CLIENT,
            CLIENT[:-1] + ', default_headers={"user-agent": "me/1", "x-stainless-os": "x"})',
        ),
    ),
    "other version": (
        (CLIENT, CLIENT[:-1] + ', default_headers={"anthropic-version": "2020-01-01"})'),
    ),
    "other beta": ((CLIENT, CLIENT[:-1] + ', default_headers={"anthropic-beta": "b"})'),),
    "other credential": ((CLIENT, CLIENT[:-1] + ', default_headers={"x-api-key": "k"})'),),
    "swapped": ((ASKS["second"] + ASKS["third"], ASKS["third"] + ASKS["second"]),),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("negative")


@pytest.fixture(scope="module")
def recorded(workspace):
    with ScriptedProvider(mode="wild", script=SCRIPT) as provider:
        variables = {"BASE_URL": provider.base_url, "ANTHROPIC_API_KEY": fake_key()}
        return record(PROGRAM, workspace, variables=variables, preload=LIBRARIES)


@pytest.fixture(scope="module")
def replays(workspace, recorded):
    """Each mutant's path and what became of it, and the replay of a forged recording."""
    paths = {}
    for number, (name, changes) in enumerate(MUTANTS.items()):
        source = PROGRAM.read_text()
        for before, after in changes:
            assert source.count(before) == 1
            source = source.replace(before, after)
        paths[name] = workspace / f"mutant_{number}.py"
        paths[name].write_text(source)
    forged = workspace / "forged"
    change_word(recorded.directory, forged, "ChunksReceived", b"zephyr", b"ZEPHYR")
    pairs = [(path, recorded) for path in paths.values()]
    pairs.append((PROGRAM, Recorded(str(forged), "", 0, "", "", b"")))
    found = replay_many(pairs, preload=LIBRARIES)
    names, programs = [*paths, "forged"], [*paths.values(), PROGRAM]
    return dict(zip(names, zip(programs, found, strict=True), strict=True))


def _line(path, text):
    lines = path.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def _at(path, text):
    return f"{path}:{_line(path, text)} "


def _diverged(replays, name):
    path, replayed = replays[name]

    assert replayed.verdict == "diverged"
    assert replayed.attempts == ()
    assert replayed.report["live_effects"] == 0
    return path, replayed.report["divergence"]


def test_the_unchanged_program_is_identical_from_any_path(replays):
    assert replays["none"][1].verdict == "identical"


def test_a_changed_byte_of_a_prompt_is_named_with_its_field_and_place(replays):
    path, divergence = _diverged(replays, "prompt")

    assert divergence["category"] == "changed"
    assert divergence["recorded_kind"] == divergence["replayed_kind"] == "RequestSent"
    assert divergence["fields"] == [
        {
            "path": "body.messages[0].content",
            "recorded": "the second question",
            "replayed": "the Second question",
        }
    ]
    assert divergence["replayed_place"].startswith(_at(path, "messages.create") + "ask")
    assert _at(path, "the Second question") + "main" in divergence["replayed_place"]
    assert _at(PROGRAM, "the second question") + "main" in divergence["recorded_place"]


def test_a_changed_parameter_is_named(replays):
    _, divergence = _diverged(replays, "parameter")

    assert divergence["fields"] == [{"path": "body.max_tokens", "recorded": "32", "replayed": "33"}]


def test_headers_that_differ_between_machines_are_not_compared(replays):
    assert replays["other client"][1].verdict == "identical"


def test_the_version_of_the_interface_is_compared(replays):
    _, divergence = _diverged(replays, "other version")
    (change,) = divergence["fields"]

    assert divergence["seq"] == _diverged(replays, "other beta")[1]["seq"]
    assert divergence["replayed_kind"] == "RequestSent"
    assert change["path"].startswith("headers[")
    assert change["replayed"] == "2020-01-01"


def test_which_credentials_are_sent_is_compared_and_not_their_values(replays):
    _, divergence = _diverged(replays, "other credential")

    assert all(change["path"].startswith("credentials[") for change in divergence["fields"])
    assert {change["replayed"] for change in divergence["fields"]} == {"x-api-key", ""}


def test_a_request_left_out_is_met_by_the_next_one_too_early(replays):
    path, divergence = _diverged(replays, "left out")

    assert divergence["recorded_kind"] == divergence["replayed_kind"] == "RequestSent"
    assert divergence["category"] == "order"
    assert divergence["candidate"] > divergence["seq"]
    assert _at(PROGRAM, "the second question") + "main" in divergence["recorded_place"]
    assert _at(path, "the third question") + "main" in divergence["replayed_place"]


def test_a_last_request_left_out_is_missing(replays):
    _, divergence = _diverged(replays, "last left out")

    # The client reads the clock before each request, so that is what is missing first.
    assert divergence["recorded_kind"] == "ReadingsTaken"
    assert divergence["category"] == "missing"
    assert _at(PROGRAM, "the third question") + "main" in divergence["recorded_place"]


def test_a_request_more_is_refused_before_it_is_made(replays):
    path, divergence = _diverged(replays, "one more")

    # Of its clock readings the recording has no more either.
    assert divergence["category"] in {"clock", "extra"}
    assert _at(path, "one more question") + "main" in divergence["replayed_place"]


def test_two_requests_in_the_other_order_are_reported_as_order(replays):
    path, divergence = _diverged(replays, "swapped")

    assert divergence["recorded_kind"] == divergence["replayed_kind"] == "RequestSent"
    assert divergence["category"] == "order"
    assert divergence["candidate"] > divergence["seq"]
    assert _at(path, "the third question") + "main" in divergence["replayed_place"]


def test_a_changed_chunk_changes_what_the_program_prints(tmp_path):
    program = PROGRAMS / "plain.py"
    song = Script(default=Answer(body=b"a quiet harbour", content_type="text/plain"))
    with ScriptedProvider(mode="wild", script=song) as provider:
        recorded = record(
            program, tmp_path, variables={"BASE_URL": provider.base_url}, preload=LIBRARIES
        )
    forged = tmp_path / "forged"
    change_word(recorded.directory, forged, "ChunksReceived", b"harbour", b"lantern")

    (replayed,) = replay_many(
        [(program, Recorded(str(forged), "", 0, "", "", b""))], preload=LIBRARIES
    )

    assert recorded.stdout == b"it says: a quiet harbour\n"
    assert replayed.stdout == b"it says: a quiet lantern\n"
    assert replayed.verdict == "diverged"
    assert replayed.report["divergence"]["replayed_kind"] == "OutputWritten"


def test_a_changed_chunk_changes_what_the_program_computes_from_it(replays):
    _, divergence = _diverged(replays, "forged")

    assert divergence["replayed_kind"] == "ResponseReceived"
    assert divergence["fields"] == [
        {"path": "text", "recorded": "a quiet zephyr", "replayed": "a quiet ZEPHYR"}
    ]
