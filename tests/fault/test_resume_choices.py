"""What becomes of what was in flight, and when a run does not go on: then nothing was changed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import replay
from orchestrator.testing import Answer, Echo, Script, ScriptedProvider
from replay.errors import IntegrityError, LogError, NotFoundError, ResumeError, UsageError
from replay.log.duckdb_store import DuckDBStore
from replay.log.workspace import Workspace
from tests.fault.resuming.cutting import cut, cut_behind, digests, entries_of
from tests.fault.resuming.scene import look

DONE = []


@replay.effect
async def charge(amount: int) -> str:
    DONE.append(amount)
    return f"charged {amount}"


async def _pay():
    try:
        return await charge(7)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _stopped_while_charging(tmp_path, main=_pay):
    recording = replay.record(main, workspace=tmp_path / "whole")
    DONE.clear()
    place = tmp_path / "stopped"
    return place, cut_behind(recording, place, "EffectStarted")


def test_an_effect_in_flight_is_asked_about_and_nothing_is_done(tmp_path):
    place, _ = _stopped_while_charging(tmp_path)
    before = digests(place)
    report = replay.resume("last", _pay, workspace=place).report
    assert report.verdict == "asks"
    (effect,) = report.undecided
    assert (effect.name, effect.repeatable) == ("effect charge", True)
    assert "test_resume_choices.py" in effect.place
    assert DONE == []
    assert digests(place) == before
    with pytest.raises(ResumeError):
        replay.resume("last", _pay, workspace=place).result()


def test_an_effect_in_flight_is_done_again_if_somebody_says_so(tmp_path):
    place, _ = _stopped_while_charging(tmp_path)
    seq = replay.resume("last", _pay, workspace=place).report.undecided[0].seq
    resumption = replay.resume("last", _pay, workspace=place, again=[seq])
    assert resumption.result() == "charged 7"
    assert [each.seq for each in resumption.report.effects_again] == [seq]
    assert DONE == [7]
    assert replay.replay("last", _pay, workspace=place).verdict == "identical"


@pytest.mark.parametrize("choice", ["again", "fail"])
def test_a_choice_about_what_is_not_in_flight_is_refused_by_number(tmp_path, choice):
    place, _ = _stopped_while_charging(tmp_path)
    seq = replay.resume("last", _pay, workspace=place).report.undecided[0].seq
    before = digests(place)

    with pytest.raises(UsageError, match=r"^1 is no effect") as caught:
        replay.resume("last", _pay, workspace=place, **{choice: [1, seq]})

    assert caught.value.hint == f"these have none: {seq}"
    assert DONE == []
    assert digests(place) == before


@pytest.mark.full
def test_an_effect_in_flight_fails_if_somebody_says_so(tmp_path):
    place, _ = _stopped_while_charging(tmp_path)
    seq = replay.resume("last", _pay, workspace=place).report.undecided[0].seq
    resumption = replay.resume("last", _pay, workspace=place, fail=[seq])
    assert resumption.result().startswith("OutsideError: the run had stopped")
    assert resumption.report.failed == (seq,)
    assert DONE == []
    assert replay.replay("last", _pay, workspace=place).verdict == "identical"


def test_a_program_that_goes_another_way_changes_nothing(tmp_path):
    place, _ = _stopped_while_charging(tmp_path)
    before = digests(place)

    async def other():
        return await charge(8)

    report = replay.resume("last", other, workspace=place, again=[2]).report
    assert report.verdict == "diverged"
    assert report.divergence is not None
    assert DONE == []
    assert digests(place) == before


@pytest.mark.full
def test_it_can_be_awaited_and_a_workflow_has_it(tmp_path):
    @replay.workflow
    async def pay(amount: int) -> str:
        return await charge(amount)

    recording = pay.record(9, workspace=tmp_path / "whole")
    DONE.clear()
    cut_behind(recording, tmp_path / "w", "TaskSpawned")

    async def service():
        return await pay.resume("last", workspace=tmp_path / "w")

    # Recorded alone, resumed beside a service: it goes on all the same.
    assert asyncio.run(service()).result() == "charged 9"
    cut_behind(recording, tmp_path / "v", "TaskSpawned")
    assert pay.resume("last", workspace=tmp_path / "v").result() == "charged 9"
    assert DONE == [9, 9]


def test_looking_at_a_run_that_stopped_changes_no_byte(tmp_path):
    recording = replay.record(_pay, workspace=tmp_path / "whole")
    place = tmp_path / ".ritornello"
    cut_behind(recording, place, "EffectStarted")
    before = digests(place)
    assert recording.run_id in look(tmp_path, "runs")
    assert "charge" in look(tmp_path, "events", "last")
    for verb in (["show", "last"], ["verify", "last"], ["verify", "--workspace"]):
        assert look(tmp_path, *verb)
    assert digests(place) == before


def test_a_sealed_run_does_not_go_on(tmp_path):
    replay.record(_pay, workspace=tmp_path)
    before = digests(tmp_path)
    with pytest.raises(UsageError, match="sealed"):
        replay.resume("last", _pay, workspace=tmp_path)
    assert digests(tmp_path) == before


def test_a_sealed_run_whose_end_was_not_entered_is_entered(tmp_path):
    recording = replay.record(_pay, workspace=tmp_path / "whole")
    entries = entries_of(recording.directory)
    cut(entries, recording.run_id, len(entries), tmp_path / "w")
    report = replay.resume("last", _pay, workspace=tmp_path / "w").report
    assert (report.verdict, report.reason, report.root) == (
        "sealed",
        "completed",
        recording.root,
    )
    (run,) = Workspace.open(tmp_path / "w").runs()
    assert (run.state, run.resumes) == ("closed", 0)


def test_a_run_without_a_record_has_nothing_to_go_on_from(tmp_path):
    recording = replay.record(_pay, workspace=tmp_path / "whole")
    cut([], recording.run_id, 0, tmp_path / "w")
    with pytest.raises(NotFoundError, match="nothing of the run was recorded"):
        replay.resume("last", _pay, workspace=tmp_path / "w")


def test_a_run_that_is_being_resumed_is_not_resumed_twice(tmp_path):
    place, directory = _stopped_while_charging(tmp_path)
    code = (
        "import sys, fcntl, os\n"
        f"f = os.open({str(directory / 'run.lock')!r}, os.O_RDWR)\n"
        "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LogError, match="is being written by"):
            replay.resume("last", _pay, workspace=place)
        holder.stdin.close()
    assert replay.resume("last", _pay, workspace=place).report.verdict == "asks"


@pytest.mark.full
def test_a_damaged_record_does_not_go_on(tmp_path):
    place, directory = _stopped_while_charging(tmp_path)
    data = bytearray((directory / "head").read_bytes())
    lines = bytes(data).split(b"\n")
    lines[1] = b"99"
    (directory / "head").write_bytes(b"\n".join(lines))
    with pytest.raises(IntegrityError):
        replay.resume("last", _pay, workspace=place)


# --- responses that the program has begun to read ------------------------------------------------


def _reader(url, seen):
    async def main():
        body = {
            "model": "m",
            "max_tokens": 300,
            "stream": True,
            "messages": [{"role": "user", "content": "tell me everything"}],
        }
        async with (
            httpx.AsyncClient() as client,
            client.stream("POST", f"{url}/v1/messages", json=body) as response,
        ):
            try:
                async for piece in response.aiter_bytes():
                    seen.append(piece)
            except httpx.ReadError as error:
                return f"broken: {error}"
        return b"".join(seen).decode()

    return main


@pytest.mark.parametrize("mode", ["pure", "wild"])
def test_a_response_goes_on_behind_what_was_read_if_it_begins_the_same(tmp_path, mode):
    with ScriptedProvider(mode=mode) as provider:
        recording = replay.record(_reader(provider.base_url, []), workspace=tmp_path / "whole")
        whole = recording.result()
        place = tmp_path / "w"
        cut_behind(recording, place, "ChunksReceived")
        seen = []
        resumption = replay.resume("last", _reader(provider.base_url, seen), workspace=place)
        (sent,) = resumption.report.requests_sent_again
        assert sent.differed == (mode == "wild")
        if mode == "pure":
            assert resumption.result() == whole
        else:
            assert resumption.result().startswith("broken: the repeated request")
        replayed = replay.replay("last", _reader(provider.base_url, []), workspace=place)
        assert replayed.verdict == "identical"
        assert len(provider.requests) == 2


# --- files ------------------------------------------------------------------------------------


def _writer(url):
    async def main():
        with Path("notes.txt").open("a") as notes, Path("new.txt").open("w") as new:  # noqa: ASYNC230
            notes.write("before\n")
            notes.flush()
            new.write("buffered, not yet on the disk; ")
            async with httpx.AsyncClient() as client:
                await client.get(f"{url}/v1/models")
            notes.write("after\n")
            new.write("and now it is")
        return "written"

    return main


def _stopped_while_writing(tmp_path, monkeypatch, provider, there):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("old\n")
    recording = replay.record(_writer(provider.base_url), workspace=tmp_path / "whole")
    assert recording.result() == "written"
    cut_behind(recording, tmp_path / "w", "RequestSent")
    (tmp_path / "notes.txt").write_text(there)
    (tmp_path / "new.txt").write_text("")


@pytest.mark.parametrize("there", ["old\n", "old\nbefo", "old\nbefore\n"])
def test_a_file_is_gone_on_with_and_nothing_is_written_twice(tmp_path, monkeypatch, there):
    with ScriptedProvider() as provider:
        _stopped_while_writing(tmp_path, monkeypatch, provider, there)
        program = _writer(provider.base_url)
        assert replay.resume("last", program, workspace=tmp_path / "w").result() == "written"
    assert (tmp_path / "notes.txt").read_text() == "old\nbefore\nafter\n"
    assert (tmp_path / "new.txt").read_text() == "buffered, not yet on the disk; and now it is"
    assert replay.replay("last", program, workspace=tmp_path / "w").verdict == "identical"


def test_a_file_that_somebody_changed_is_refused_by_name(tmp_path, monkeypatch):
    with ScriptedProvider() as provider:
        _stopped_while_writing(tmp_path, monkeypatch, provider, "old\nsomebody else's\n")
        before = digests(tmp_path)
        with pytest.raises(ResumeError, match=r"notes\.txt is not what this run left"):
            replay.resume("last", _writer(provider.base_url), workspace=tmp_path / "w")
        assert digests(tmp_path) == before


def test_a_file_that_is_ahead_of_the_record_is_told_from_a_changed_one(tmp_path, monkeypatch):
    with ScriptedProvider() as provider:
        _stopped_while_writing(tmp_path, monkeypatch, provider, "old\nbefore\naft")
        program = _writer(provider.base_url)
        with pytest.raises(ResumeError, match="longer than what is on record") as ahead:
            replay.resume("last", program, workspace=tmp_path / "w")
        size = len("old\nbefore\n")
        assert f"`truncate -s {size}`" in str(ahead.value.hint)
        os.truncate("notes.txt", size)
        assert replay.resume("last", program, workspace=tmp_path / "w").result() == "written"
    assert (tmp_path / "notes.txt").read_text() == "old\nbefore\nafter\n"


# --- secrets ----------------------------------------------------------------------------------

KEY = "sk-ant-api03-" + "harbourHARBOUR0123" * 3


def _keyed(url, other=None):
    async def main():
        key = os.environ["SHIP_API_KEY"]
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
        async with httpx.AsyncClient(headers={"x-api-key": key}) as client:
            for number in range(3):
                to = other if other is not None and number == 2 else url
                body["messages"][0]["content"] = f"hello {number}"
                answer = await client.post(f"{to}/v1/messages", json=body)
                print(answer.status_code, key in answer.text)
        return key

    return main


@pytest.fixture
def keyed(tmp_path, monkeypatch):
    monkeypatch.setenv("SHIP_API_KEY", KEY)
    with ScriptedProvider() as provider:
        recording = replay.record(_keyed(provider.base_url), workspace=tmp_path / "whole")
        assert recording.result() == KEY
        cut_behind(recording, tmp_path / "w", "RequestSent", count=2)
        yield provider, tmp_path / "w"


def test_the_wire_gets_the_secret_and_the_program_does_not(keyed):
    provider, place = keyed
    resumption = replay.resume("last", _keyed(provider.base_url), workspace=place)
    held = resumption.result()
    assert held != KEY
    assert len(held) == len(KEY)
    assert [request.header("x-api-key") for request in provider.requests] == [KEY] * 5
    data = b"".join(file.read_bytes() for file in resumption.recording.directory.iterdir())
    assert KEY.encode() not in data
    replayed = replay.replay("last", _keyed(provider.base_url), workspace=place)
    assert replayed.verdict == "identical"


def test_a_secret_that_is_not_there_is_named_before_anything_happens(keyed, monkeypatch):
    provider, place = keyed
    monkeypatch.delenv("SHIP_API_KEY")
    before = digests(place)
    with pytest.raises(NotFoundError, match="SHIP_API_KEY is not set"):
        replay.resume("last", _keyed(provider.base_url), workspace=place)
    monkeypatch.setenv("SHIP_API_KEY", "another-key-of-another-form-0123")
    with pytest.raises(NotFoundError, match="SHIP_API_KEY has another length or form"):
        replay.resume("last", _keyed(provider.base_url), workspace=place)
    assert digests(place) == before
    assert len(provider.requests) == 3


def test_a_secret_goes_to_no_other_host_unless_somebody_says_so(keyed):
    provider, place = keyed
    with ScriptedProvider() as other:
        program = _keyed(provider.base_url, other.base_url)
        host = other.base_url.removeprefix("http://")
        with pytest.raises(ResumeError, match=f"would go to http://{host}") as refused:
            replay.resume("last", program, workspace=place)
        assert refused.value.hint == f"if it may: --secret-to {host}"
        assert other.requests == ()
        resumption = replay.resume("last", program, workspace=place, secret_to=[host])
        assert resumption.report.verdict == "sealed"
        assert [request.header("x-api-key") for request in other.requests] == [KEY]
    assert replay.replay("last", program, workspace=place).verdict == "identical"


@pytest.mark.full
def test_a_run_that_was_made_elsewhere_does_not_go_on_here(tmp_path):
    recording = replay.record(_pay, workspace=tmp_path / "whole")
    place = Workspace.open(tmp_path / "w")
    directory = place.imported(recording.run_id, 1, bytes(32), "0" * 64, 1)
    DuckDBStore.create(directory).close()
    with pytest.raises(UsageError, match="came from elsewhere"):
        replay.resume("last", _pay, workspace=tmp_path / "w")


# --- child processes --------------------------------------------------------------------------


def _steward():
    code = "print('one', flush=True); import time; time.sleep(0.05); print('two')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.full
@pytest.mark.parametrize(
    ("kind", "repeatable"), [("ProcessStarted", True), ("ProcessWrote", False)]
)
def test_a_process_in_flight_is_asked_about(tmp_path, kind, repeatable):
    recording = replay.record(_steward, workspace=tmp_path / "whole")
    assert recording.result() == (0, "one\ntwo\n")
    place = tmp_path / "w"
    cut_behind(recording, place, kind)
    report = replay.resume("last", _steward, workspace=place).report
    (process,) = report.undecided
    assert (report.verdict, process.repeatable) == ("asks", repeatable)
    again = replay.resume("last", _steward, workspace=place, again=[process.seq])
    if repeatable:
        assert again.result() == (0, "one\ntwo\n")
    else:
        assert again.report.verdict == "asks"
        failed = replay.resume("last", _steward, workspace=place, fail=[process.seq])
        code, out = failed.result()
        assert code == -9
        assert out.strip() == "one"
    assert replay.replay("last", _steward, workspace=place).verdict == "identical"


@pytest.mark.full
def test_an_answer_that_repeats_the_secret_shows_its_surrogate(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("SHIP_API_KEY", KEY)
    with ScriptedProvider(script=Script(default=Answer(echo=Echo()))) as provider:
        program = _keyed(provider.base_url)
        recording = replay.record(program, workspace=tmp_path / "whole")
        cut_behind(recording, tmp_path / "w", "RequestSent", count=2)
        capfd.readouterr()
        resumption = replay.resume("last", program, workspace=tmp_path / "w")
    assert resumption.result() != KEY
    # What the program holds stands in what it reads, before the stop and behind it.
    assert capfd.readouterr().out == "200 True\n" * 3
    data = b"".join(file.read_bytes() for file in resumption.recording.directory.iterdir())
    assert KEY.encode() not in data
    assert replay.replay("last", program, workspace=tmp_path / "w").verdict == "identical"
