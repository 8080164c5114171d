# ruff: noqa: E501 - a table of program texts, one a line
"""Each class of divergence on small changes of a program, of its libraries, and of what it asks."""

from __future__ import annotations

import asyncio
import secrets
import types
from pathlib import Path

import pytest

from replay.forensics.explain import explain, look_at_code
from replay.session.opening import open_run
from replay.session.record import record_program
from replay.session.replay import replay_log

pytestmark = pytest.mark.timeout(180)

PROGRAM = """
import asyncio
import json
import os
import random
import time
from replay import effect

@effect
async def ask(prompt, model="small", tools=("search",)):
    return ANSWERS[0] + str(len(prompt))

@effect
async def lookup(city):
    return {"city": city, "harbour": ANSWERS[1]}

@effect
async def rate(stars):
    return "rated " + str(stars)

async def poet(subject):
    answer = await ask("a verse on " + subject)
    print("poet:", answer)
    return answer

async def main():
    first, second = await asyncio.gather(poet("sea"), poet("wind"), return_exceptions=True)
    place = await lookup("Oslo")
    print("place", place["harbour"])
    summary = await ask("Describe " + place["harbour"] + " and say: " + first)
    with open("notes.txt") as file:
        notes = file.read()
    await ask("Weigh these notes: " + notes)
    print("year", time.strftime("%Y", time.gmtime(time.time())))
    await rate(3)
    await rate(5)
    print("home", os.environ.get("COLOUR", "none"), random.random())
    with open("report.json", "w") as file:
        json.dump({"summary": summary}, file)
    return summary
"""

#: What the world says; in no source, as it is with the world.
ANSWERS = [f"word {secrets.token_hex(12)} of the other side ", f"harbour {secrets.token_hex(8)}"]

#: class, name: old text, new text, recorded kind.
MUTANTS = {
    ("prompt", "a word of the template"): ('"Describe "', '"Depict "', "EffectStarted"),
    ("prompt", "another field of an answer"): ('place["harbour"] + " and', 'place["city"] + " and', "EffectStarted"),
    ("prompt", "the subject"): ('"a verse on "', '"a poem on "', "EffectStarted"),
    ("tool schema", "another tool"): ('tools=("search",)', 'tools=("browse",)', "EffectStarted"),
    ("tool schema", "one tool more"): ('tools=("search",)', 'tools=("search", "browse")', "EffectStarted"),
    ("tool schema", "no tool"): ('tools=("search",)', "tools=()", "EffectStarted"),
    ("model", "another default"): ('model="small"', 'model="large"', "EffectStarted"),
    ("model", "another in one call"): ("+ notes)", '+ notes, model="large")', "EffectStarted"),
    ("model", "a sampling parameter"): ('model="small", tools', 'model="small", temperature=0.5, tools', "EffectStarted"),
    ("code", "an argument"): ('lookup("Oslo")', 'lookup("Bergen")', "EffectStarted"),
    ("code", "an output"): ('"poet:"', '"Poet:"', "OutputWritten"),
    ("code", "a written file"): ('{"summary": summary}', '{"Summary": summary}', "FileWritten"),
    ("code", "the result"): ("    return summary\n", "    return summary.upper()\n", "RunEnded"),
    ("clock", "one reading more"): ("    await rate(3)", "    time.time()\n    await rate(3)", None),
    ("clock", "another clock"): ("time.gmtime(time.time())", "time.gmtime(time.monotonic())", None),
    ("clock", "another variable"): ('"COLOUR"', '"COLOR"', None),
    ("order", "a reordered gather"): ('poet("sea"), poet("wind")', 'poet("wind"), poet("sea")', None),
    ("order", "swapped calls"): ("    await rate(3)\n    await rate(5)\n", "    await rate(5)\n    await rate(3)\n", "EffectStarted"),
    ("order", "a call left out"): ("    await rate(3)\n", "", "EffectStarted"),
    ("order", "an output left out"): ('    print("place", place["harbour"])\n', "", "OutputWritten"),
    ("missing", "a sleep"): ("    place = await", "    await asyncio.sleep(5)\n    place = await", None),
    ("missing", "a dropped await"): ("    await rate(5)\n", "    rate(5).close()\n", "EffectStarted"),
    ("missing", "a call before a reading left out"): ('    await ask("Weigh these notes: " + notes)\n', "", "EffectStarted"),
    ("missing", "an early return"): ("    await rate(5)\n", "    return summary\n", "EffectStarted"),
    ("missing", "an exception"): ("    await rate(5)\n", "    raise OSError(5)\n", "EffectStarted"),
    ("extra", "a call more"): ("    return summary\n", "    await rate(7)\n    return summary\n", "TaskEnded"),
    ("extra", "an output more"): ("    return summary\n", "    print('once more')\n    return summary\n", "TaskEnded"),
    ("extra", "a file more"): ("    return summary\n", "    with open('more.txt', 'w') as file:\n        file.write('x')\n    return summary\n", "TaskEnded"),
}  # fmt: skip

NULLS = {
    "a comment": ("    place = await", "    # where it lies\n    place = await"),
    "another name": ('notes = file.read()\n    await ask("Weigh these notes: " + notes)', 'text = file.read()\n    await ask("Weigh these notes: " + text)'),
    "an unused import": ("import json\n", "import json\nimport string\n"),
}  # fmt: skip


def loaded(path: Path):
    module = types.ModuleType("classes_program")
    module.__dict__["ANSWERS"] = ANSWERS
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    main = module.main
    return lambda: asyncio.run(main())


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    place = tmp_path_factory.mktemp("place")
    (place / "notes.txt").write_text(f"{ANSWERS[1]} above the breakwater\n"[::-1])
    path = place / "program.py"
    path.write_text(PROGRAM)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("COLOUR", "blue")
        recorded = record_program(loaded(path), workspace=place / "w", entry="x", dialects=())
        assert recorded.error is None
        yield place, path, recorded


def judged(recording, source, versions=None):
    place, path, recorded = recording
    path.write_text(source)
    reader = open_run(recorded.run_id, workspace=place / "w")
    try:
        report = replay_log(reader, loaded(path), dialects=())
        divergence = report.divergence
        code = look_at_code(
            reader,
            lambda name: (place / name).read_bytes() if (place / name).is_file() else None,
            report.versions if versions is None else versions(report.versions),
            None if divergence is None else divergence.recorded_place,
        )
        told = None
        if divergence is not None:
            told = explain(reader, divergence, code, lambda request, body: None)
        return report, code, told
    finally:
        reader.close()
        path.write_text(PROGRAM)


@pytest.mark.sample(3)
@pytest.mark.parametrize(("sort", "name"), MUTANTS, ids=lambda each: each.replace(" ", "-"))
def test_a_mutant_is_of_its_class(sort, name, recording, capsys):
    old, new, kind = MUTANTS[sort, name]
    assert PROGRAM.count(old) == 1
    report, code, told = judged(recording, PROGRAM.replace(old, new))
    assert report.verdict == "diverged"
    assert told.sort == sort
    assert kind is None or report.divergence.recorded_kind == kind
    assert code.state == "changed"
    assert [change.path for change in code.changes if change.state == "changed"] == ["program.py"]


@pytest.mark.parametrize("name", NULLS, ids=lambda each: each.replace(" ", "-"))
def test_a_refactoring_is_identical_and_its_file_is_named(name, recording, capsys):
    old, new = NULLS[name]
    assert PROGRAM.count(old) == 1
    report, code, _ = judged(recording, PROGRAM.replace(old, new))
    assert report.verdict == "identical"
    assert [(each.path, each.state) for each in code.changes] == [("program.py", "changed")]
    assert any(line.startswith("+") for line in code.changes[0].diff)


def test_the_program_itself_has_no_change(recording, capsys):
    report, code, _ = judged(recording, PROGRAM)
    assert (report.verdict, code.state, code.changes, code.versions) == (
        "identical",
        "same",
        (),
        (),
    )


def test_a_prompt_is_traced_to_the_results_it_was_made_of(recording, capsys):
    old, new, _ = MUTANTS["prompt", "a word of the template"]
    _, _, told = judged(recording, PROGRAM.replace(old, new))
    fed = {each.what: each for each in told.fed_by}
    assert fed["result of lookup"].excerpt == ANSWERS[1]
    assert fed["result of lookup"].path == "value.harbour"
    assert fed["result of ask"].excerpt == ANSWERS[0] + "14"
    assert {each.side for each in fed.values()} == {"both"}


def test_a_prompt_is_traced_to_a_file_it_was_made_of(recording, capsys):
    _, _, told = judged(recording, PROGRAM.replace('"Weigh these notes: "', '"Judge these: "'))
    (fed,) = told.fed_by
    assert (fed.kind, fed.what, fed.offset) == ("FileRead", "file notes.txt", 1)
    assert fed.excerpt == f"{ANSWERS[1]} above the breakwater"[::-1]


DEPENDENCIES = {
    "python": (("python", "3.99.0"),),
    "a client": (("msgspec", "0.0.1"),),
    "two": (("msgspec", "0.0.1"), ("duckdb", "0.0.1")),
}


@pytest.mark.parametrize("name", DEPENDENCIES)
def test_other_versions_and_the_same_source_are_named(name, recording, capsys):
    """What a library made differently, in the same program: simulated by the versions alone."""
    changed = dict(DEPENDENCIES[name])
    place, _, recorded = recording
    report, _, _ = judged(recording, PROGRAM.replace('"poet:"', '"Poet:"'))
    reader = open_run(recorded.run_id, workspace=place / "w")
    code = look_at_code(
        reader,
        lambda each: (place / each).read_bytes() if (place / each).is_file() else None,
        tuple((each, changed.get(each, version)) for each, version in report.versions),
    )
    told = explain(reader, report.divergence, code, lambda request, body: None)
    reader.close()
    assert (told.sort, told.basis) == ("dependency", "versions")
    assert {each.name for each in told.dependency_changes} == set(changed)


def test_what_no_door_saw_is_called_uncaptured(recording, capsys):
    """The same source and versions, and yet something else: state that the process kept."""
    place, _, recorded = recording
    report, _, _ = judged(recording, PROGRAM.replace('"poet:"', '"Poet:"'))
    reader = open_run(recorded.run_id, workspace=place / "w")
    code = look_at_code(reader, lambda each: (place / each).read_bytes(), report.versions)
    told = explain(reader, report.divergence, code, lambda request, body: None)
    reader.close()
    assert (code.state, told.sort) == ("same", "uncaptured")
