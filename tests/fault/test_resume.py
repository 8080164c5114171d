"""A run is killed at any point and goes on: nothing twice, nothing lost, evidence throughout."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import time
from collections import Counter

import pytest

from orchestrator.testing import ScriptedProvider
from tests.fault.resuming.scene import PROGRAMS, ROOT, Scene, answered, look

pytestmark = pytest.mark.timeout(240)

QUESTIONS = 70
VOYAGE = PROGRAMS / "voyage.py"


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory):
    """What the program prints and writes if nobody kills it."""
    with ScriptedProvider() as provider:
        scene = Scene(tmp_path_factory.mktemp("unkilled"), BASE_URL=provider.base_url)
        done = scene.run("record", "--", sys.executable, VOYAGE, QUESTIONS, 16)
        assert done.code == 0, done.err
        return done.out, (scene.path / "log.txt").read_text()


def _killed_at(scene, provider, seed, width):
    """Kill the program somewhere between its second and its last question."""
    chance = random.Random(seed)
    requests = chance.randrange(2, QUESTIONS)
    pause = chance.random() * 0.02

    def when():
        if len(provider.requests) < requests:
            return False
        time.sleep(pause)
        return True

    return scene.killed(when, "record", "--", sys.executable, VOYAGE, QUESTIONS, width)


def _goes_on(tmp_path, unkilled, seed, *, width=1, judge=True):
    with ScriptedProvider() as provider:
        scene = Scene(tmp_path, BASE_URL=provider.base_url)
        if not _killed_at(scene, provider, seed, width):
            pytest.skip("the program was faster")
        records = scene.records()
        done, in_flight = answered(records)
        before = Counter(request.body for request in provider.requests)
        resumed = scene.run("resume", "last", "--secret-to", "127.0.0.1")
        assert resumed.code == 0, resumed.err
        sent = Counter(request.body for request in provider.requests)
        assert {r.header("x-api-key") for r in provider.requests} == {
            scene.variables["ANTHROPIC_API_KEY"]
        }
    # The provider's own log is the judge.
    assert len(sent) == QUESTIONS
    for body in done:
        assert sent[body] == 1
    for body, times in sent.items():
        assert times == 1 or (body in in_flight and times == 2)
    assert all(before[body] <= 1 for body in sent)
    assert (resumed.out, (tmp_path / "log.txt").read_text()) == unkilled
    assert b"sk-ant-api03-voyage" not in b"".join(
        file.read_bytes() for file in scene.run_directory.iterdir()
    )
    after = scene.records()
    assert [h for h, _, _ in after[: len(records)]] == [h for h, _, _ in records]
    assert after[-1][0].kind == "RunSealed"
    times = [h.time for h, _, _ in after]
    assert times == sorted(times)
    if judge:
        replayed = scene.run("replay", "last")
        assert replayed.code == 0, replayed.err
        assert replayed.out == resumed.out
        verified = scene.run("verify", "--all")
        assert verified.code == 0, verified.err


@pytest.mark.parametrize(("seed", "width"), [(1, 1), (2, 16)])
def test_a_killed_run_goes_on_where_its_record_ends(tmp_path, unkilled, seed, width):
    _goes_on(tmp_path, unkilled, seed, width=width, judge=width == 1)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 200))
def test_killed_anywhere_a_run_goes_on(tmp_path, unkilled, seed):
    _goes_on(tmp_path, unkilled, seed, width=16 if seed % 2 else 1)


@pytest.mark.full
def test_looking_at_a_killed_run_changes_no_byte_and_a_killed_resume_goes_on(tmp_path, unkilled):
    with ScriptedProvider() as provider:
        scene = Scene(tmp_path, BASE_URL=provider.base_url)
        assert scene.killed(
            lambda: len(provider.requests) > 5,
            *("record", "--", sys.executable, VOYAGE, QUESTIONS, 1),
        )
        before = scene.digests()
        for verb in (["show", "last"], ["verify", "last"], ["events", "last"], ["runs"]):
            look(scene.path, *verb)
        look(scene.path, "verify", "--workspace")
        assert scene.digests() == before
        # The variable is missing: so is the value, and nothing happens.
        refused = scene.run("resume", "last", without=["ANTHROPIC_API_KEY"])
        assert refused.code == 4
        assert "ANTHROPIC_API_KEY is not set" in refused.err
        assert scene.digests() == before
        assert scene.killed(lambda: len(provider.requests) > 30, "resume", "last")
        resumed = scene.run("resume", "last", "--json")
        assert resumed.code == 0, resumed.err
        bodies = Counter(request.body for request in provider.requests)
    assert len(bodies) == QUESTIONS
    assert sum(bodies.values()) <= QUESTIONS + 2
    report = resumed.report
    assert (report["schema"], report["verdict"]) == ("ritornello/resume/1", "sealed")
    assert report["reason"] == "completed"
    assert 0 < report["resumed_at"] < report["events"]
    assert (resumed.err, (scene.path / "log.txt").read_text()) == unkilled
    (run,) = json.loads(look(scene.path, "runs", "--json"))["runs"]
    assert (run["state"], run["resumes"]) == ("closed", 2)
    assert scene.run("replay", "last").code == 0


@pytest.mark.full
@pytest.mark.skipif(
    importlib.util.find_spec("langgraph") is None, reason="the frameworks are not installed"
)
@pytest.mark.parametrize("program", ["newsroom.py", "desk.py"])
def test_an_agent_of_a_framework_goes_on(tmp_path, program):
    path = ROOT / "examples" / "frameworks" / program
    with ScriptedProvider() as provider:
        variables = {"BASE_URL": provider.base_url, "ANTHROPIC_BASE_URL": provider.base_url}
        whole = Scene(tmp_path / "whole", **variables)
        whole.path.mkdir()
        done = whole.run("record", "--", sys.executable, path)
        assert done.code == 0, done.err
        asked = len(provider.requests)
        assert asked > 1
        for kill_at in (2, asked // 2 + 1):
            scene = Scene(tmp_path / str(kill_at), **variables)
            scene.path.mkdir()
            first = len(provider.requests)
            if not scene.killed(
                lambda first=first, kill_at=kill_at: len(provider.requests) >= first + kill_at,
                *("record", "--", sys.executable, path),
            ):
                continue
            _, in_flight = answered(scene.records())
            resumed = scene.run("resume", "last", "--secret-to", "127.0.0.1")
            assert resumed.code == 0, resumed.err
            # It asks some questions more than once: what the run asked, and what was in flight.
            questions, unanswered = answered(scene.records())
            assert (len(questions), unanswered) == (asked, [])
            sent = Counter(request.body for request in provider.requests[first:])
            assert Counter(questions) <= sent <= Counter(questions + in_flight)
            replayed = scene.run("replay", "last")
            assert replayed.code == 0, replayed.err
            # It prints ids that are chance: those from before the kill are shown again.
            assert replayed.out == resumed.out
