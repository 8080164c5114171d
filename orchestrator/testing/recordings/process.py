"""One test in a process of its own: the same file, the same options, nothing left from others.

Libraries keep what they find out: the first test of a process to use an SDK makes it read things
that the second does not. So recordings are made in a fresh process, and a replay that differs
beside other tests is judged in one.

The child is a pytest that has collected the test's file and runs that test; its reports come back
as those of a worker of pytest-xdist do. One pytest collects a file for all of its tests, each of
which gets a fork of it (see :mod:`orchestrator.testing.recordings.prepared`).
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import pytest

from orchestrator.testing.recordings.at_start import AtStart
from orchestrator.testing.recordings.prepared import Orders, PreparedProcess, PreparedProcesses

__all__ = [
    "CHILD_OPTION",
    "ChildReporter",
    "ChildTask",
    "at_start",
    "child_task",
    "run_in_child",
    "serve",
]

CHILD_OPTION: Final = "ritornello_child"
ChildStep: TypeAlias = Literal["record", "replay"]
#: What this process was before it imported anything of the project.
at_start: Final = pytest.StashKey[AtStart]()

#: Options of the session that say what to run, how to tell of it, or how to share it out.
_OF_THE_SESSION: Final = frozenset(
    {
        "basetemp",
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
        "log_file",
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
#: Any fixed value: it is noted in the recording and used again.
_HASH_SEED: Final = "0"


class ChildTask:
    """What the child is to do.

    Attributes:
        orders: the one who started it.
        node: id of the test; empty until one is ordered.
        step: what to do with it.
        reports: the file that takes its reports, one a line.
    """

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.node = ""
        self.step: ChildStep = "replay"
        self.reports = Path(os.devnull)

    def take(self, order: Mapping[str, Any]) -> None:
        """Take what is to be done next."""
        self.node = order["node"]
        self.step = order["step"]
        self.reports = Path(order["reports"])


def run_in_child(
    item: pytest.Item,
    step: ChildStep,
    prepared: PreparedProcesses,
    *,
    hash_seed: str | None = None,
) -> list[pytest.TestReport]:
    """Run one test in a fresh process and return its reports.

    Args:
        item: the test.
        step: whether it is recorded or replayed.
        prepared: the processes that have collected its file, or will.
        hash_seed: the value of PYTHONHASHSEED with which it was recorded.
    """
    environment = _environment(hash_seed)
    with tempfile.TemporaryDirectory(prefix="ritornello-") as directory:
        reports = Path(directory, "reports.jsonl")
        order = {"node": item.nodeid, "step": step, "reports": str(reports)}
        try:
            process = prepared.of(item.path, environment, lambda: _start(item, environment))
            said = process.run(order)
        except pytest.fail.Exception as stopped:  # a time-out of this process
            return [_failed(item, f"ritornello: stopped in its own process: {stopped}")]
        found = _read(reports, item.config)
    if not any(report.when == "teardown" for report in found):
        found.append(_failed(item, f"ritornello: its own process ended before the test\n{said}"))
    return found


def _start(item: pytest.Item, environment: Mapping[str, str]) -> PreparedProcess:
    config = item.config
    options = {
        name: value
        for name, value in vars(config.option).items()
        if name not in _OF_THE_SESSION and _is_plain(value)
    }
    return PreparedProcess(
        functools.partial(_command, item),
        {"options": options},
        directory=config.invocation_params.dir,
        environment=environment,
        is_heard=config.option.capture == "no",
    )


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(each, _PLAIN) for each in value)
    return isinstance(value, _PLAIN)


def _command(item: pytest.Item, pipes: str) -> list[str]:
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
        *config.stash[at_start].interpreter_options(),
        "-m",
        "pytest",
        *arguments,
        f"--ritornello-child={pipes}",
        str(item.path),
    ]


def _environment(hash_seed: str | None) -> dict[str, str]:
    environment = {**os.environ}
    environment.pop("PYTEST_ADDOPTS", None)  # they are among the options
    if hash_seed is not None:
        environment["PYTHONHASHSEED"] = hash_seed
    else:
        environment.setdefault("PYTHONHASHSEED", _HASH_SEED)
    return environment


def _read(path: Path, config: pytest.Config) -> list[pytest.TestReport]:
    if not path.exists():
        return []
    found: list[pytest.TestReport] = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break  # the process was killed while it wrote this one
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
    pipes = config.getoption(CHILD_OPTION)
    if pipes is None:
        return None
    orders = Orders(pipes)
    vars(config.option).update(orders.first()["options"])
    config.option.log_file = os.devnull  # it would empty the session's
    # Plugins that write reports or remember failures leave that to whoever started a worker.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "master")
    setattr(config, "workerinput", {"workerid": worker, "workercount": 1, "testrunuid": ""})  # noqa: B010
    return ChildTask(orders)


def serve(session: pytest.Session, task: ChildTask) -> None:
    """Run the tests that are ordered, each in a process in which no other was run."""
    config = session.config
    # A fork leaves as it is what ends with this process: directories of tests are made here.
    directories = getattr(config, "_tmp_path_factory", None)
    if directories is not None:
        directories.getbasetemp()
    # Whoever judges is loaded before the fork: that is no part of any test either.
    importlib.import_module("orchestrator.testing.recordings.runs")

    def run(order: dict[str, Any]) -> None:
        task.take(order)
        try:
            found = [item for item in session.items if item.nodeid == task.node]
            if not found:
                sys.stderr.write(f"{task.node} is not among the tests that were collected there\n")
            for item in found:
                config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        except BaseException:
            capture = config.pluginmanager.getplugin("capturemanager")
            if capture is not None:
                capture.suspend_global_capture(in_=True)
            raise

    task.orders.serve(run, config.stash[at_start].may_fork)


class ChildReporter:
    """Writes each report to the file that the parent reads."""

    def __init__(self, config: pytest.Config, task: ChildTask) -> None:
        self._config = config
        self._task = task

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one report."""
        hook = self._config.hook
        data = hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._task.reports.open("a", encoding="utf-8") as file:
            file.write(json.dumps(data, default=str) + "\n")
