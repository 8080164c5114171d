"""`erase`, `hold` and what an export refuses, by the command."""

from __future__ import annotations

import json
import re
import shutil
import zipfile

import pytest

from orchestrator.testing import ScriptedProvider
from replay.log.lock import RunLock
from replay.log.workspace import Workspace
from tests.support.chats import SENTENCE, answers_with, record_chat, texts_of_a_directory

pytestmark = pytest.mark.imports_sdk

PERSON = "Jane Doe, 7 Mill Road"
PLANTED = "sk-ant-api03-" + "Zq7" * 30
WHY = ("--reason", "request 81", "--authority", "the officer")
CHAT = """\
import asyncio, os
from anthropic import AsyncAnthropic

async def main():
    history = []
    async with AsyncAnthropic(api_key="none", base_url=os.environ["CHAT_URL"]) as client:
        for turn in range(int(os.environ["TURNS"])):
            history.append({"role": "user", "content": f"Question number {turn}, please?"})
            async with client.messages.stream(
                model="m", max_tokens=100, messages=history
            ) as stream:
                said = "".join([piece async for piece in stream.text_stream])
            history.append({"role": "assistant", "content": said})
            print(turn, said)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    directory = tmp_path_factory.mktemp("chats")
    record_chat(directory / ".ritornello", 5)
    (directory / "text.txt").write_text(" ".join(SENTENCE.split()) + "\n")
    return directory


@pytest.fixture
def place(chat, tmp_path, recorded):
    shutil.copytree(chat, tmp_path, dirs_exist_ok=True)
    return type(recorded)(tmp_path)


def holds_the_sentence(directory):
    flat = " ".join(SENTENCE.split())
    texts = texts_of_a_directory(directory).items()
    return [where for where, text in texts if flat in " ".join(text.split())]


def test_without_a_yes_the_plan_is_shown_and_nothing_is_done(place):
    ran = place.look("erase", "last", "--text", "text.txt", *WHY)

    assert ran.code == 6
    assert "replay        stops before event" in ran.out
    assert "nothing was done" in ran.err
    assert holds_the_sentence(place.path / ".ritornello")


def test_erasing_says_each_step_and_verify_names_the_record(place):
    before = place.look("verify", "last", "--json").report
    ran = place.look("erase", "last", "--text", "text.txt", *WHY, "--yes", "--json")
    verified = place.look("verify", "last")

    assert ran.code == 0
    assert ran.report["erased"] is True
    parts = ran.report["runs"][0]["parts"]
    assert verified.code == 0
    assert f"holes         {len(parts)} erased" in verified.out
    assert "erasure       workspace record 3: request 81 (the officer)" in verified.out
    assert before["root"] in verified.out
    assert holds_the_sentence(place.path / ".ritornello") == []
    assert place.look("erase", "last", "--text", "text.txt", *WHY, "--yes").code == 0


def test_where_nothing_is_found_it_is_said_what_was_not_read_and_where_else_it_stands(place):
    other = record_chat(place.path / ".ritornello", 4, sentence="Nothing of it is said here.")
    busy = shutil.copytree(other, other.with_name("01BUSY"))
    lock = RunLock.exclusive(busy)
    try:
        ran = place.look("erase", other.name, "--text", "text.txt", *WHY)
    finally:
        lock.release()

    first = Workspace.open(place.path / ".ritornello").runs()[0].run
    assert ran.code == 0
    assert f"stays in      run {first}, which is no copy: erase there too\n" in ran.out
    assert "not read      run 01BUSY: in use or damaged; erase again later\n" in ran.out
    assert "nothing of it was found in this run" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "say what to erase"),
        (("--event", "9999"), 4, "there is no event 9999"),
        (("--subject", "ab"), 2, "stands everywhere"),
        (("--text", "nowhere.txt"), 4, "nowhere.txt"),
        (("--text", "text.txt", "--subject", "12 Café Lane"), 2, "two erasures"),
    ],
)
def test_what_cannot_be_asked_for_is_said(place, arguments, code, said):
    ran = place.look("erase", "last", *arguments, *WHY, "--yes")

    assert (ran.code, said in ran.err) == (code, True)
    assert holds_the_sentence(place.path / ".ritornello")


@pytest.mark.full
def test_a_subject_is_erased_wherever_the_name_stands_in_any_case(place):
    ran = place.look("erase", "last", "--subject", "12 CAFé LANE", *WHY, "--yes")

    assert ran.code == 0
    assert holds_the_sentence(place.path / ".ritornello") == []


def test_a_hold_is_placed_shown_and_released(place):
    held = place.look("hold", "last", "--reason", "case 7", "--authority", "court")
    refused = place.look("erase", "last", "--text", "text.txt", *WHY, "--yes")
    shown = place.look("hold", "last", "--json")
    released = place.look("hold", "last", "--release", "--reason", "closed", "--authority", "court")
    erased = place.look("erase", "last", "--text", "text.txt", *WHY, "--yes")

    assert (held.code, refused.code, released.code, erased.code) == (0, 6, 0, 0)
    assert "the run is held: case 7" in refused.err
    named = re.search(
        r"`ritornello (hold [0-9A-Z]{26} --release) --reason WHY --authority WHO`", refused.err
    )
    assert named is not None
    assert [each["reason"] for each in shown.report["holds"]] == ["case 7"]
    assert place.look("hold", "last", "--json").report["holds"] == []
    assert place.look("verify", "--workspace").code == 0


def test_a_hold_needs_a_reason_and_a_release_something_to_release(place):
    assert place.look("hold", "last", "--reason", "case 7").code == 2
    assert place.look("hold", "last", "--release", *WHY).code == 2
    unsaid = place.look("hold", "last", "--release")
    assert unsaid.code == 2
    assert unsaid.err.splitlines() == [
        "usage: a release takes both --reason and --authority",
        "  where: run last",
        "  try: `ritornello hold last --release --reason WHY --authority WHO`",
    ]


def test_retention_says_what_is_overdue_and_a_hold_beats_it(place):
    (place.path / "policy.toml").write_text(
        'version = 1\n[classes.all]\nentries = ["*"]\nkeep_days_max = 0\n'
    )
    overdue = place.look("retention", "policy.toml", "--json")
    place.look("hold", "last", "--reason", "case 7", "--authority", "court")
    held = place.look("retention", "policy.toml")

    assert (overdue.code, overdue.report["runs"][0]["verdict"]) == (1, "overdue")
    assert (held.code, "keep" in held.out, "held" in held.out) == (0, True, True)
    assert place.look("retention", "nowhere.toml").code == 4
    assert place.look("retention", "text.txt").code == 2


def test_a_recorded_command_is_of_the_class_of_its_command_line(recorded, tmp_path):
    (tmp_path / "policy.toml").write_text(
        'version = 1\n[classes.agents]\nentries = ["python agent*"]\nkeep_days_min = 30\n'
        '[classes.other]\nentries = ["*"]\nkeep_days_max = 0\n'
    )
    shutil.copytree(recorded.path / ".ritornello", tmp_path / ".ritornello")
    place = type(recorded)(tmp_path)

    ran = place.look("retention", "policy.toml", "--json")
    (tmp_path / ".ritornello" / "runs" / ran.report["runs"][0]["run"] / "log.duckdb").write_bytes(
        b"x"
    )
    unread = place.look("retention", "policy.toml", "--json")

    assert [(each["name"], each["verdict"]) for each in ran.report["runs"]] == [("agents", "keep")]
    assert [(each["name"], each["verdict"]) for each in unread.report["runs"]] == [
        (None, "no class")
    ]
    assert (ran.code, unread.code) == (0, 0)


def test_a_run_with_a_key_in_an_answer_leaves_only_without_it(tmp_path, recorded):
    record_chat(tmp_path / ".ritornello", 5, sentence=f"Use {PLANTED} for it.")
    place = type(recorded)(tmp_path)
    (tmp_path / "key.txt").write_text(PLANTED)

    refused = place.look("export", "last", "-o", "run.ritornello")
    again = place.look("export", "last", "-o", "run.ritornello")

    assert (refused.code, again.code) == (6, 6)
    assert not (tmp_path / "run.ritornello").exists()
    kinds = [header.kind for header, _ in Workspace.open(tmp_path / ".ritornello").payloads()]
    assert kinds.count("SecretsFound") == 1
    assert place.look("erase", "last", "--text", "key.txt", *WHY, "--yes").code == 0
    assert place.look("export", "last", "-o", "run.ritornello").code == 0
    assert place.look("scan", "run.ritornello").code == 0


@pytest.mark.full
def test_a_sentence_of_turn_3_of_50_is_gone_and_all_prompts_verify_with_holes(place):
    place.write("chat.py", CHAT)
    shutil.rmtree(place.path / ".ritornello")
    with ScriptedProvider(mode="wild", script=answers_with(SENTENCE, 50)) as provider:
        environment = {"CHAT_URL": provider.base_url, "TURNS": "50"}
        recording = place.run("record", "--", "python", "chat.py", env=environment)
    assert recording.code == 0, recording.err
    assert holds_the_sentence(place.path / ".ritornello")
    before = place.look("verify", "last", "--json").report

    ran = place.look("erase", "last", "--text", "text.txt", *WHY, "--yes", "--json")
    export = place.look("export", "last", "-o", "after.ritornello")
    replay = place.run("replay", "last", "--json")

    run = ran.report["runs"][0]
    after = place.look("verify", "last", "--json").report
    bundle = place.look("verify", "after.ritornello", "--json").report
    assert (ran.code, export.code, replay.code) == (0, 0, 6)
    assert holds_the_sentence(place.path / ".ritornello") == []
    assert run["records"]["RequestSent"] == 46  # those of the turns after it
    assert before["root"] == after["root"] == bundle["root"]
    assert after["holes"]["erased"] == bundle["holes"]["erased"] == len(run["parts"])
    assert bundle["workspaces"][0]["records"][-1] == "RunErased"
    verdict = replay.report
    assert (verdict["verdict"], verdict["events"]) == ("erased", run["stops_at"])
    with zipfile.ZipFile(place.path / "after.ritornello") as members:
        plain = b"".join(members.read(name) for name in members.namelist())
    assert b"forty-two" not in plain
    assert json.dumps(SENTENCE)[1:20].encode() not in plain


@pytest.mark.full
def test_a_run_whose_start_is_erased_verifies_and_its_replay_is_refused(tmp_path, recorded):
    place = type(recorded)(tmp_path)
    place.write("agent.py", "import sys\nprint('to', sys.argv[1])\n")
    assert place.run("record", "--", "python", "agent.py", PERSON).code == 0

    erased = place.look("erase", "last", "--subject", PERSON, *WHY, "--yes", "--json")
    export = place.look("export", "last", "-o", "run.ritornello")

    assert (erased.code, erased.report["runs"][0]["stops_at"], export.code) == (0, 0, 0)
    assert place.look("verify", "last", "run.ritornello").code == 0
    for again in ("last", "run.ritornello"):
        ran = place.run("replay", again, "--allow-command")
        assert (ran.code, "payload is erased" in ran.err) == (6, True)
