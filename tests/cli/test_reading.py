"""The verbs that only look, on one recorded run."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import msgspec
import pytest

from orchestrator.cli.reading.records import Event
from replay.log.duckdb_store import DuckDBStore
from replay.log.workspace import Workspace
from tests.cli.conftest import ROOT


def test_verify_says_what_holds_and_what_nobody_vouches_for(recorded):
    report = recorded.look("verify", "last", "--json").report

    assert report["schema"] == "ritornello/verify/1"
    assert report["integrity"] == "ok"
    assert report["completeness"] == "sealed"
    assert report["authenticity"] == "unsigned"
    assert report["anchoring"] == "none"
    assert report["head"] == "matches"


def test_runs_lists_the_run_with_its_root(recorded):
    (run,) = recorded.look("runs", "--json").report["runs"]

    assert (run["state"], run["status"]) == ("closed", "completed")
    assert run["root"] == recorded.export.report["root"]
    assert run["run"] in recorded.look("runs").out


@pytest.mark.parametrize("words", [("events", "last"), ("show", "last"), ("diff", "last", "last")])
def test_in_github_actions_nothing_that_is_shown_is_a_command(recorded, monkeypatch, words):
    plain = recorded.look(*words)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    shown = recorded.look(*words)
    failed = recorded.look("show", "no-such-run")

    assert (shown.code, shown.out) == (plain.code, plain.out)
    for each in (shown, failed):
        first, *_, last = each.err.splitlines()
        token = first.removeprefix("::stop-commands::")
        assert len(token) == 32
        assert last == f"::{token}::"
    assert "no-such-run" in failed.err


def test_runs_tells_a_run_that_is_written_from_one_that_was_killed(place):
    workspace = Workspace.open(place.path / ".ritornello")
    for name in ("KILLED", "WRITTEN"):
        DuckDBStore.create(workspace.register(name, f"{name}.py", 0)).close()
    before = read_tree(place.path)
    writer = DuckDBStore.open(place.path / ".ritornello/runs/WRITTEN", read_only=False)

    states = [line.split()[3] for line in place.look("runs").out.splitlines()[1:]]
    listed = place.look("runs", "--json").report["runs"]
    writer.close()

    assert states == [run["status"] for run in listed] == ["open", "running"]
    assert [(run["state"], run["running"]) for run in listed] == [("open", False), ("open", True)]
    assert "running" not in place.look("runs").out
    assert read_tree(place.path) == before


def read_tree(path):
    """Return the bytes of every file but locks, which name their last writer."""
    return {
        file.relative_to(path): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name != "run.lock"
    }


def test_show_gives_every_task_its_seed(recorded):
    report = recorded.look("show", "last", "--json").report
    told = recorded.look("show", "last").out

    assert report["start"]["arguments"] == ["agent.py", "--topic", "tides"]
    assert report["status"]["progress"] == report["reason"] == "completed"
    assert len(set(report["seeds"].values())) == len(report["status"]["tasks"]) == 5
    assert "child-2:0" in told
    labels = [line.split()[1] for line in told.splitlines() if line[:1].isdigit()]
    assert labels[:2] == ["main-thread", "main:0"], "the thread, and the task of that name"


def test_each_line_of_events_is_one_record_of_the_schema(recorded):
    lines = recorded.look("events", "last", "--jsonl").out.splitlines()
    events = [msgspec.json.decode(line, type=Event) for line in lines]

    assert [event.header.seq for event in events] == list(range(len(events)))
    assert events[0].header.kind == "RunStarted"
    assert events[-1].header.kind == "RunSealed"
    whole = recorded.look("events", "run.ritornello", "--json").report["events"]
    assert [event["name"] for event in whole] == [event.name for event in events]


def test_events_of_one_kind_only_and_a_misspelt_kind_is_refused(recorded):
    spawned = recorded.look("events", "last", "--kind", "taskspawned").out
    refused = recorded.look("events", "last", "--kind", "TaskSpawnt")

    assert len(spawned.splitlines()) == 4
    assert refused.code == 2
    assert "TaskSpawned" in refused.err


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("0", "5", "before"),
        ("5", "0", "after"),
        ("3", "3", "equal"),
        ("child-0", "child-2", "concurrent"),
        ("main/child-1", "0", "after"),
    ],
)
def test_order_answers_by_causes(recorded, first, second, expected):
    assert recorded.look("events", "last", "--order", first, second).out == f"{expected}\n"


def test_order_of_what_is_not_there_is_not_found(recorded):
    assert recorded.look("events", "last", "--order", "0", "999").code == 4
    assert "child-1" in recorded.look("events", "last", "--order", "child-9", "0").err


def test_a_closed_pipe_ends_quietly_with_141(recorded, tmp_path):
    program = recorded.write("chatty.py", "import time\nfor n in range(3000): print(time.time())")
    loud = ("--workspace", str(tmp_path / "loud"))
    recorded.run("record", *loud, "--", "python", program)
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "events", "last", *loud, "--jsonl"],
        cwd=recorded.path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=50,
        check=False,
    )
    os.close(writing)

    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals_that_want_it(recorded, no_color, coloured):
    terminal, screen = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": no_color}
    subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "verify", "last"],
        cwd=recorded.path,
        env=environment,
        stdout=screen,
        timeout=50,
        check=True,
    )
    os.close(screen)

    shown = os.read(terminal, 65536)
    os.close(terminal)

    assert (b"\x1b[" in shown) is coloured
    assert "\x1b" not in recorded.look("verify", "last").out


def test_recorded_text_cannot_steer_the_terminal(place):
    evil = r"\x1b]0;title\x07\x1b[2J\u202eabc\u2028\r"
    place.write(
        "evil.py",
        f"import asyncio\nasync def main():\n"
        f"    await asyncio.create_task(asyncio.sleep(0), name='{evil}')\n"
        f"    print('{evil}')\n    raise ValueError('{evil}')\nasyncio.run(main())\n",
    )
    assert place.run("record", "--", "python", "evil.py").code == 1
    place.write("evil.py", "print('\\x1b[2Jother')\n")

    shown = "".join(
        (ran.out + ran.err).replace("\x1b[2Jother", "")
        for ran in (
            place.look("events", "last"),
            place.look("show", "last"),
            place.look("events", "last", "--jsonl"),
            place.run("replay", "last"),
        )
    )

    assert "x1b]0;title" in shown
    assert not {c for c in shown if c != "\n" and (c < " " or "\x7f" <= c < "\xa0")}
    assert not {"\u202e", "\u2028"} & set(shown)


def test_doctor_finds_the_engine_in_order_and_says_what_is_not_encrypted(recorded):
    done = recorded.look("doctor", "--json")

    found = {finding["what"]: finding for finding in done.report["findings"]}
    assert found["log"]["state"] == "ok"
    assert found["workspace"]["state"] == "ok"
    assert "not encrypted" in found["encryption"]["text"]


def test_a_workspace_that_is_not_there_is_not_found(place):
    for verb in (("runs",), ("verify",), ("show", "last"), ("replay", "last")):
        assert place.look(*verb).code == 4
    assert list(place.path.iterdir()) == []


def test_the_workspace_can_be_named_by_the_environment(recorded, place):
    named = place.run("runs", "--json", env={"RITORNELLO_WORKSPACE": recorded.path / ".ritornello"})

    assert len(named.report["runs"]) == 1


def test_the_schema_names_every_kind(recorded):
    from replay.events.kinds import CATALOGUE

    schema = json.loads(recorded.look("schema", "events").out)

    assert set(CATALOGUE) <= set(schema["$defs"])
    assert recorded.look("schema", "nothing").code == 2
