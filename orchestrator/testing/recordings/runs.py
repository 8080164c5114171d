"""One marked test: record its body, or replay it, and let pytest judge what came of it.

The whole test function is the recorded program. Fixtures are set up and torn down outside of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from orchestrator.testing.recorded_run import opened_recording, record_to
from orchestrator.testing.recordings.texts import Place, differing, refused_by_engine
from replay.doors.context import bound
from replay.errors import IntegrityError, NotFoundError, ReplayError
from replay.events.kinds import RunStarted
from replay.files.live import LiveFiles
from replay.files.program_files import Files

__all__ = ["record_test", "recorded_hash_seed", "replay_test", "run_live"]

_ENTRY: Final = "pytest "
_VERDICT: Final = "ritornello.verdict"
_PATH: Final = "path:"
_DIRECTORY: Final = "directory="
_LEVEL: Final = "log_level="
_SEED_DIGITS_MAX: Final = 10

Test = Callable[..., Any]


def record_test(
    item: pytest.Function,
    test: Test,
    values: Mapping[str, object],
    path: Path,
    *,
    place: Place,
    failed: Path,
    scratch: Path | None,
) -> None:
    """Run a test live and keep the recording if it passes.

    Args:
        item: the test.
        test: its function.
        values: what its fixtures gave, by name.
        path: the recording; one that is there is replaced.
        place: how to name both.
        failed: takes the recording of a test that fails.
        scratch: a directory of the session that has the run meanwhile, if there is one.

    Raises:
        BaseException: what the test raised. The recording that was there, if any, is still there.
    """
    with _settled_capture(item):
        try:
            kept = record_to(
                path,
                _body(test, values, logging.root.level),
                entry=f"{_ENTRY}{item.nodeid}",
                arguments=tuple(_arguments(item.config.rootpath, values)),
                failed=failed,
                scratch=scratch,
            )
        except ReplayError as error:
            raise _failure(refused_by_engine(place, error, recording=True)) from None
    if kept.error is not None:
        shown = os.path.relpath(failed, item.config.invocation_params.dir)
        text = f"failed, so the recording is not kept; look at it: ritornello show {shown}"
        item.add_report_section("call", "ritornello", text)
        raise kept.error
    item.user_properties.append(("ritornello.events", kept.events))


def replay_test(
    item: pytest.Function,
    test: Test,
    values: Mapping[str, object],
    path: Path,
    *,
    place: Place,
    is_last: bool,
) -> bool:
    """Replay a test; return whether its replay is identical.

    Args:
        item: the test.
        test: its function.
        values: what its fixtures gave, by name.
        path: the recording.
        place: how to name both.
        is_last: fail if it is not identical; else somebody looks again.

    Raises:
        BaseException: what the test raised by itself.
    """
    root = item.config.rootpath
    try:
        with opened_recording(path) as recording, contextlib.ExitStack() as stack:
            said = _of_test(recording.started)
            level = int(_said(said, _LEVEL) or logging.root.level)
            given = {**values, **_recorded_paths(said, root, values)}
            stack.enter_context(_in_directory(root, _said(said, _DIRECTORY)))
            stack.enter_context(_settled_capture(item))
            late = stack.enter_context(_kept_unraisable())
            replayed = recording.replay(_body(test, given, level))
            report = replayed.report
            if report.verdict == "identical" and replayed.error is None:
                item.user_properties.append((_VERDICT, report.verdict))
                return True
            if is_last:
                told = recording.explained(report)
            else:
                # A test that was stopped half-way leaves things that complain: nobody's business.
                del replayed
                gc.collect()
                late.clear()
                return False
    except (ReplayError, OSError, ValueError) as error:
        problem = error if isinstance(error, ReplayError) else IntegrityError(str(error))
        raise _failure(refused_by_engine(place, problem, recording=False)) from None
    item.user_properties.append((_VERDICT, report.verdict))
    if replayed.error is not None and report.verdict != "refused":
        item.add_report_section("call", "ritornello", f"in a replay of {place.recording}")
        raise replayed.error
    raise _failure(differing(place, report, values, told))


def recorded_hash_seed(path: Path) -> str | None:
    """Return the value of PYTHONHASHSEED of a recording, None if it cannot be read."""
    try:
        with opened_recording(path) as recording:
            seed = recording.started.hash_seed
    except (ReplayError, OSError):
        return None
    return seed if seed.isdigit() and len(seed) <= _SEED_DIGITS_MAX else None


def _of_test(started: RunStarted) -> tuple[str, ...]:
    """Return what a recording says of where its test ran.

    Raises:
        NotFoundError: it is the recording of something else.
    """
    if not started.entry.startswith(_ENTRY):
        raise NotFoundError("this is not the recording of a test", where=started.entry)
    return started.arguments


def run_live(test: Test, values: Mapping[str, object]) -> None:
    """Run a test without recording it, a coroutine in an event loop of its own."""
    if inspect.iscoroutinefunction(test):
        asyncio.run(test(**values))
    else:
        test(**values)


def _failure(text: str) -> BaseException:
    """Return a failure that is shown as its text alone."""
    return pytest.fail.Exception(text, pytrace=False)


def _body(test: Test, values: Mapping[str, object], level: int) -> Callable[[], Any]:
    """Return the recorded program: the test, under the log level that was in force.

    It has no arguments: those of a task are compared, and a server's address may differ.
    """

    async def awaited() -> Any:
        with _settings(level):
            return await test(**values)

    def called() -> Any:
        with _settings(level):
            return test(**values)

    body = awaited if inspect.iscoroutinefunction(test) else called
    body.__qualname__ = test.__qualname__
    return body


@contextlib.contextmanager
def _settings(level: int) -> Iterator[None]:
    before = logging.root.level
    logging.root.setLevel(level)
    try:
        yield
    finally:
        logging.root.setLevel(before)


def _arguments(root: Path, values: Mapping[str, object]) -> Iterator[str]:
    """Yield what a replay has to know of where the test ran."""
    yield f"{_LEVEL}{logging.root.level}"
    here = Path.cwd()
    if here.is_relative_to(root):
        yield f"{_DIRECTORY}{here.relative_to(root).as_posix()}"
    for name, path in _outside_paths(root, values):
        yield f"{_PATH}{name}={path}"


def _outside_paths(root: Path, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the paths among the values that lie elsewhere, such as temporary directories."""
    for name, value in values.items():
        if not isinstance(value, os.PathLike):
            continue
        path = os.fspath(value)
        if isinstance(path, str) and os.path.isabs(path) and not Path(path).is_relative_to(root):  # noqa: PTH117
            yield name, path


def _said(arguments: tuple[str, ...], start: str) -> str:
    return next((each[len(start) :] for each in arguments if each.startswith(start)), "")


def _recorded_paths(
    arguments: tuple[str, ...], root: Path, values: Mapping[str, object]
) -> dict[str, object]:
    """Return values as they were in the recording, where they are paths from elsewhere.

    A temporary directory has another name in each session. The replay reads and writes none of its
    files: they are in the record, under the recorded name.
    """
    changed: dict[str, object] = {}
    for name, path in _outside_paths(root, values):
        recorded = _said(arguments, f"{_PATH}{name}=")
        if recorded and recorded != path:
            value: Any = values[name]
            changed[name] = type(value)(recorded)
    return changed


@contextlib.contextmanager
def _in_directory(root: Path, relative: str) -> Iterator[None]:
    """Be where the test was recorded, seen from the root."""
    target = (root / relative).resolve()
    if not relative or not target.is_dir() or not target.is_relative_to(root.resolve()):
        yield
        return
    with contextlib.chdir(target):
        yield


@contextlib.contextmanager
def _kept_unraisable() -> Iterator[list[Any]]:
    """Keep what cannot be raised, and pass on afterwards what is still in the list."""
    hook, late = sys.unraisablehook, list[Any]()
    sys.unraisablehook = late.append
    try:
        yield late
    finally:
        sys.unraisablehook = hook
        for each in late:
            hook(each)


@contextlib.contextmanager
def _settled_capture(item: pytest.Function) -> Iterator[None]:
    """Let ``capsys.readouterr()`` within the test see all that the test has printed so far.

    Output leaves a run behind what it rests on, a moment later; whoever reads it waits for that.
    """
    with contextlib.ExitStack() as stack:
        for value in item.funcargs.values():
            if isinstance(value, pytest.CaptureFixture):
                vars(value)["readouterr"] = functools.partial(_read_out, value)
                stack.callback(vars(value).pop, "readouterr")
        yield


def _read_out(capture: pytest.CaptureFixture[Any]) -> Any:
    context, read = bound(), type(capture).readouterr
    files = None if context is None else context.files
    if not isinstance(files, Files):
        return read(capture)
    if isinstance(files, LiveFiles):
        files.gate()
    # It looks at files of pytest's own, by descriptors that are others in each process.
    return files.outside(read, capture)
