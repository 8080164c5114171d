"""A run that was started shows, whatever became of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import msgspec
import pytest

from replay.errors import IntegrityError, LogError, NotFoundError, UsageError
from replay.log.frames import read_frames
from replay.log.head import read_head
from replay.log.lock import RunLock
from replay.log.run_id import new_run_id
from replay.log.workspace import Workspace
from replay.log.workspace_check import WorkspaceCheck
from replay.log.workspace_log import decode_entry, encode_entry

NOW = 1_700_000_000_000_000
FIRST = new_run_id(1_700_000_000_000, bytes(10))
SECOND = new_run_id(1_700_000_000_001, bytes(10))
ROOT = bytes(range(32))


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / ".ritornello")


@pytest.fixture
def log(workspace):
    return workspace.path / "workspace.log"


def codes(check):
    return [finding.code for finding in check.findings]


class TestRunId:
    def test_it_is_a_ulid(self):
        """The time part of the specification's example."""
        assert new_run_id(1469918176385, bytes(10)) == "01ARYZ6S41" + "0" * 16

    def test_all_bits_count(self):
        assert new_run_id((1 << 48) - 1, b"\xff" * 10) == "7" + "Z" * 25

    @pytest.mark.parametrize(("now", "entropy"), [(-1, bytes(10)), (1 << 48, bytes(10)), (0, b"")])
    def test_what_does_not_fit_is_refused(self, now, entropy):
        with pytest.raises(UsageError):
            new_run_id(now, entropy)


class TestOpening:
    def test_the_layout_is_private_and_out_of_version_control(self, workspace):
        path = workspace.path

        assert sorted(name.name for name in path.iterdir()) == [".gitignore", "replays", "runs"]
        assert (path / ".gitignore").read_text() == "*\n"
        assert [(path / name).stat().st_mode & 0o777 for name in (".", "runs", "replays")] == [
            0o700
        ] * 3

    def test_opening_twice_changes_nothing(self, workspace):
        workspace.register(FIRST, "agent.py", NOW)

        assert [run.run for run in Workspace.open(workspace.path).runs()] == [FIRST]

    def test_without_create_a_missing_one_is_not_found(self, tmp_path):
        with pytest.raises(NotFoundError):
            Workspace.open(tmp_path / "absent", create=False)
        assert list(tmp_path.iterdir()) == []

    def test_a_file_in_the_way_is_named(self, tmp_path):
        (tmp_path / "taken").write_text("")

        with pytest.raises(LogError):
            Workspace.open(tmp_path / "taken")


class TestRegistering:
    def test_the_record_is_durable_before_the_directory_is_there(self, workspace):
        directory = workspace.register(FIRST, "python agent.py", NOW)

        assert directory == workspace.path / "runs" / FIRST
        assert directory.stat().st_mode & 0o777 == 0o700
        (run,) = workspace.runs()
        assert (run.run, run.entry, run.state, run.present) == (
            FIRST,
            "python agent.py",
            "open",
            True,
        )
        assert run.registered_us == NOW

    def test_nothing_is_made_when_the_record_cannot_be_written(self, workspace, log):
        log.mkdir()

        with pytest.raises(LogError):
            workspace.register(FIRST, "agent.py", NOW)
        assert list((workspace.path / "runs").iterdir()) == []

    @pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", "x" * 65, "last", "a.b", "a\n"])
    def test_an_id_cannot_lead_elsewhere(self, workspace, log, name):
        with pytest.raises(UsageError):
            workspace.register(name, "agent.py", NOW)
        assert not log.exists()

    def test_an_id_is_taken_once(self, workspace):
        workspace.register(FIRST, "agent.py", NOW)

        with pytest.raises(UsageError):
            workspace.register(FIRST, "agent.py", NOW)
        assert len(workspace.runs()) == 1

    def test_a_run_is_closed_and_exported(self, workspace):
        workspace.register(FIRST, "agent.py", NOW)
        workspace.close_run(FIRST, 12, ROOT, "completed", NOW + 1)
        workspace.exported(FIRST, 12, ROOT, "cd" * 32, NOW + 2)
        workspace.exported(FIRST, 12, ROOT, "cd" * 32, NOW + 3)

        (run,) = workspace.runs()
        assert (run.state, run.closed_us, run.size, run.root, run.reason, run.exports) == (
            "closed",
            NOW + 1,
            12,
            ROOT.hex(),
            "completed",
            2,
        )
        assert workspace.verify().findings == ()

    def test_a_run_comes_in_from_a_bundle(self, workspace):
        directory = workspace.imported(FIRST, 12, ROOT, "cd" * 32, NOW)

        assert directory.is_dir()
        assert [(run.state, run.size) for run in workspace.runs()] == [("imported", 12)]
        assert workspace.verify().open_runs == ()

    def test_several_processes_register_at_once(self, workspace):
        program = (
            "import sys, pathlib\n"
            "from replay.log.workspace import Workspace\n"
            "workspace = Workspace.open(pathlib.Path(sys.argv[1]))\n"
            "for number in range(8):\n"
            "    workspace.register(f'{sys.argv[2]}-{number}', 'agent.py', number)\n"
        )

        running = [
            subprocess.Popen(
                [sys.executable, "-c", program, workspace.path, name],
                env=os.environ | {"PYTHONPATH": "."},
            )
            for name in "ABC"
        ]

        assert [process.wait() for process in running] == [0, 0, 0]
        check = workspace.verify()
        assert (check.integrity, check.events, check.head) == ("ok", 25, "matches")
        assert sorted(run.run for run in workspace.runs()) == [
            f"{name}-{number}" for name in "ABC" for number in range(8)
        ]

    def test_two_openers_in_one_process_see_each_other(self, workspace):
        other = Workspace.open(workspace.path)
        workspace.register(FIRST, "agent.py", NOW)
        other.register(SECOND, "agent.py", NOW)
        workspace.close_run(SECOND, 1, ROOT, "failed", NOW)

        assert workspace.verify().findings == ()
        assert [run.state for run in other.runs()] == ["open", "closed"]


class TestNames:
    @pytest.fixture(autouse=True)
    def two_runs(self, workspace):
        workspace.register("01ABC", "agent.py", NOW)
        workspace.register("01ABD", "agent.py", NOW)

    @pytest.mark.parametrize(
        ("name", "run"),
        [("01ABC", "01ABC"), ("01abd", "01ABD"), ("last", "01ABD")],
    )
    def test_a_run_is_found_by_id_beginning_or_last(self, workspace, name, run):
        assert workspace.run_directory(name) == workspace.path / "runs" / run

    def test_a_whole_id_wins_over_a_beginning(self, workspace):
        workspace.register("01ABCD", "agent.py", NOW)

        assert workspace.run_directory("01ABC").name == "01ABC"

    def test_a_beginning_of_several_names_them(self, workspace):
        with pytest.raises(NotFoundError) as caught:
            workspace.run_directory("01AB")
        assert "01ABC, 01ABD" in caught.value.hint

    def test_an_unknown_name_names_the_nearest(self, workspace):
        with pytest.raises(NotFoundError) as caught:
            workspace.run_directory("01ABX")
        assert "01ABC" in caught.value.hint

    @pytest.mark.parametrize("name", ["", "..", "../runs", "/", "."])
    def test_a_name_is_never_a_path(self, workspace, name):
        with pytest.raises(NotFoundError):
            workspace.run_directory(name)

    def test_last_does_not_fall_back_to_an_older_run(self, workspace):
        shutil.rmtree(workspace.path / "runs" / "01ABD")

        with pytest.raises(NotFoundError) as caught:
            workspace.run_directory("last")
        assert "01ABD" in caught.value.message

    def test_last_of_nothing_is_not_found(self, tmp_path):
        with pytest.raises(NotFoundError):
            Workspace.open(tmp_path / "empty").run_directory("last")

    def test_a_directory_without_a_record_can_be_looked_at(self, workspace):
        (workspace.path / "runs" / "stray").mkdir()

        assert workspace.run_directory("stray").name == "stray"


class TestVerifying:
    def test_an_empty_workspace_is_whole(self, workspace):
        check = workspace.verify()

        assert (check.integrity, check.events, check.head) == ("ok", 0, "absent")

    def test_started_and_never_closed_shows_with_what_is_left(self, workspace):
        for name in ("present", "gone", "locked", "closed"):
            workspace.register(name, "agent.py", NOW)
        workspace.close_run("closed", 1, ROOT, "completed", NOW)
        shutil.rmtree(workspace.path / "runs" / "gone")
        lock = RunLock.exclusive(workspace.path / "runs" / "locked")

        check = workspace.verify()

        lock.release()
        assert [(run.run, run.directory) for run in check.open_runs] == [
            ("present", "present"),
            ("gone", "gone"),
            ("locked", "locked"),
        ]
        assert (check.integrity, check.gone, check.unnamed) == ("ok", (), ())

    def test_a_lock_file_left_by_a_dead_process_is_no_lock(self, workspace):
        directory = workspace.register(FIRST, "agent.py", NOW)
        RunLock.exclusive(directory).release()

        assert workspace.verify().open_runs[0].directory == "present"

    def test_a_discarded_run_shows(self, workspace):
        workspace.register(FIRST, "agent.py", NOW)
        workspace.close_run(FIRST, 1, ROOT, "completed", NOW)
        shutil.rmtree(workspace.path / "runs" / FIRST)

        assert workspace.verify().gone == (FIRST,)

    def test_a_directory_that_no_record_names_shows(self, workspace):
        (workspace.path / "runs" / "stray").mkdir()

        assert workspace.verify().unnamed == ("stray",)

    def test_an_end_without_a_beginning_is_a_finding(self, workspace):
        workspace.close_run(FIRST, 1, ROOT, "completed", NOW)
        workspace.close_run(FIRST, 1, ROOT, "completed", NOW)

        assert codes(workspace.verify()) == ["unregistered", "unregistered", "closed-twice"]

    def test_verifying_changes_no_byte(self, workspace, log):
        workspace.register(FIRST, "agent.py", NOW)
        log.write_bytes(log.read_bytes() + b"torn")
        before = {path: path.read_bytes() for path in workspace.path.rglob("*") if path.is_file()}

        workspace.verify()

        after = {path: path.read_bytes() for path in workspace.path.rglob("*") if path.is_file()}
        assert after == before

    def test_the_report_is_plain_json(self, workspace):
        workspace.register(FIRST, "agent.py", NOW)
        check = workspace.verify()

        assert msgspec.json.decode(msgspec.json.encode(check), type=WorkspaceCheck) == check


class TestDamage:
    @pytest.fixture(autouse=True)
    def some_records(self, workspace):
        workspace.register(FIRST, "agent.py", NOW)
        workspace.register(SECOND, "agent.py", NOW)

    def test_a_torn_tail_is_cut_off_and_that_is_recorded(self, workspace, log):
        log.write_bytes(log.read_bytes() + b"torn tail")
        assert (workspace.verify().integrity, workspace.verify().torn_bytes) == ("ok", 9)

        Workspace.open(workspace.path).close_run(FIRST, 1, ROOT, "completed", NOW)

        check = workspace.verify()
        assert (check.integrity, check.torn_bytes, check.events) == ("ok", 0, 5)
        assert b'{"kind":"TailCut","size_bytes":9}' in log.read_bytes()

    @pytest.mark.parametrize("fresh", [True, False])
    def test_a_lost_record_is_damage_and_nothing_is_appended(self, workspace, log, fresh):
        log.write_bytes(log.read_bytes()[:-5])

        check = workspace.verify()

        assert ("truncated" in codes(check), check.head) == (True, "ahead")
        before = log.read_bytes()
        writer = Workspace.open(workspace.path) if fresh else workspace
        with pytest.raises(IntegrityError):
            writer.register("another", "agent.py", NOW)
        assert log.read_bytes() == before

    def test_every_byte_is_covered(self, workspace, log):
        data = log.read_bytes()
        for place in range(0, len(data), 7):
            log.write_bytes(data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :])

            assert workspace.verify().integrity == "failed"

    def test_a_rewritten_log_contradicts_its_head(self, workspace, tmp_path, log):
        other = Workspace.open(tmp_path / "other")
        other.register(FIRST, "agent.py", NOW)
        other.register(SECOND, "harmless.py", NOW)
        log.write_bytes((other.path / "workspace.log").read_bytes())

        assert codes(workspace.verify()) == ["head"]
        with pytest.raises(IntegrityError):
            Workspace.open(workspace.path).register("another", "agent.py", NOW)

    def test_a_lost_head_is_reported_and_made_anew(self, workspace):
        (workspace.path / "head").unlink()
        assert workspace.verify().head == "absent"

        Workspace.open(workspace.path).close_run(FIRST, 1, ROOT, "failed", NOW)

        assert workspace.verify().head == "matches"

    def test_without_a_head_an_unreadable_end_is_not_cut(self, workspace, log):
        (workspace.path / "head").unlink()
        log.write_bytes(log.read_bytes() + b"torn")

        assert codes(workspace.verify()) == ["tail"]
        with pytest.raises(IntegrityError):
            Workspace.open(workspace.path).register("another", "agent.py", NOW)

    def test_an_unreadable_head_is_a_finding(self, workspace):
        (workspace.path / "head").write_text("nonsense")

        assert codes(workspace.verify()) == ["head"]

    def test_a_failed_append_is_not_remembered(self, workspace, log, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(LogError):
            workspace.close_run(FIRST, 1, ROOT, "completed", NOW)
        monkeypatch.undo()
        workspace.close_run(SECOND, 1, ROOT, "completed", NOW)

        assert workspace.verify().integrity == "ok"
        assert [run.state for run in workspace.runs()] == ["open", "closed"]

    def test_the_head_names_the_workspace(self, workspace):
        head = read_head(workspace.path)

        assert head is not None
        assert head.origin.startswith("ritornello/workspace/")


class TestFrames:
    @pytest.fixture
    def frames(self, workspace, log):
        workspace.register(FIRST, "agent.py", NOW)
        return read_frames(log).frames

    def test_a_record_survives_its_frame(self, frames):
        entry = decode_entry(frames[0], 0, 0)

        assert encode_entry(entry) == frames[0]

    def test_a_hole_survives_its_frame(self, frames):
        entry = decode_entry(frames[0], 0, 0)
        hole = msgspec.structs.replace(entry.brought[0], data=None, salt=b"", state="erased")
        entry = msgspec.structs.replace(entry, brought=(hole,))

        assert decode_entry(encode_entry(entry), 0, 0) == entry

    def test_every_cut_is_refused(self, frames):
        for size in range(len(frames[0])):
            try:
                entry = decode_entry(frames[0][:size], 0, 0)
            except IntegrityError:
                continue
            assert entry.brought == ()  # cut before its only part: its commitment then fails

    def test_a_part_in_an_unknown_state_is_refused(self, frames):
        entry = decode_entry(frames[0], 0, 0)
        bare = encode_entry(msgspec.structs.replace(entry, brought=()))

        with pytest.raises(IntegrityError):
            decode_entry(bare + b"\x09\x00\x00\x00\x00\x00", 0, 0)
