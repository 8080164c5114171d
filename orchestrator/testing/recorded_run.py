"""A recorded run as a test: run live once and kept as a bundle, repeated from it ever after."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, cast, get_args

from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.reader import BundleReader
from replay.bundle.writer import write_bundle
from replay.doors.context import bound
from replay.errors import IntegrityError, NotFoundError, UsageError
from replay.events.kinds import RunStarted
from replay.forensics.explain import CodeFindings, Explanation, explain
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.log.head import origin_of, read_head
from replay.session.api import entry_of
from replay.session.extensions import roles_in_request
from replay.session.record import record_program
from replay.session.record_start import first_record
from replay.session.replay import replay_log
from replay.session.report import Report
from replay.tree.note import Checkpoint
from replay.version import VERSION

__all__ = [
    "Body",
    "KeptRun",
    "NotRepeatedError",
    "RecordedMode",
    "RunReplayed",
    "opened_recording",
    "record_to",
    "recorded",
]

T = TypeVar("T")

#: ``none``: replay; without a recording, fail. ``once``: replay; without a recording, record.
#: ``rewrite``: record, whatever is there.
RecordedMode: TypeAlias = Literal["none", "once", "rewrite"]
#: What pytest asks when it words a failed assertion. A run asks each of them once, so they are
#: asked at the start: how a failure is worded is no part of what a test does.
_ASKED_BY_PYTEST: Final = ("CI", "BUILD_NUMBER")


class NotRepeatedError(AssertionError):
    """A recorded function did something else in its replay.

    Attributes:
        report: what the replay found.
    """

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


class Body(Generic[T]):
    """A program that keeps what it returned or raised by itself.

    What it raised because a replay was stopped is no outcome of its own and is not kept.
    """

    def __init__(self, main: Callable[[], Any]) -> None:
        self._main = main
        self.value: T | None = None
        self.error: BaseException | None = None

    def __call__(self) -> T:
        """Run it, a coroutine in an event loop of its own."""
        for name in _ASKED_BY_PYTEST:
            os.environ.get(name)
        try:
            value = self._main()
            if inspect.iscoroutine(value):
                value = asyncio.run(self._watched(value))
        except BaseException as error:
            self._note(error)
            raise
        self.value = value
        return cast("T", value)

    def _watched(self, coroutine: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        """Return a coroutine that is told by the same name and keeps what the given one raises.

        Its task ends with that error, which is a difference of its own and stops the replay.
        """

        async def awaited() -> Any:
            try:
                return await coroutine
            except BaseException as error:
                self._note(error)
                raise

        awaited.__qualname__ = coroutine.__qualname__  # type: ignore[attr-defined]  # it has one
        return awaited()

    def _note(self, error: BaseException) -> None:
        context = bound()
        if self.error is None and (context is None or context.scheduler.halted is None):
            self.error = error


@dataclass(frozen=True, slots=True)
class KeptRun:
    """What came of recording.

    Attributes:
        path: the bundle; None if nothing was kept.
        events: number of records.
        error: what the program raised.
        value: what it returned.
    """

    path: Path | None
    events: int
    error: BaseException | None
    value: Any


@dataclass(frozen=True, slots=True)
class RunReplayed:
    """What came of a replay.

    Attributes:
        report: the verdict and the first difference.
        error: what the program raised by itself.
        value: what it returned, if it came to its end.
    """

    report: Report
    error: BaseException | None
    value: Any


def record_to(
    path: Path,
    main: Callable[[], Any],
    *,
    entry: str,
    arguments: tuple[str, ...] = (),
    failed: Path | None = None,
    scratch: Path | None = None,
) -> KeptRun:
    """Run a function live, record it, and keep the run as a bundle if it did not fail.

    Args:
        path: the bundle; one that is there is replaced at the end, in one step.
        main: a function without arguments, asynchronous or not.
        entry: how to find the function again.
        arguments: what else the record should say about how it was called.
        failed: a path that gets the bundle of a run that failed; dropped if not given.
        scratch: a directory that holds the run meanwhile, and is emptied by whoever made it if this
            process is killed; the system's, if not given.

    Raises:
        ReplayError: the function did what no run can record, or the record cannot be kept.
    """
    body: Body[Any] = Body(main)
    with tempfile.TemporaryDirectory(prefix="ritornello-", dir=scratch) as workspace:
        recording = record_program(
            body, workspace=Path(workspace, "workspace"), entry=entry, arguments=arguments
        )
        target = path if recording.error is None else failed
        if target is not None:
            _keep(recording.directory, recording.run_id, target)
    return KeptRun(target, recording.events, recording.error, body.value)


def _keep(directory: Path, run: str, target: Path) -> None:
    """Write a run as a bundle."""
    store = DuckDBStore.open(directory, read_only=True)
    with contextlib.closing(store):
        checked = check(store, head=read_head(directory))
        if checked.integrity != "ok":
            raise IntegrityError("the recording does not hold", where=checked.findings[0].message)
        if any(entry.header.kind == "SecretSuspected" for entry in store.entries()):
            raise UsageError(
                "a secret was found in this run after its bytes were committed; it is not kept",
                hint="fetch the value by replay.secret(), so that it is replaced from the start",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bundle(
            store,
            target,
            checkpoint=Checkpoint(origin_of(run), checked.events, bytes.fromhex(checked.root)),
            sealed=checked.completeness == "sealed",
            engine=VERSION,
        )


class _OpenRecording:
    """A recording that can be replayed.

    Attributes:
        started: the first record: entry, arguments, surroundings.
    """

    def __init__(self, reader: BundleReader) -> None:
        self._reader = reader
        self.started: RunStarted = first_record(reader)

    def replay(self, main: Callable[[], Any]) -> RunReplayed:
        """Run a function again on the recorded inputs, and compare what it does.

        Raises:
            ReplayError: it cannot be judged at all.
        """
        body: Body[Any] = Body(main)
        report = replay_log(self._reader, body)
        return RunReplayed(report, body.error, body.value)

    def explained(self, report: Report) -> Explanation | None:
        """Return what the divergence that a replay found was; None if it found none."""
        if report.divergence is None or report.verdict != "diverged":
            return None
        # A run of a function that is at hand has no note of its source.
        code = CodeFindings(state="unknown")
        return explain(self._reader, report.divergence, code, roles_in_request)


@contextlib.contextmanager
def opened_recording(path: Path) -> Iterator[_OpenRecording]:
    """Open a bundle for replaying.

    Raises:
        IntegrityError: it cannot be read, or is not what was written.
        OSError: it is not there.
    """
    reader = BundleReader.open(path)
    with contextlib.closing(reader):
        yield _OpenRecording(reader)


def recorded(main: Callable[[], Any], recording: Path | str, *, mode: RecordedMode = "once") -> Any:
    """Return what a function returns: run live and recorded the first time, replayed after that.

    For tests that pytest does not run, and for scripts::

        self.assertEqual(recorded(ask, "recordings/ask.ritornello"), "Yes.")

    Args:
        main: a function without arguments, asynchronous or not.
        recording: the bundle; its name ends in ``.ritornello``.
        mode: what to do with a recording that is there, or is not.

    Raises:
        NotRepeatedError: in the replay it did something else.
        NotFoundError: there is no recording, and the mode is ``none``.
        ReplayError: it cannot be recorded or replayed.
        Exception: what the function raised; a run that failed is not kept.
    """
    path = Path(recording)
    if path.suffix != BUNDLE_SUFFIX:
        raise UsageError(f"a recording's name ends in {BUNDLE_SUFFIX}", where=str(path))
    if mode not in get_args(RecordedMode):
        modes = ", ".join(get_args(RecordedMode))
        raise UsageError(f"{mode!r} is no mode", hint=f"modes are {modes}")
    if mode == "rewrite" or (mode == "once" and not path.exists()):
        kept = record_to(path, main, entry=entry_of(main))
        if kept.error is not None:
            raise kept.error
        return kept.value
    if not path.exists():
        raise NotFoundError(
            "there is no recording", where=str(path), hint="run it once with mode='once'"
        )
    with opened_recording(path) as run:
        replayed = run.replay(main)
    if replayed.error is not None:
        raise replayed.error
    if replayed.report.verdict != "identical":
        found = replayed.report.divergence
        what = found.summary() if found else "; ".join(replayed.report.notes)
        raise NotRepeatedError(f"{replayed.report.verdict}: {what}", replayed.report)
    return replayed.value
