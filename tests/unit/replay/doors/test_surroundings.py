"""Runs that ask about their surroundings replay in others, and old records as they were made."""

import _strptime
import asyncio
import io
import locale
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from replay.doors.surroundings.answering import SystemFailure
from replay.doors.surroundings.setting import Setting
from replay.errors import IntegrityError
from replay.events.kinds import Reading, ReadingsTaken, RunStarted
from replay.log.duckdb_store import DuckDBStore
from replay.session import answers, record
from replay.session.answers import RecordedAnswers
from replay.session.record import record_program
from replay.session.replay import replay_log
from tests.http.scenes import fake_key
from tests.support.reruns import identical


def readings_of(found):
    """Return (source, argument) of all readings of a run."""
    taken = [
        answered
        for entry in found.entries
        if entry.header.kind == "ReadingsTaken"
        for answered in _payload(entry)
    ]
    return [(each.source, each.argument) for each in taken]


def _payload(entry):
    head = b"".join(part.data for part in entry.brought)
    return msgspec.json.decode(head, type=ReadingsTaken).readings


def replayed(recording, program):
    store = DuckDBStore.open(recording.directory, read_only=True)
    with closing(store):
        return replay_log(store, program, dialects=())


def test_a_fact_of_the_process_is_asked_once_however_often_it_is_read(tmp_path):
    async def main():
        for _ in range(3):
            print(os.getpid(), Path.cwd(), os.cpu_count(), platform.node(), os.uname().sysname)

    found = identical(main, tmp_path)

    asked = readings_of(found)
    assert len(asked) == len(set(asked))
    assert {source for source, _ in asked} == {"process.platform", "process.uname"}


def test_a_replay_stays_where_it_is_and_answers_where_the_program_went(tmp_path, monkeypatch):
    went = tmp_path / "went"
    went.mkdir()

    def program():
        os.chdir(went)
        print(Path.cwd())
        try:
            os.chdir("no-such")
        except FileNotFoundError as error:
            print(error)
        return str(Path.cwd())

    before = Path.cwd()
    recording = record_program(program, workspace=tmp_path, entry="test", dialects=())
    os.chdir(before)
    went.rmdir()

    report = replayed(recording, program)

    assert report.verdict == "identical", report
    assert (recording.result(), Path.cwd()) == (str(went), before)


def test_a_terminal_that_there_is_not_is_an_answer_too(tmp_path, monkeypatch):
    async def main():
        print(sys.stdout.isatty(), shutil.get_terminal_size((7, 8)))
        try:
            os.get_terminal_size(0)
        except OSError as error:
            print(error)

    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)
    found = identical(main, tmp_path)

    assert found.lines[0] == "False os.terminal_size(columns=7, lines=8)"


def test_input_comes_from_the_record_and_the_prompt_is_output(tmp_path, monkeypatch):
    def program():
        time.time()  # an open record of readings, while somebody waits for the prompt
        name = input("name? ")
        return name, sys.stdin.read()

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ada\nrest\n")))
    recording = record_program(program, workspace=tmp_path, entry="test", dialects=())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"eve\n")))

    report = replayed(recording, program)

    assert recording.result() == ("ada", "rest\n")
    assert report.verdict == "identical", report
    assert sys.stdin.read() == "eve\n"  # a replay reads none of its own


def test_the_end_of_the_input_is_an_error_of_input(tmp_path, monkeypatch):
    def program():
        with pytest.raises(EOFError):
            input()
        return sys.stdin.readline()

    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    recording = record_program(program, workspace=tmp_path, entry="test", dialects=())

    assert recording.result() == ""
    assert replayed(recording, program).verdict == "identical"


def test_the_output_has_the_recorded_encoding_and_not_the_replays(tmp_path, monkeypatch):
    def program():
        print("ü", sys.stdout.encoding)

    def latin():
        return io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="replace")

    def utf8():
        return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")

    monkeypatch.setattr(sys, "stdout", latin())
    recording = record_program(program, workspace=tmp_path, entry="test", dialects=())
    seen = sys.stdout.buffer.getvalue()
    monkeypatch.setattr(sys, "stdout", utf8())
    report = replayed(recording, program)

    assert report.verdict == "identical", report
    assert seen == sys.stdout.buffer.getvalue() == b"\xfc latin-1\n"


def test_a_temporary_name_of_a_run_is_not_one_of_the_process(tmp_path):
    tempfile.mktemp()  # the process has its generator and its directory now

    async def main():
        print(tempfile.mktemp(), tempfile.gettempdir(), threading.get_native_id())

    identical(main, tmp_path)


def test_a_directory_that_the_program_chose_is_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)

    async def main():
        tempfile.tempdir = str(tmp_path)
        print(tempfile.gettempdir())
        tempfile.tempdir = None

    assert identical(main, tmp_path).lines == [str(tmp_path)]


def test_a_locale_is_answered_as_a_whole(tmp_path):
    async def main():
        print(locale.setlocale(locale.LC_ALL, "C"), locale.localeconv()["decimal_point"])
        try:
            locale.setlocale(locale.LC_ALL, "xx_YY.no-such")
        except locale.Error as error:
            print(error)

    before = locale.setlocale(locale.LC_ALL)
    found = identical(main, tmp_path)

    assert found.lines == ["C .", "unsupported locale setting"]
    assert locale.setlocale(locale.LC_ALL) == before


def test_tables_that_the_process_keeps_ask_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(_strptime, "_TimeRE_cache", _strptime.TimeRE())
    monkeypatch.setattr(_strptime._TimeRE_cache.locale_time, "lang", "made anew")

    async def main():
        print(datetime.strptime("2024-05-06", "%Y-%m-%d"), time.strptime("1", "%d").tm_mday)

    found = identical(main, tmp_path)

    assert [each for each in readings_of(found) if each[0] in {"setlocale", "tzset"}] == []


def test_a_secret_that_is_typed_is_no_more_in_the_record_than_elsewhere(tmp_path, monkeypatch):
    secret = fake_key()
    monkeypatch.setenv("SOME_API_KEY", secret)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{secret}\n"))

    def program():
        return len(input())

    recording = record_program(program, workspace=tmp_path, entry="test", dialects=())

    store = DuckDBStore.open(recording.directory, read_only=True)
    with closing(store):
        parts = [part.data or b"" for entry in store.entries() for part in entry.brought]
    assert secret.encode() not in b"".join(parts)
    assert replayed(recording, program).verdict == "identical"


class OldInputs:
    """A record of the first version: it has no answer to anything new."""

    def reading(self, source, argument):
        raise AssertionError(source)


def test_an_old_record_is_not_asked_what_was_not_answered_then():
    old = RecordedAnswers(None, OldInputs(), Setting(), 1)

    assert old.answer("process.pid", "", lambda: 7) == 7
    assert old.answer("process.is_terminal", "stdout", lambda: True) is False
    assert old.answer("times", "", lambda: ["1.0"]) == ["1.0"]
    with pytest.raises(AssertionError, match="urandom"):
        old.answer("urandom", "8", lambda: b"")


def test_a_record_of_the_first_version_replays(tmp_path, monkeypatch):
    """Forge one: no setting, no facts, no flag."""

    def program():
        return time.time(), os.getpid(), sys.stdout.isatty()

    class Old(answers.LiveAnswers):
        def answer(self, source, argument, live):
            if source in answers._FIRST or source.endswith("_ns"):
                return super().answer(source, argument, live)
            return False if source == "process.is_terminal" else live()

    monkeypatch.setattr(record, "LiveAnswers", Old)
    flags = {name: flag for name, flag in record.SCHEDULER_FLAGS.items() if name != "answers"}
    monkeypatch.setattr(record, "SCHEDULER_FLAGS", flags)
    monkeypatch.setattr(
        record, "RunStarted", lambda **given: RunStarted(**{**given, "argv": (), "setting": {}})
    )
    recording = record_program(program, workspace=tmp_path, entry="test", dialects=())

    report = replayed(recording, program)

    assert report.verdict == "identical", report
    assert recording.result()[1:] == (os.getpid(), False)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (SystemFailure(25), SystemFailure(25)),
        (b"text", b"text"),
        (b"\xff\x00", b"\xff\x00"),
        (["80", "24"], ["80", "24"]),
        ("\udcff", "\udcff"),
        (None, None),
    ],
)
def test_each_form_of_an_answer_comes_back_from_its_record(value, wanted):
    reading = Reading("stdin", "", answers._encode(value, "stdin"), 0)

    assert answers.decoded(reading) == wanted


@pytest.mark.parametrize("raw", [b'{"errno":"x"}', b'{"errno":"1","b":"2"}', b'{"what":"AA=="}'])
def test_a_malformed_answer_is_refused(raw):
    with pytest.raises(IntegrityError):
        found = answers.decoded(Reading("stdin", "", msgspec.Raw(raw), 0))
        assert type(found) is not bytes


def test_imports_look_where_the_code_is(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend("")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "found_by_name_only.py").write_text("X = 1\n")

    async def main():
        sys.modules.pop("found_by_name_only", None)
        import found_by_name_only

        print(found_by_name_only.X)
        await asyncio.sleep(0)

    found = identical(main, tmp_path / "workspace")

    assert ("process.directory", "") not in readings_of(found)
