"""Recording and replaying real programs in real processes."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.conftest import PROGRAM


def test_a_recorded_program_keeps_its_own_output_and_ours_goes_to_standard_error(recorded):
    assert recorded.recording.code == 0
    assert recorded.recording.out.startswith("said 0.")
    assert recorded.recording.out.endswith("['--topic', 'tides']\n")
    assert re.search(
        r"run [0-9A-Z]{26}, completed, \d+ events\n +root [0-9a-f]{64}\n", recorded.recording.err
    )


def test_a_replay_prints_the_same_words_and_reaches_the_same_root(recorded):
    replayed = recorded.run("replay", "last", "--json")

    report = replayed.report
    assert replayed.code == 0
    assert report["schema"] == "ritornello/replay/1"
    assert report["verdict"] == "identical"
    assert report["root_replayed"] == report["root_recorded"] == recorded.export.report["root"]
    assert report["live_effects"] == 0
    assert report["guard"] in {"process", "kernel"}
    assert report["inputs_taken"] > 0
    assert report["derived_computed"] > 0
    assert replayed.err == recorded.recording.out


def test_a_changed_program_diverges_at_the_event_that_it_changed(place):
    place.write("agent.py", PROGRAM)
    assert place.run("record", "--", "python", "agent.py").code == 0
    place.write("agent.py", PROGRAM.replace('"said"', '"shouted"'))

    told = place.run("replay", "last")
    report = place.run("replay", "last", "--json").report

    assert told.code == 1
    assert report["verdict"] == "diverged"
    divergence = report["divergence"]
    assert divergence["recorded_kind"] == divergence["replayed_kind"] == "OutputWritten"
    assert divergence["category"] == "changed"
    assert f"event {divergence['seq']}: expected OutputWritten" in told.err
    assert "field body" in told.err
    assert "recorded said 0." in told.err
    assert "replayed shouted 0." in told.err
    assert re.search(r"agent\.py:\d+", told.err)


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("code", "expected"),
    [("import sys; sys.exit(7)", 7), ("raise SystemExit('no')", 1), ("1/0", 1), ("pass", 0)],
)
def test_record_ends_with_the_programs_exit_code(place, code, expected):
    recorded = place.run("record", "--json", "--", "python", "-c", code)

    assert recorded.code == expected
    assert recorded.report["exit_code"] == expected
    assert place.run("replay", "last").code == 0


def test_an_uncaught_exception_is_shown_without_our_frames(place):
    program = place.write("broken.py", "def f():\n    raise ValueError('no')\n\nf()\n")

    recorded = place.run("record", "--", "python", "broken.py")

    trace = recorded.err.split("ritornello:")[0]
    assert trace == (
        "Traceback (most recent call last):\n"
        f'  File "{program}", line 4, in <module>\n    f()\n'
        f"  File \"{program}\", line 2, in f\n    raise ValueError('no')\n"
        "ValueError: no\n"
    )


def test_the_program_sees_arguments_path_and_main_as_without_us(place):
    place.write("beside.py", "NAME = 'beside'\n")
    place.write(
        "agent.py",
        "import sys, beside, __main__\n"
        "print(sys.argv, __name__, __file__, sys.path[0])\n"
        "print(__main__.beside.NAME, sys.flags.dev_mode)\n",
    )
    command = ("python", "-X", "dev", "agent.py", "-x", "--", "y")

    recorded = place.run("record", *command)

    assert recorded.out.split() == [
        *["['agent.py',", "'-x',", "'--',", "'y']", "__main__"],
        str(place.path / "agent.py"),
        str(place.path),
        "beside",
        "True",
    ]


def test_a_module_and_an_exit_handler_are_part_of_the_run(place):
    place.write("pack/__init__.py", "")
    place.write(
        "pack/__main__.py", "import atexit, sys\natexit.register(print, 'last', sys.argv[1:])\n"
    )

    recorded = place.run("record", "--", "python", "-m", "pack", "one")

    assert recorded.out == "last ['one']\n"
    written = place.look("events", "last", "--kind", "OutputWritten", "--json").report["events"]
    assert [event["body"] for event in written] == ["last ['one']\n"]
    assert place.run("replay", "last").code == 0


def test_a_process_that_ends_itself_leaves_its_run_open_and_that_is_said(place):
    ended = place.run("record", "--", "python", "-c", "import os; os._exit(5)")
    workspace = place.look("verify", "--workspace")

    assert ended.code == 5
    assert "its run, if it had begun, stays open" in ended.err
    assert workspace.code == 1
    assert "started and was never sealed" in workspace.out
    assert place.look("verify", "last").code == 1
    assert place.run("replay", "last").code == 125


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("sh", "-c", "true"), "not a Python program"),
        (("python", "-I", "agent.py"), "-I"),
        (("python", "-ES", "agent.py"), "-ES"),
        (("python",), "not told what to run"),
        (("python", "taken/agent.py"), "a module 'replay' of its own"),
        ((), "missing argument"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_anything_runs(place, command, reason):
    place.write("agent.py", "open('ran', 'w')")
    place.write("taken/agent.py", "open('ran', 'w')")
    place.write("taken/replay.py", "")

    refused = place.run("record", "--", *command)

    assert refused.code == 2
    assert reason in refused.err
    assert sorted(p.name for p in place.path.iterdir()) == ["agent.py", "taken"]


def test_a_script_that_is_not_there_is_not_found(place):
    missing = place.run("record", "--", "python", "nowhere.py")

    assert missing.code == 4
    assert "nowhere.py" in missing.err


def test_a_workflow_is_recorded_by_name_and_replayed_with_its_arguments(place):
    place.write(
        "flow.py",
        "import replay\n\n"
        "@replay.workflow\n"
        "async def review(topic, times=2):\n"
        "    print(topic * times)\n"
        "    return [topic, times]\n",
    )

    recorded = place.run("run", "flow.py", '{"topic": "ho"}')
    shown = place.look("show", "last", "--json").report

    assert recorded.code == 0
    assert recorded.out == "hoho\n"
    assert shown["start"]["entry"] == "flow.py:review"
    assert [json.loads(text) for text in shown["start"]["arguments"]] == [{"topic": "ho"}]
    assert shown["end"]["value"] == ["ho", 2]
    assert place.run("replay", "last").code == 0


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("flow.txt",), 2, "no Python file"),
        (("absent.py",), 4, "absent.py"),
        (("flow.py:nope",), 4, "'nope'"),
        (("flow.py:main", "[1"), 2, "no JSON array or object"),
        (("flow.py:main", "[1]"), 2, "does not take these arguments"),
    ],
)
def test_a_workflow_that_cannot_be_called_is_named_with_the_reason(place, arguments, code, words):
    place.write("flow.py", "async def main():\n    pass\n")

    refused = place.run("run", *arguments)

    assert refused.code == code
    assert words in refused.err


def test_the_replays_own_log_can_be_kept_and_verifies_with_the_same_root(recorded):
    kept = recorded.run("replay", "last", "--json", "--keep").report["kept"]

    from replay.log.duckdb_store import DuckDBStore
    from replay.log.fsck import check

    store = DuckDBStore.open(recorded.path / kept)
    assert check(store).root == recorded.export.report["root"]
    store.close()


def test_bisect_turns_every_code_but_an_answer_into_125(recorded, place):
    assert recorded.run("replay", "last", "--bisect").code == 0
    assert recorded.run("replay", "no-such-run", "--bisect").code == 125
    assert recorded.run("replay", "--bisect", "--no-such-option").code == 125
    assert recorded.run("replay", "last", "--bisect", "--in", place.path).code == 125
    assert recorded.run("replay", "last", "--in", place.path).code == 4


REPORTER = """\
import json
from pathlib import Path

data = json.load(open("in.json"))
Path("made").mkdir()
Path("made/report.txt").write_text(str(data))
print(data)
"""


def test_a_replay_elsewhere_writes_the_same_report_into_the_directory_that_is_named(place):
    place.write("agent.py", REPORTER)
    place.write("in.json", '{"a": 1}')
    assert place.run("record", "--", "python", "agent.py").code == 0
    (place.path / "in.json").unlink()
    place.write("elsewhere/agent.py", REPORTER)

    told = place.run("replay", "last", "--in", "elsewhere", "--out", "out")
    shown = place.look("events", "last")

    assert told.code == 0, told.err
    assert f"files that the program wrote: {place.path / 'out'}" in told.err
    report = (place.path / "out/made/report.txt").read_bytes()
    assert report == (place.path / "made/report.txt").read_bytes()
    assert [each.name for each in (place.path / "elsewhere").iterdir()] == ["agent.py"]
    assert "in.json: 8 bytes" in shown.out
    assert "made/report.txt (w): 8 bytes" in shown.out


@pytest.mark.full
def test_a_directory_that_holds_something_is_not_written_to(place):
    place.write("agent.py", "print(1)\n")
    assert place.run("record", "--", "python", "agent.py").code == 0
    place.write("out/mine", "")

    told = place.run("replay", "last", "--out", "out")

    assert told.code == 2
    assert "not empty" in told.err
