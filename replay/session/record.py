"""Recording: run a program live, every input and every consequence on record, sealed at the end."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Generic, TypeVar

import msgspec

from replay.doors.context import DoorContext, current
from replay.doors.state.adapters import active, listed
from replay.doors.surroundings.setting import present_setting
from replay.errors import SetupError, UsageError
from replay.events.digest import SALT_BYTES
from replay.events.kinds import CancelRequested, RunStarted
from replay.events.parts import PartTable
from replay.events.payload import SPLITTER_VERSION
from replay.files.live import LiveFiles
from replay.files.places import Places, working_directory
from replay.guard.process import is_guarded
from replay.log.duckdb_store import DuckDBStore
from replay.log.head import head_writer
from replay.log.run_id import new_run_id
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace
from replay.log.writer import Writer
from replay.recording.recorder import CHUNKS_BYTES_MAX, READINGS_MAX, Recorder
from replay.recording.tape import LiveTape
from replay.scheduler.core import Scheduler
from replay.scheduler.engine_side import EngineSide
from replay.scheduler.ports import Halted, Stalled
from replay.secrets.patterns import SecretError, make_surrogate
from replay.secrets.scrub import Scrubber
from replay.session.answers import ANSWERS_VERSION, LiveAnswers
from replay.session.ending import Reason, end_run, stalled_error
from replay.session.environment_secrets import secrets_of_environment
from replay.session.extensions import load_adapters, load_dialects
from replay.session.held_interrupt import HeldInterrupt
from replay.session.ledger import SEED_BYTES, TaskLedger
from replay.session.looking_back import last_notes
from replay.session.outlet import Outlet
from replay.session.program_code import code_note, files_reached
from replay.session.report import AwaitedAtOnce
from replay.session.sharing import on_stage
from replay.session.stage import Stage
from replay.sources.live import BUSY_CALLBACKS, LINGER_US, LiveClock, LiveInputs
from replay.sources.outside import Arrival, LiveWorld
from replay.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.dialect import Dialect
    from replay.doors.state.adapter import Adapter
    from replay.doors.surroundings.setting import Setting
    from replay.events.code_kinds import AdmissionDecided, CodeLoaded
    from replay.events.kinds import SecretRegistered
    from replay.session.awaiting import Cancellation

__all__ = ["SCHEDULER_FLAGS", "Recording", "record_program"]

T = TypeVar("T")

_SALTS_AT_ONCE: Final = 4096
#: Stands in the first record, so that a later scheduler can still run this log. A run that shares
#: the process with others has 0 for `collect_every`.
SCHEDULER_FLAGS: Final = {
    "answers": ANSWERS_VERSION,
    "busy_callbacks": BUSY_CALLBACKS,
    "chunks_bytes_max": CHUNKS_BYTES_MAX,
    "collect_every": 256,
    "collect_full_every": 8,
    "keep_from": 1,
    "files": 1,
    "linger_us": LINGER_US,
    "readings_max": READINGS_MAX,
    "schedule": 1,
    "splitter": SPLITTER_VERSION,
}


class Recording(AwaitedAtOnce, Generic[T]):
    """A sealed run.

    Attributes:
        run_id: the run's id.
        directory: where its log lies.
        root: hex root of the run tree.
        events: number of records.
        reason: how the program ended.
        error: what it raised, if it did.
    """

    def __init__(
        self,
        *,
        run_id: str,
        directory: Path,
        root: str,
        events: int,
        reason: Reason,
        value: T | None,
        error: BaseException | None,
    ) -> None:
        self.run_id = run_id
        self.directory = directory
        self.root = root
        self.events = events
        self.reason = reason
        self.error = error
        self._value = value

    def result(self) -> T:
        """Return what the program returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[return-value]


def record_program(
    program: Callable[[], T],
    *,
    workspace: Path | str = DEFAULT_WORKSPACE,
    entry: str,
    arguments: tuple[str, ...] = (),
    dialects: tuple[Dialect, ...] | None = None,
    adapters: tuple[Adapter, ...] | None = None,
    seed: bytes | None = None,
    cancellation: Cancellation | None = None,
    sources: Callable[[], list[str]] | None = None,
    decided: AdmissionDecided | None = None,
) -> Recording[T]:
    """Run a program and record it.

    Args:
        program: what to run, on this thread; event loops that it makes are the run's own.
        workspace: directory that holds the runs.
        entry: how the program can be found again, ``file.py:function`` or ``command``.
        arguments: argument list of the program, for the record.
        dialects: readings of provider exchanges; those installed, if not given.
        adapters: readings of frameworks' state; those installed, if not given.
        seed: 16 bytes that all seeds of the run derive from; from the system if not given.
        cancellation: by which another thread asks the run to end.
        sources: gives the program's own source files once it has ended; those that the function
            reaches, if not given.
        decided: what policies said about the program, for its record.

    Returns:
        The sealed run. The program's own exception is in it, not raised.

    Raises:
        LogError: the log cannot be written; nothing that depended on it left the process.
        UsageError: an event loop is running in this thread, another run is on stage and cannot
            share it, or the environment holds a secret that cannot be replaced. No run is
            registered then.
        SetupError: this process cannot host a run. It is registered, and closed as failed.
        KeyboardInterrupt: before the program began; the run is closed as cancelled, if registered.
            Asked for twice, at any moment: the run stays open.
    """
    if current() is not None or is_guarded():
        raise UsageError(
            "a run is being recorded or replayed already",
            hint='put the call behind `if __name__ == "__main__":`',
        )
    if asyncio._get_running_loop() is not None:
        raise UsageError(
            "a run cannot begin inside a running event loop",
            hint="await replay.record(…), or call it from synchronous code",
        )
    _check_environment()
    found = load_dialects() if dialects is None else dialects
    adapted = load_adapters() if adapters is None else adapters
    named = listed(adapted)
    with on_stage() as shared, HeldInterrupt() as interrupt:
        clock = LiveClock()
        run_id = new_run_id(clock.start // 1000, os.urandom(10))
        place = Workspace.open(Path(workspace))
        directory = place.register(run_id, entry, clock.start)
        flags = {**SCHEDULER_FLAGS, "collect_every": 0} if shared else SCHEDULER_FLAGS
        with contextlib.ExitStack() as stack:
            store = DuckDBStore.create(directory)
            stack.callback(store.close)
            # The process may end while a run is under way on a thread that nobody waits for.
            atexit.register(store.close)
            stack.callback(atexit.unregister, store.close)
            wake: list[Callable[[], None]] = []
            writer = Writer(
                store,
                on_commit=head_writer(directory, run_id),
                on_failure=lambda _: wake[0](),
            )
            stack.callback(writer.close)
            seed = seed or os.urandom(SEED_BYTES)
            setting = present_setting()
            session = _Live(writer, clock, found, seed, flags, setting)
            session.context.adapters = active(named, adapted)
            wake.append(session.wake)
            loaded = frozenset(sys.modules)
            session.sources = sources or (lambda: files_reached(program, loaded))
            session.begin(
                RunStarted(
                    run=run_id,
                    entry=entry.encode("utf-8", "backslashreplace").decode(),
                    arguments=arguments,
                    directory=os.fsencode(Path.cwd()).decode("utf-8", "backslashreplace"),
                    seed=seed.hex(),
                    flags=flags,
                    monotonic=clock.monotonic,
                    versions=_versions(),
                    dialects=tuple((d.name, str(d.version)) for d in found),
                    adapters=named,
                    hash_seed=os.environ.get("PYTHONHASHSEED", "random"),
                    argv=setting.argv,
                    setting=dict(setting.facts),
                ),
                decided,
            )
            if cancellation is not None:
                cancellation.listen(session.cancel)

            def unplayed(reason: Reason) -> None:
                """Nothing of the program has run: that is how this run ended, not an open one."""
                writer.flush()
                place.close_run(run_id, *writer.root(), reason, clock.now())

            try:
                value, error, reason = session.play(program, interrupt)
            except SetupError:
                unplayed("failed")
                raise
            except KeyboardInterrupt:
                if not session.begun:
                    unplayed("cancelled")
                raise
            writer.flush()
            size, root = writer.root()
        place.close_run(run_id, size, root, reason, clock.now())
    return Recording(
        run_id=run_id,
        directory=directory,
        root=root.hex(),
        events=size,
        reason=reason,
        value=value,
        error=error,
    )


def _check_environment() -> None:
    """Refuse a secret that cannot be replaced, before anything of a run is there."""
    for name, value in secrets_of_environment():
        try:
            make_surrogate(value, os.urandom)
        except SecretError as error:
            # Never recorded as it is, never dropped in silence.
            raise UsageError(
                f"the environment variable {name} holds a secret that cannot be replaced",
                where=error.message,
                hint=f"start the run without it: env -u {name} …",
            ) from None


class _Live:
    """The parts of a live run, put together."""

    def __init__(
        self,
        writer: Writer,
        clock: LiveClock,
        dialects: tuple[Dialect, ...],
        seed: bytes,
        flags: dict[str, int],
        setting: Setting,
    ) -> None:
        self._writer = writer
        self._scrubber = Scrubber()
        tape = LiveTape(writer)
        self._salts = b""
        self.sources: Callable[[], list[str]]
        self.begun = False
        self._start, self._seed, self._directory = clock.start, seed, str(Path.cwd())
        parts = PartTable(self._salt)
        self.recorder = recorder = Recorder(tape, parts, self._scrubber, clock.start)
        self._inputs = inputs = LiveInputs(recorder, clock, writer)
        ledger = TaskLedger(recorder, seed)
        recorder.scheduler = self.scheduler = Scheduler(
            inputs,
            ledger,
            start=clock.start,
            monotonic=clock.monotonic,
            collect_every=flags["collect_every"],
            collect_full_every=flags["collect_full_every"],
            keep_from=flags["keep_from"],
        )
        self._outlet = Outlet(self.scheduler, self.wake)
        self._world = LiveWorld(tape, inputs, recorder)
        self.context = context = DoorContext(self.scheduler, recorder, self._world, dialects)
        answers = LiveAnswers(self.scheduler, recorder, clock, setting)
        here = working_directory()
        context.files = LiveFiles(
            recorder,
            answers,
            Places(here, here, answers.directory),
            seed,
            setting.facts["text"],
            tape=tape,
            world=self._world,
        )
        shared = not flags["collect_every"]
        self._stage = Stage(context, answers, seed, self._pass_on, setting, shared=shared)

    def _salt(self, ordinal: int) -> bytes:
        """Return fresh bytes from the system, which the doors must not answer."""
        offset = ordinal * SALT_BYTES % _SALTS_AT_ONCE
        if offset == 0:
            with EngineSide(self.scheduler):
                self._salts = os.urandom(_SALTS_AT_ONCE)
        return self._salts[offset : offset + SALT_BYTES]

    def _code(self) -> tuple[CodeLoaded, bytes]:
        """Return the note of the program's source; the doors must not answer what reads it."""
        with EngineSide(self.scheduler):
            return code_note(
                self.sources(),
                directory=self._directory,
                key=self._seed,
                scrubber=self._scrubber,
                started_us=self._start,
            )

    def wake(self) -> None:
        """Make an idle scheduler look at the writer; called when that has failed."""
        self._inputs.post(None)

    def cancel(self) -> None:
        """Let the main task of the program be cancelled; callable from any thread."""
        self._inputs.post(Arrival(None, CancelRequested(), None, "ok", None))

    def begin(self, started: RunStarted, decided: AdmissionDecided | None) -> None:
        """Record the start, what was decided, and the secrets that the environment holds."""
        found: list[SecretRegistered] = []
        for name, value in secrets_of_environment():
            registered = self._world.replace(f"env:{name}", value)
            if registered is not None:
                found.append(registered)
        # The surrogates are in force already: the argument list may hold a secret.
        self.recorder.note(started)
        if decided is not None:
            self.recorder.note(decided)
        for registered in found:
            self.recorder.note(registered)

    def play(
        self, program: Callable[[], T], interrupt: HeldInterrupt
    ) -> tuple[T | None, BaseException | None, Reason]:
        """Run the program and seal its record, unless Ctrl-C came before it began."""
        value: T | None = None
        error: BaseException | None = None
        try:
            with self._stage.up():
                if interrupt.came:
                    raise KeyboardInterrupt
                self.begun = True
                try:
                    value = self._stage.play(program)
                except Stalled:
                    error = stalled_error()
                except Halted:
                    raise
                except BaseException as raised:  # noqa: BLE001 - it is the program's outcome
                    error = raised
                self._outlet.program_ended = True
                notes = last_notes(self.recorder, self._writer.reader)
                reason = end_run(self.recorder, value, error, lambda: notes, self._code)
        except Halted as halted:
            raise halted.__cause__ or halted from None
        finally:
            self._world.stop()
        return value, error, reason

    def _pass_on(self, stream: BinaryIO, data: bytes) -> None:
        """Let output out once everything it rests on is durable."""
        self._inputs.let_output()
        # The last record may be open still: it holds inputs that the program has seen already.
        self._writer.after(self.recorder.size - 1, self._outlet.writes(stream, data))


def _versions() -> tuple[tuple[str, str], ...]:
    return (
        ("ritornello", VERSION),
        ("python", platform.python_version()),
        ("implementation", sys.implementation.name),
        ("msgspec", msgspec.__version__),
    )
