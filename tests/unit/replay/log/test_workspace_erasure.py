"""The workspace's own log is written anew without a payload; who had it open goes on behind it."""

import threading
from pathlib import Path

import pytest

from replay.errors import IntegrityError
from replay.events.workspace_kinds import RunClosed, RunErased, RunRegistered
from replay.log.frames import FrameFile
from replay.log.head import HEAD_NAME
from replay.log.workspace_check import check_workspace, summarize
from replay.log.workspace_log import LOG_NAME, WorkspaceLog, payloads_of

WORDS = "python ask.py 'my words'"


def a_log(directory):
    log = WorkspaceLog(directory)
    log.append(RunRegistered(run="A", entry=WORDS), 1)
    log.append(RunClosed(run="A", size=1, root="00", reason="completed"), 2)
    return log


def erased(log):
    log.append(
        RunErased(
            run="A",
            size=1,
            root="00",
            parts=(),
            events=(),
            reason="",
            authority="",
            registered=(1,),
        ),
        3,
    )
    log.erase(frozenset({1}))


def test_the_payload_is_gone_and_tree_and_run_are_as_they_were(tmp_path):
    log = a_log(tmp_path)
    erased(log)

    entries, tail = log.entries()
    assert WORDS.encode() not in (tmp_path / LOG_NAME).read_bytes()
    assert [payload is None for _, payload in payloads_of(entries)] == [False, True, False, False]
    assert tail == 0
    (tmp_path / "runs" / "A").mkdir(parents=True)
    found = check_workspace(log, tmp_path / "runs")
    assert (found.integrity, found.head, found.gone, found.unnamed) == ("ok", "matches", (), ())
    (run,) = summarize(entries, tmp_path / "runs")
    assert (run.run, run.entry, run.state, run.size) == ("A", None, "closed", 1)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_who_waits_for_the_lock_appends_to_the_new_file(tmp_path):
    log = a_log(tmp_path)
    path = tmp_path / LOG_NAME
    waiting = threading.Thread(target=log.append, args=(RunRegistered(run="B", entry="b"), 4))

    with FrameFile.locked(path) as file:
        waiting.start()
        while len(descriptors_of(path)) < 2:
            pass
        file.replace(list(file.read().frames))
    waiting.join()

    entries, tail = WorkspaceLog(tmp_path).entries()
    assert ([entry.header.kind for entry in entries][-1], len(entries), tail) == (
        "RunRegistered",
        4,
        0,
    )


@pytest.mark.parametrize("head", ["kept", "gone"])
def test_a_log_that_lost_records_since_is_not_taken_for_one_written_anew(tmp_path, head):
    log = a_log(tmp_path)
    with FrameFile.locked(tmp_path / LOG_NAME) as file:
        file.replace(list(file.read().frames[:-1]))
    if head == "gone":
        (tmp_path / HEAD_NAME).unlink()

    with pytest.raises(IntegrityError, match="does not hold any more"):
        log.append(RunRegistered(run="B", entry="b"), 4)


def test_a_log_with_an_end_that_cannot_be_read_is_left_alone(tmp_path):
    log = a_log(tmp_path)
    with (tmp_path / LOG_NAME).open("ab") as file:
        file.write(b"torn")
    before = (tmp_path / LOG_NAME).read_bytes()

    with pytest.raises(IntegrityError, match="cannot be read"):
        log.erase(frozenset({1}))

    assert (tmp_path / LOG_NAME).read_bytes() == before


def descriptors_of(path):
    return [
        each for each in Path("/proc/self/fd").iterdir() if each.exists() and each.samefile(path)
    ]
