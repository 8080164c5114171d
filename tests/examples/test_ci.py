"""The CI example, as a user has it: recorded, committed, hooked, replayed by its own workflow."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from orchestrator.testing import ScriptedProvider

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/ci"
_SPEC = importlib.util.spec_from_file_location("steps", ROOT / "tests/support/workflow_steps.py")
steps = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(steps)

pytestmark = pytest.mark.full
PLANTED = "sk-ant-api03-" + "Zq7" * 30


class Project:
    """A checkout of the example, with what a person has installed."""

    def __init__(self, path, programs):
        self.path = path
        programs.mkdir()
        for name, words in {
            "ritornello": f'"{sys.executable}" -m orchestrator.cli',
            "python": f'"{sys.executable}"',
        }.items():
            (programs / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            (programs / name).chmod(0o700)
        self.environment = {
            **os.environ,
            "PATH": steps.path_with(programs),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PIP_NO_INDEX": "1",  # whatever is asked for has to be installed already
        }

    def run(self, *command, **environment):
        return subprocess.run(
            command,
            cwd=self.path,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    def done(self, *command, **environment):
        ran = self.run(*command, **environment)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def hooks(self):
        """Run the entries of the configured hooks on the files that git would hand them."""
        [repository] = steps.load(self.path / ".pre-commit-config.yaml")["repos"]
        offered = {hook["id"]: hook for hook in steps.load(ROOT / ".pre-commit-hooks.yaml")}
        files = self.done("git", "ls-files", "--cached").splitlines()
        codes = {}
        for configured in repository["hooks"]:
            hook = offered[configured["id"]]
            chosen = [name for name in files if re.search(hook.get("files", ""), name)]
            codes[hook["id"]] = self.run(*hook["entry"].split(), *hook["args"], *chosen)
        return codes


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    place = tmp_path_factory.mktemp("ci")
    shutil.copytree(EXAMPLE, place / "project")
    made = Project(place / "project", place / "bin")
    made.done("git", "init", "-q", ".")
    with ScriptedProvider(mode="wild") as provider:
        made.done(
            *("ritornello", "record", "--", "python", "assistant.py", "tides", "knots"),
            ANTHROPIC_BASE_URL=provider.base_url,
            ANTHROPIC_API_KEY="none",
        )
    (made.path / "runs").mkdir()
    made.done("ritornello", "export", "last", "-o", "runs/tides.ritornello")
    made.done("git", "add", ".")
    return made


def test_the_hooks_pass_what_is_sound_and_stop_a_secret_and_an_altered_bundle(project):
    sound = project.hooks()

    assert {name: ran.returncode for name, ran in sound.items()} == {
        "ritornello-verify": 0,
        "ritornello-scan": 0,
    }
    bundle = project.path / "runs/tides.ritornello"
    data = bundle.read_bytes()
    (project.path / "notes.txt").write_text(f"one\nkey = {PLANTED}\n")
    (project.path / "--help").touch()  # git hands it over as it is, and it is no option
    bundle.write_bytes(data[:-20] + bytes(20))
    project.done("git", "add", "--", "--help", "notes.txt")
    try:
        stopped = project.hooks()
    finally:
        bundle.write_bytes(data)
        project.done("git", "rm", "-qf", "--", "--help", "notes.txt")
    assert stopped["ritornello-verify"].returncode == 3
    scan = stopped["ritornello-scan"]
    assert scan.returncode == 3
    assert f"notes.txt:2: at byte 10, {len(PLANTED)} characters" in scan.stdout
    assert PLANTED[13:] not in scan.stdout + scan.stderr


def test_the_workflow_passes_without_a_key_and_fails_at_the_changed_line(project):
    workflow = steps.workflow_steps(project.path / ".github/workflows/replay.yml", "replay")
    wanted = [step for step in workflow if step.get("name") != "Install"]

    passed = steps.run_steps(wanted, cwd=project.path, environment=project.environment)
    program = project.path / "assistant.py"
    text = program.read_text()
    program.write_text(text.replace("one sentence", "two sentences"))
    failed = steps.run_steps(wanted, cwd=project.path, environment=project.environment)
    program.write_text(text)

    assert [(step.name, step.code) for step in passed][-2:] == [
        ("Replay", 0),
        ("Keep the reports", None),
    ], passed[-2].out
    assert [(step.name, step.code) for step in failed][-2:] == [
        ("Replay", 1),
        ("Keep the reports", None),
    ]
    annotation = failed[-2].out.rstrip().splitlines()[-1]
    assert annotation.startswith("::error file=assistant.py,line=")
    assert "PromptSent" in annotation or "RequestSent" in annotation
    [result] = json.loads((project.path / "reports/replay.sarif").read_text())["runs"][0]["results"]
    assert result["ruleId"] == "replay/diverged"
    suites = ET.parse(project.path / "reports/junit.xml").getroot()
    assert suites.get("failures") == "1"


def test_the_action_installs_replays_and_keeps_the_reports(project, tmp_path):
    target = tmp_path / "installed"
    environment = {
        **project.environment,
        # Into a place of its own, built without a network.
        "PIP_TARGET": str(target),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's spelling of: yes, without
        "PYTHONPATH": str(target),
    }

    done = steps.run_action(
        ROOT / "action.yml",
        cwd=project.path,
        environment=environment,
        inputs={"bundles": "runs\n", "upload-sarif": "true", "arguments": "--keep\n"},
    )

    assert [(step.name, step.code) for step in done] == [
        ("Install ritornello", 0),
        ("Replay", 0),
        ("Keep the reports", None),
        ("Send to code scanning", None),
    ], done[-1].out + done[0].out
    assert (target / "orchestrator/cli/replay.py").is_file()
    for file in done[2].uses["path"].split():
        assert (project.path / file).is_file()
    assert "exit-code=0" in (project.path.parent / "output.txt").read_text()
    assert "1 of 1 identical" in (project.path.parent / "summary.md").read_text()
