"""Runs the `run:` steps of a workflow job or a composite action, with bash, as the runner does.

A small part of it: `env`, `inputs`, `if` of the two forms that our files use. Steps that use other
actions are not run, but come back, so that a test can look at them.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import yaml

EXPRESSION = re.compile(r"\$\{\{\s*inputs\.([a-z-]+)\s*\}\}")
CONDITION = re.compile(r"inputs\.([a-z-]+) (==|!=) '([^']*)'")


class Step:
    """What came of a step: code None where it did not run."""

    def __init__(self, name, code, out="", uses=None):
        self.name = name
        self.code = code
        self.out = out
        self.uses = uses


def load(path):
    return yaml.load(Path(path).read_text(), Loader=yaml.BaseLoader)


def workflow_steps(path, job):
    return load(path)["jobs"][job]["steps"]


def run_action(path, *, cwd, environment, inputs=None):
    action = load(path)
    assert action["runs"]["using"] == "composite"
    given = {name: spec.get("default", "") for name, spec in action["inputs"].items()}
    given |= inputs or {}
    files = {"GITHUB_ACTION_PATH": str(Path(path).parent)}
    return run_steps(
        action["runs"]["steps"], cwd=cwd, environment={**environment, **files}, inputs=given
    )


def run_steps(steps, *, cwd, environment, inputs=None):
    """Run steps in order; after one that failed only those with `always()`."""
    inputs = inputs or {}
    done: list[Step] = []
    failed = False
    files = {"GITHUB_OUTPUT": "output.txt", "GITHUB_STEP_SUMMARY": "summary.md"}
    places = {name: str(Path(cwd).parent / file) for name, file in files.items()}
    for step in steps:
        name = step.get("name", step.get("uses", ""))
        if not _is_met(step.get("if", ""), inputs, failed=failed):
            continue
        if "uses" in step:
            assert re.search(r"@[0-9a-f]{40}$", step["uses"]), "not pinned"
            done.append(Step(name, None, uses=_filled(step, inputs)))
            continue
        assert "${{" not in step["run"], "text of others would become part of a script"
        own = {key: _fill(value, inputs) for key, value in step.get("env", {}).items()}
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=cwd,
            env={
                **environment,
                **places,
                **own,
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_WORKSPACE": str(cwd),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        failed = failed or ran.returncode != 0
        done.append(Step(name, ran.returncode, ran.stdout))
    return done


def path_with(program_directory):
    return os.pathsep.join([str(program_directory), os.environ["PATH"]])


def _is_met(condition, inputs, *, failed):
    if failed and "always()" not in condition:
        return False
    rest = condition.replace("always()", "").strip().removeprefix("&&").strip()
    if not rest:
        return True
    found = CONDITION.fullmatch(rest)
    assert found, condition
    return (inputs[found[1]] == found[3]) is (found[2] == "==")


def _fill(text, inputs):
    return EXPRESSION.sub(lambda match: inputs[match[1]], text)


def _filled(step, inputs):
    return {key: _fill(value, inputs) for key, value in step.get("with", {}).items()}
