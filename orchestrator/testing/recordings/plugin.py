"""Recorded runs as tests: ``@pytest.mark.ritornello`` records a test once and replays it after.

Imports pytest and the standard library only; the engine is loaded when a marked test runs. Tests
without the mark are none of its business.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from orchestrator.testing.recordings.at_start import AtStart
from orchestrator.testing.recordings.items import (
    INI_DIRECTORY,
    MODE_OPTION,
    RecordedTest,
    checked_mode,
    is_marked,
    mode_of,
    own_function,
    path_of,
    place_of,
    refusal,
    session_mode,
)
from orchestrator.testing.recordings.modes import (
    MODES,
    Step,
    default_mode,
    first_step,
    records_what_differs,
)
from orchestrator.testing.recordings.names import RECORDINGS, is_plain_name
from orchestrator.testing.recordings.prepared import PreparedProcesses
from orchestrator.testing.recordings.process import (
    CHILD_OPTION,
    ChildReporter,
    ChildTask,
    at_start,
    child_task,
    run_in_child,
    serve,
)
from orchestrator.testing.recordings.texts import missing
from orchestrator.testing.recordings.unused import (
    PRUNE_OPTION,
    Selection,
    closing_lines,
    unused,
)
from orchestrator.testing.recordings.vcr_marks import (
    INI_VCR,
    VCR_OPTION,
    know_vcr_marks,
    take_vcr_marks,
    takes_vcr_marks,
)

_INI_MODE: Final = "ritornello_mode"
_WORKER_OUTPUT: Final = "ritornello"
_FAILED: Final = Path(".ritornello", "failed-tests")


@dataclass(slots=True)
class _Session:
    """What this process has seen."""

    recorded: list[str] = field(default_factory=list)
    selection: Selection = field(default_factory=Selection)
    unused: list[str] = field(default_factory=list)


_session: Final = pytest.StashKey[_Session]()
_child: Final = pytest.StashKey[ChildTask | None]()
_prepared: Final = pytest.StashKey[PreparedProcesses]()
#: On a test: its replay beside others differs, and has to be judged in a process of its own.
_differs: Final = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options, all of them prefixed: pytest-recording may be there too."""
    group = parser.getgroup("ritornello", "recorded runs")
    group.addoption(
        "--ritornello",
        dest=MODE_OPTION,
        metavar="MODE",
        choices=MODES,
        default=None,
        help="What to do with tests marked `ritornello`: none (replay; no recording is a failure),"
        " once (replay, or record what has no recording), new (as once, and record anew what"
        " differs), all or rewrite (record), off (run live, record nothing)."
        " Default: none if CI is set, else once.",
    )
    group.addoption(
        "--ritornello-prune",
        dest=PRUNE_OPTION,
        action="store_true",
        help="Delete recordings that no test uses. Only if whole directories were selected.",
    )
    group.addoption(
        "--ritornello-vcr",
        dest=VCR_OPTION,
        action="store_true",
        help="Take tests marked `vcr` as marked `ritornello`; needs -p no:recording.",
    )
    group.addoption("--ritornello-child", dest=CHILD_OPTION, default=None, help=argparse.SUPPRESS)
    parser.addini(_INI_MODE, "Mode where --ritornello is not given.", default="")
    parser.addini(INI_VCR, "Whether --ritornello-vcr holds always.", type="bool", default=False)
    parser.addini(INI_DIRECTORY, "Name of the directory of recordings.", default=RECORDINGS)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Note what this process is before it imports anything of the project."""
    directory = early_config.invocation_params.dir
    early_config.stash[at_start] = AtStart.noted(directory)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """In a process that runs one test: take over the options of the session."""
    config.stash[_child] = child_task(config)


def pytest_configure(config: pytest.Config) -> None:
    """Find the mode, and make the mark known."""
    config.addinivalue_line(
        "markers",
        "ritornello(name=None, mode=None): record the test's body once, replay it after that.",
    )
    if takes_vcr_marks(config):
        know_vcr_marks(config)
    chosen = config.getoption(MODE_OPTION) or config.getini(_INI_MODE) or default_mode(os.environ)
    config.stash[session_mode] = checked_mode(chosen, f"ini key {_INI_MODE}")
    directory = config.getini(INI_DIRECTORY)
    if not is_plain_name(directory):
        raise pytest.UsageError(f"ini key {INI_DIRECTORY}: {directory!r} is no plain name")
    if at_start not in config.stash:  # we were loaded by a conftest.py
        pytest_load_initial_conftests(config)
    config.stash[_session] = _Session()
    config.stash[_prepared] = PreparedProcesses()
    task = config.stash.get(_child, None)
    if task is not None:
        config.pluginmanager.register(ChildReporter(config, task))


# --- which tests -----------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse two tests that would share a recording; note which recordings have a test."""
    if takes_vcr_marks(config):
        take_vcr_marks(items)
    owners: dict[str, str] = {}
    used = config.stash[_session].selection.used
    for item in items:
        if not is_marked(item) or not isinstance(item, pytest.Function):
            continue
        path = path_of(item)
        used.add(path)
        # Some disks do not tell capitals from small letters.
        owner = owners.setdefault(str(path).casefold(), item.nodeid)
        if owner != item.nodeid:
            raise pytest.UsageError(
                f"{owner} and {item.nodeid} would share the recording {path};"
                " give one of them another name: @pytest.mark.ritornello(name=…)"
            )


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Note what was collected whole: a test that nobody looked for is not gone."""
    report = yield
    collector.config.stash[_session].selection.collected(collector, report)
    return report


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Note that not everything was selected."""
    for item in items[:1]:
        item.config.stash[_session].selection.is_whole = False


# --- running one -----------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """In a prepared process: run what is ordered, and nothing of its own."""
    task = session.config.stash.get(_child, None)
    if task is None or session.testsfailed:  # what could not be collected is pytest's to say
        return None
    serve(session, task)
    return True


@pytest.fixture
def ritornello(request: pytest.FixtureRequest) -> RecordedTest:
    """How this test is being run: its mode, its recording, and whether it is replayed."""
    item: pytest.Function = request.node
    try:
        return RecordedTest(mode_of(item), path_of(item), _step(item) == "replay")
    except pytest.UsageError as error:
        raise pytest.fail.Exception(f"ritornello: {error}", pytrace=False) from None


def _step(item: pytest.Function) -> Step:
    task = item.config.stash.get(_child, None)
    if task is not None:
        return task.step
    return first_step(mode_of(item), is_recorded=path_of(item).is_file())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Record in a fresh process; replay in this one, and once more in a fresh one if it differs."""
    if not is_marked(item) or not isinstance(item, pytest.Function) or refusal(item):
        return None
    config = item.config
    if config.stash.get(_child, None) is not None or config.getoption("usepdb"):
        return None
    try:
        step = _step(item)
    except pytest.UsageError:
        return None  # said again, and heard, when the test is set up
    from _pytest.runner import runtestprotocol
    from _pytest.skipping import evaluate_skip_marks

    if step in {"live", "missing"} or evaluate_skip_marks(item) is not None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    if step == "record":
        reports = run_in_child(item, "record", config.stash[_prepared])
    else:
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if item.stash.get(_differs, False):
            reports = _judged_alone(item)
    for report in reports:
        _note(report, config)
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _judged_alone(item: pytest.Function) -> list[pytest.TestReport]:
    from orchestrator.testing.recordings.runs import recorded_hash_seed

    prepared = item.config.stash[_prepared]
    seed = recorded_hash_seed(path_of(item))
    reports = run_in_child(item, "replay", prepared, hash_seed=seed)
    diverged = any(("ritornello.verdict", "diverged") in each.user_properties for each in reports)
    if diverged and records_what_differs(mode_of(item)):
        return run_in_child(item, "record", prepared)
    return reports


def _note(report: pytest.TestReport, config: pytest.Config) -> None:
    said = dict(report.user_properties)
    if report.when == "call" and report.passed and "ritornello.events" in said:
        config.stash[_session].recorded.append(str(said["ritornello.recording"]))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse what cannot be a recorded run, and fail early where a recording is missing."""
    if not is_marked(item):
        return
    try:
        mode_of(item)
        why = refusal(item)
    except pytest.UsageError as error:
        why = str(error)
    if why or not isinstance(item, pytest.Function):
        pytest.fail(f"ritornello: {why}", pytrace=False)
    if _step(item) == "missing":
        pytest.fail(missing(place_of(item, path_of(item))), pytrace=False)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Put a function in the place of a marked test that records or replays it.

    So whatever else takes part in calling a test does so as with any synchronous one.
    """
    if not is_marked(pyfuncitem):
        return (yield)
    shown = pyfuncitem.obj
    test = own_function(pyfuncitem)

    def call(**values: object) -> None:
        _call(pyfuncitem, test, values)

    pyfuncitem.obj = call
    try:
        return (yield)
    finally:
        pyfuncitem.obj = shown


def _call(item: pytest.Function, test: Any, values: dict[str, object]) -> None:
    from orchestrator.testing.recordings import runs

    step, path = _step(item), path_of(item)
    if step == "live":
        runs.run_live(test, values)
        return
    place = place_of(item, path)
    item.user_properties.append(("ritornello.recording", place.recording))
    config = item.config
    task = config.stash.get(_child, None)
    if step == "record":
        failed = config.rootpath / _FAILED / f"{item.path.stem}.{path.name}"
        scratch = None if task is None else task.reports.parent
        runs.record_test(item, test, values, path, place=place, failed=failed, scratch=scratch)
        return
    # Alone in its process, or looked at by somebody: there is nobody else to judge it.
    is_last = task is not None or config.getoption("usepdb")
    if not runs.replay_test(item, test, values, path, place=place, is_last=is_last):
        item.stash[_differs] = True


# --- the end of a session --------------------------------------------------------------------


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Find recordings that no test uses; a worker of pytest-xdist tells its controller."""
    config = session.config
    config.stash[_prepared].close()
    seen = config.stash[_session]
    found = unused(config, seen.selection, config.getini(INI_DIRECTORY))
    seen.unused.extend(map(str, found))
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output[_WORKER_OUTPUT] = {"recorded": seen.recorded, "unused": seen.unused}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker of pytest-xdist has seen."""
    output = getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT)
    if output is not None:
        seen = node.config.stash[_session]
        seen.recorded.extend(output["recorded"])
        seen.unused.extend(output["unused"])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was recorded and what no test uses; delete the latter if that was asked for."""
    if hasattr(config, "workerinput"):
        return  # a worker of pytest-xdist has a reporter too, which nobody reads
    seen = config.stash[_session]
    lines = closing_lines(config, seen.recorded, [Path(each) for each in sorted(set(seen.unused))])
    if lines:
        terminalreporter.section("ritornello")
        for line in lines:
            terminalreporter.write_line(line)
