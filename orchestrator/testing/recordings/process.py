"""One test in a process of its own: the same file, the same options, nothing left from others.

Libraries keep what they find out: the first test of a process to use an SDK makes it read things
that the second does not. So recordings are made in a fresh process, and a replay that differs
beside other tests is judged in one.

The child is a pytest that collects the test's file and runs that test; its reports come back as
those of a worker of pytest-xdist do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

import pytest

__all__ = ["CHILD_OPTION", "ChildReporter", "ChildTask", "child_task", "keep_only", "run_in_child"]

CHILD_OPTION: Final = "ritornello_child"
ChildStep: TypeAlias = Literal["record", "replay"]

#: Options of the session that say what to run, how to tell of it, or how to share it out.
_OF_THE_SESSION: Final = frozenset(
    {
        "collectonly",
        "cacheclear",
        "cov_append",
        "cov_report",
        "cov_source",
        "debug",
        "deselect",
        "dist",
        "distload",
        "failedfirst",
        "file_or_dir",
        "htmlpath",
        "ignore",
        "ignore_glob",
        "keyword",
        "lf",
        "markexpr",
        "maxfail",
        "maxprocesses",
        "newfirst",
        "no_cov",
        "numprocesses",
        "plugins",
        "pyargs",
        "report_log",
        "ritornello_child",
        "ritornello_prune",
        "stepwise",
        "stepwise_reset",
        "stepwise_skip",
        "tx",
        "xmlpath",
    }
)
_PLAIN: Final = (str, int, float, bool, type(None))
_SAID_MAX: Final = 2000
#: Any fixed value: it is noted in the recording and used again.
_HASH_SEED: Final = "0"


class ChildTask:
    """What the child is to do.

    Attributes:
        node: id of the test.
        step: what to do with it.
        reports: the file that takes its reports, one a line.
    """

    def __init__(self, node: str, step: ChildStep, reports: Path) -> None:
        self.node = node
        self.step: ChildStep = step
        self.reports = reports


def run_in_child(
    item: pytest.Item, step: ChildStep, *, hash_seed: str | None = None
) -> list[pytest.TestReport]:
    """Run one test in a fresh process and return its reports.

    Args:
        item: the test.
        step: whether it is recorded or replayed.
        hash_seed: the value of PYTHONHASHSEED with which it was recorded.
    """
    with tempfile.TemporaryDirectory(prefix="ritornello-") as directory:
        task = Path(directory, "task.json")
        reports = Path(directory, "reports.jsonl")
        options = {
            name: value
            for name, value in vars(item.config.option).items()
            if name not in _OF_THE_SESSION and _is_plain(value)
        }
        task.write_text(
            json.dumps(
                {"node": item.nodeid, "step": step, "reports": str(reports), "options": options}
            ),
            encoding="utf-8",
        )
        try:
            said = _run(_command(item, task), item.config, hash_seed)
        except pytest.fail.Exception as stopped:  # a time-out of this process
            return [_failed(item, f"ritornello: stopped in its own process: {stopped}")]
        found = _read(reports, item.config)
    if not any(report.when == "teardown" for report in found):
        found.append(_failed(item, f"ritornello: its own process ended before the test\n{said}"))
    return found


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(each, _PLAIN) for each in value)
    return isinstance(value, _PLAIN)


def _command(item: pytest.Item, task: Path) -> list[str]:
    config = item.config
    option = config.option
    arguments = [f"--rootdir={config.rootpath}", "-o", "addopts=", "-p", "no:terminal"]
    if config.inipath is not None:
        arguments += ["-c", str(config.inipath)]
    if config.pluginmanager.has_plugin("xdist"):
        arguments += ["-n", "0"]
    for plugin in option.plugins:
        arguments += ["-p", plugin]
    for ini in option.override_ini or ():
        arguments += ["-o", ini]
    for warning in option.pythonwarnings or ():
        arguments += ["-W", warning]
    if option.confcutdir is not None:
        arguments += [f"--confcutdir={option.confcutdir}"]
    arguments += [f"--import-mode={option.importmode}", f"--capture={option.capture}"]
    return [
        sys.executable,
        *(f"-X{name}" for name in sys._xoptions if sys._xoptions[name] is True),
        "-m",
        "pytest",
        *arguments,
        f"--ritornello-child={task}",
        str(item.path),
    ]


def _run(command: list[str], config: pytest.Config, hash_seed: str | None) -> str:
    """Run the child and return what it said outside of the test."""
    environment = {**os.environ}
    environment.pop("PYTEST_ADDOPTS", None)  # they are among the options
    if hash_seed is not None:
        environment["PYTHONHASHSEED"] = hash_seed
    else:
        environment.setdefault("PYTHONHASHSEED", _HASH_SEED)
    aside = None if config.option.capture == "no" else subprocess.PIPE
    done = subprocess.run(  # noqa: S603 - this Python, on a file that this session collected
        command,
        cwd=config.invocation_params.dir,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=aside,
        stderr=subprocess.STDOUT if aside else None,
        check=False,
    )
    said = (done.stdout or b"").decode("utf-8", "replace")[-_SAID_MAX:]
    return f"exit code {done.returncode}\n{said}".strip()


def _read(path: Path, config: pytest.Config) -> list[pytest.TestReport]:
    if not path.exists():
        return []
    found: list[pytest.TestReport] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        report = config.hook.pytest_report_from_serializable(config=config, data=json.loads(line))
        if isinstance(report, pytest.TestReport):
            report.user_properties = [(str(name), value) for name, value in report.user_properties]
            found.append(report)
    return found


def _failed(item: pytest.Item, text: str) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="failed",
        longrepr=text,
        when="call",
    )


# --- the child's side ------------------------------------------------------------------------


def child_task(config: pytest.Config) -> ChildTask | None:
    """Return what this process is to do, if it is such a child; take over the session's options."""
    path = config.getoption(CHILD_OPTION)
    if path is None:
        return None
    said: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    vars(config.option).update(said["options"])
    # Plugins that write reports or remember failures leave that to whoever started a worker.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "master")
    setattr(config, "workerinput", {"workerid": worker, "workercount": 1, "testrunuid": ""})  # noqa: B010
    return ChildTask(said["node"], cast("ChildStep", said["step"]), Path(said["reports"]))


def keep_only(node: str, items: list[pytest.Item]) -> None:
    """Leave the one test in the list."""
    items[:] = [item for item in items if item.nodeid == node]


class ChildReporter:
    """Writes each report to the file that the parent reads."""

    def __init__(self, config: pytest.Config, task: ChildTask) -> None:
        self._config = config
        self._path = task.reports

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one report."""
        hook = self._config.hook
        data = hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(data, default=str) + "\n")
