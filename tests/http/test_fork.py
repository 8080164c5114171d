"""Programs on unmodified libraries are forked with the command, after an edit of their file."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from orchestrator.testing import Answer, Delivery, Rule, Script, ScriptedProvider
from tests.fault.resuming.scene import Scene, look
from tests.http.driver import PROGRAMS, ROOT

pytestmark = pytest.mark.timeout(240)

PROMPTS = {
    "reviewers": {
        "law": "Read it for the law.",
        "style": "Read it for style.",
        "tests": "Which test is missing?",
    },
    "chair": "Sum up:",
}


@pytest.fixture
def provider():
    with ScriptedProvider(mode="wild") as found:
        yield found


def _scene(path, provider, prompts):
    """The program as a person has it: one file, in which the prompts stand."""
    scene = Scene(path, BASE_URL=provider.base_url, ANTHROPIC_BASE_URL=provider.base_url)
    text = (PROGRAMS / "reviewers.py").read_text()
    found = text.replace('json.loads(Path("prompts.json").read_text())', repr(prompts))
    assert found != text
    (path / "reviewers.py").write_text(found)
    return scene


def _edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def _runs(scene):
    return json.loads(look(scene.path, "runs", "--json"))["runs"]


@pytest.mark.full
def test_one_prompt_of_three_is_edited_and_one_request_goes_out(tmp_path, provider):
    prompts = {"reviewers": PROMPTS["reviewers"]}
    scene = _scene(tmp_path, provider, prompts)
    recorded = scene.run("record", "--", sys.executable, "reviewers.py")
    assert recorded.code == 0, recorded.err
    assert len(provider.requests) == 3
    before = scene.digests()
    _edit(tmp_path / "reviewers.py", "Read it for style.", "Read it for its tone.")

    # No terminal, no --yes: it says what it would cost and does nothing.
    refused = scene.run("fork", "last", "--json")
    assert refused.code == 6
    estimate = refused.report["estimate"]
    assert (refused.report["verdict"], refused.report["fork"]) == ("declined", None)
    (live,) = estimate["live"]
    assert (live["task"], live["model"], estimate["recalled"]) == ("main/style", "a-model", 2)
    assert estimate["output_tokens"] == live["output_tokens"] > 0
    assert "1 request will go out at least; 2 recorded answers will be given" in refused.err
    assert len(provider.requests) == 3
    assert scene.digests() == before

    forked = scene.run("fork", "last", "--yes")
    assert forked.code == 0, forked.err
    assert ["its tone" in request.body.decode() for request in provider.requests[3:]] == [True]
    key = scene.variables["ANTHROPIC_API_KEY"]
    assert {r.header("authorization") for r in provider.requests} == {f"Bearer {key}"}
    then, now = (
        dict(line.split(": ", 1) for line in out.splitlines() if ": " in line)
        for out in (recorded.out, forked.out)
    )
    assert {name: then[name] == now[name] for name in then} == {
        "law": True,
        "style": False,
        "tests": True,
    }
    after = scene.digests()
    assert {name: after[name] for name in before if "runs/" in name} == {
        name: digest for name, digest in before.items() if "runs/" in name
    }
    fork, parent = _runs(scene)
    if fork["run"] in next(name for name in before if "runs/" in name):
        fork, parent = parent, fork
    assert (fork["state"], parent["state"]) == ("closed", "closed")
    assert json.loads(look(tmp_path, "verify", fork["run"], "--json"))["integrity"] == "ok"
    replayed = scene.run("replay", fork["run"])
    assert replayed.code == 0, replayed.err
    assert replayed.out == forked.out
    # The edited prompt is the first difference, not that the one is a fork of the other.
    found = json.loads(look(tmp_path, "diff", parent["run"], fork["run"], "--json"))
    assert found["first"]["class"] != "arguments", found["first"]


@pytest.mark.full
def test_the_chair_reads_what_changed_and_is_asked_again(tmp_path, provider):
    scene = _scene(tmp_path, provider, PROMPTS)
    assert scene.run("record", "--", sys.executable, "reviewers.py").code == 0
    unchanged = scene.run("fork", "last")
    assert unchanged.code == 0
    assert "there is nothing to fork" in unchanged.err
    assert scene.run("fork", "last", "--json").report["verdict"] == "unchanged"
    assert len(provider.requests) == 4

    _edit(tmp_path / "reviewers.py", "Sum up:", "Sum up in one word:")
    forked = scene.run("fork", "last", "--yes", "--json")
    assert forked.code == 0, forked.err
    assert ["one word" in request.body.decode() for request in provider.requests[4:]] == [True]
    assert forked.report["fork"]["recalled"] == 0  # all three were answered before the change
    assert forked.report["fork"]["position"] > 40
    assert scene.run("replay", "last").code == 0
    assert scene.run("verify", "--all").code == 0


@pytest.mark.full
def test_mistakes_are_refused_by_name_and_nothing_is_sent(tmp_path, provider):
    scene = _scene(tmp_path, provider, PROMPTS)
    assert scene.run("record", "--", sys.executable, "reviewers.py").code == 0
    assert scene.run("export", "last", "-o", "run.ritornello").code == 0
    before = scene.digests()

    nobody = scene.run("fork", "01NOBODY", "--yes")
    assert nobody.code == 4
    beyond = scene.run("fork", "last", "--at", "9999", "--yes")
    assert (beyond.code, "a fork begins behind one of the events" in beyond.err) == (2, True)
    gone = scene.run("fork", "last", "--in", "nowhere", "--yes")
    assert (gone.code, "there is no such directory" in gone.err) == (4, True)
    foreign = scene.run("fork", "run.ritornello", "--yes")
    assert (foreign.code, "--allow-command" in foreign.err) == (6, True)
    assert "reviewers.py" in foreign.err
    _edit(tmp_path / "reviewers.py", "Sum up:", "Sum up now:")
    bundle = scene.run("fork", "run.ritornello", "--yes", "--allow-command")
    assert (bundle.code, "would go to http://127.0.0.1" in bundle.err) == (6, True)
    _edit(tmp_path / "reviewers.py", "async def main", "async def main main")
    broken = scene.run("fork", "last", "--yes")
    assert (broken.code, "could not be loaded" in broken.err) == (6, True)
    assert len(provider.requests) == 4
    assert scene.digests() == before

    _edit(tmp_path / "reviewers.py", "async def main main", "async def main")
    allowed = ("--allow-command", "--secret-to", "127.0.0.1")
    bundle = scene.run("fork", "run.ritornello", "--yes", *allowed)
    assert bundle.code == 0, bundle.err
    assert len(provider.requests) == 5


@pytest.mark.full
def test_a_killed_fork_is_an_open_run_that_goes_on(tmp_path):
    slow = Answer(delivery=Delivery(latency_ms=30_000))
    chair = Rule(contains="Sum up", answers=(Answer(), slow, Answer()))
    with ScriptedProvider(mode="wild", script=Script(rules=(chair,))) as provider:
        scene = _scene(tmp_path, provider, PROMPTS)
        assert scene.run("record", "--", sys.executable, "reviewers.py").code == 0
        _edit(tmp_path / "reviewers.py", "Read it for style.", "Read it for its tone.")
        before = {n: d for n, d in scene.digests().items() if "runs/" in n}
        # The chair is asked when all answers that it reads are durable: recalled ones, and the new.
        assert scene.killed(lambda: len(provider.requests) >= 6, "fork", "last", "--yes")
        (fork,) = (run for run in _runs(scene) if run["run"] not in str(list(before)))
        assert fork["state"] == "open"
        resumed = scene.run("resume", fork["run"])
        assert resumed.code == 0, resumed.err
        assert "it is a fork of run" in resumed.err
        asked = [request.body.decode() for request in provider.requests[4:]]
    assert ["its tone" in body for body in asked] == [True, False, False]
    assert asked[1] == asked[2]
    assert {n: d for n, d in scene.digests().items() if n in before} == before
    replayed = scene.run("replay", fork["run"])
    assert replayed.code == 0, replayed.err
    assert replayed.out == resumed.out
    assert scene.run("verify", "--all").code == 0


@pytest.mark.full
@pytest.mark.skipif(
    any(importlib.util.find_spec(n) is None for n in ("langgraph", "langchain_anthropic")),
    reason="the frameworks are not installed: pip install 'ritornello[frameworks]'",
)
def test_a_program_on_an_unmodified_framework_is_forked(tmp_path, provider):
    scene = Scene(tmp_path, BASE_URL=provider.base_url, ANTHROPIC_BASE_URL=provider.base_url)
    program = Path(tmp_path / "desk.py")
    program.write_text((ROOT / "examples" / "frameworks" / "desk.py").read_text())
    recorded = scene.run("record", "--", sys.executable, "desk.py")
    assert recorded.code == 0, recorded.err
    asked = len(provider.requests)
    assert asked > 15
    brief = 'f"{name}, in a word." if name == "science" else f"One line on'
    _edit(program, 'f"One line on', brief)

    forked = scene.run("fork", "last", "--yes", "--json")
    assert forked.code == 0, forked.err
    sent = [request.body.decode() for request in provider.requests[asked:]]
    # One desk in two editions, and the editor who reads it in both: nothing else.
    assert sorted("Summarise" in body for body in sent) == [False, False, True, True]
    assert all("Summarise" in body or "science, in a word" in body for body in sent)
    report = forked.report["fork"]
    assert len(report["live"]) == 4
    replayed = scene.run("replay", report["run"])
    assert replayed.code == 0, replayed.err
