"""The child process of the launcher: it puts a program on stage as Python itself would start it.

It is started with two descriptors, says on one that it is up before any line of the program runs,
and reports there what came of it. Standard streams are the program's.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import platform
import signal
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from replay.doors.threads.starting import finish_threads
from replay.errors import ReplayError, WorkflowError
from replay.guard.hermetic import Hermetic
from replay.guard.importing import ImportGuard
from replay.guard.kernel import die_with_parent
from replay.guard.process import ProcessGuard
from replay.log.duckdb_store import DuckDBStore
from replay.recording.place import place_of
from replay.scheduler.ports import Halted
from replay.session.admitted_code import AdmittedCode
from replay.session.command_line import Command, engine_root, resolve_tool
from replay.session.conditions import open_admitted
from replay.session.exits import ExitHandlers, exit_code, print_failure
from replay.session.extensions import load_adapters, load_dialects
from replay.session.forking.fork import fork_program, look_ahead
from replay.session.messages import (
    Answer,
    Call,
    Estimated,
    Failed,
    Forked,
    Ready,
    Recorded,
    Replayed,
    Resumed,
    Task,
)
from replay.session.parent_death import end_with_pipe
from replay.session.program_code import files_of_process
from replay.session.programs import find_function, load_file, main_file, prepare_program, set_up
from replay.session.record import record_program
from replay.session.replay import replay_log
from replay.session.resuming.resume import resume_program
from replay.session.shadows import refuse_shadows
from replay.session.workflow import call_with, entry_text
from replay.session.workflow_source import require_workflow
from replay.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.session.forking.report import Estimate, ForkReport
    from replay.session.report import Report
    from replay.session.resuming.report import ResumptionReport

    _Load = Callable[[], tuple[Callable[[], object], str, tuple[str, ...]]]

__all__ = ["main"]

_CHUNK: Final = 65536


def main(loaded_before: frozenset[str]) -> NoReturn:
    """Do what the launcher asks for. Arguments: engine root or nothing, descriptor in, and out.

    Args:
        loaded_before: modules that Python had loaded before the engine's.
    """
    root, incoming, outgoing = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(incoming, False)
    os.set_inheritable(outgoing, False)
    # Before a word is said: if the launcher was gone by then, nobody hears it, and this ends here.
    die_with_parent()
    _say(outgoing, Ready(python=platform.python_version(), engine=VERSION))
    task = _heard(incoming)
    end_with_pipe(incoming)
    code, hard = 0, task.action == "replay"
    admitted = _admitted(task)
    try:
        if admitted is not None:  # before what is found by entry point: that may lie anywhere
            admitted.install()
        # Before the program's directory stands on the path; a replay imports as a recording does.
        dialects, adapters = load_dialects(), load_adapters()
        load = partial(_loaded, task, root, loaded_before, admitted)
        if task.action == "record":
            program, entry, arguments = load()
            recording = record_program(
                program,
                workspace=task.workspace,
                entry=entry,
                arguments=arguments,
                dialects=dialects,
                adapters=adapters,
                sources=lambda: files_of_process(main_file(task.program)),
                decided=task.conditions.decided,
            )
            code = exit_code(recording.error)
            print_failure(recording.error)
            _say(
                outgoing,
                Recorded(
                    run=recording.run_id,
                    directory=str(recording.directory),
                    root=recording.root,
                    events=recording.events,
                    reason=recording.reason,
                    exit_code=code,
                ),
            )
        elif task.action == "fork":
            forked = _fork(task, load, outgoing)
            code = forked.exit_code if isinstance(forked, Forked) else 0
            hard = not isinstance(forked, Forked) or forked.report.verdict != "sealed"
            _say(outgoing, forked)
        elif task.action == "resume":
            resumed = _resume(task, load, outgoing)
            code = resumed.exit_code
            hard = resumed.report.verdict != "sealed"
            _say(outgoing, resumed)
        else:
            _say(outgoing, _replay(task, load, outgoing))
    except ReplayError as error:
        _say(
            outgoing,
            Failed(
                error=type(error).__name__,
                message=error.message,
                where=error.where,
                hint=error.hint,
            ),
        )
    except (KeyboardInterrupt, SystemExit) as error:
        code = exit_code(error)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the launcher has to know
        traceback.print_exc()
        _say(outgoing, Failed(error="", message=f"{type(error).__name__}: {error}"))
    _end(code, hard=hard)


def _heard(descriptor: int) -> Task:
    """Read the task, one line; a launcher that is gone has none, and nothing runs."""
    data = b""
    while not data.endswith(b"\n"):
        piece = os.read(descriptor, _CHUNK)
        if not piece:
            os._exit(1)
        data += piece
    return msgspec.json.decode(data, type=Task)


def _admitted(task: Task) -> AdmittedCode | None:
    """Return what stands before each file of the program's; None where any may run."""
    asked = task.conditions
    return AdmittedCode(asked.code, asked.revoked) if asked.asks_about_code else None


def _loaded(
    task: Task, root: str, loaded_before: frozenset[str], admitted: AdmittedCode | None
) -> tuple[Callable[[], object], str, tuple[str, ...]]:
    """Return what runs the program, how it is found again, and its arguments."""
    asked = task.program
    run: Callable[[], object]
    if isinstance(asked, Call):
        set_up(Path(asked.file), root)
        refuse_shadows(engine_root(), loaded_before)
        run, entry, arguments = _call(asked, recording=task.action == "record")
    else:
        command = resolve_tool(asked)
        set_up(command, root)
        refuse_shadows(engine_root(), loaded_before)
        run, entry, arguments = _program(command, admitted), "command", command.recorded
    return run if admitted is None else admitted.ending(run), entry, arguments


def _program(command: Command, admitted: AdmittedCode | None) -> Callable[[], None]:
    """Return a command's program: its ``__main__``, then what it registered for its exit."""
    handlers = ExitHandlers()
    run = prepare_program(command, admitted)

    def program() -> None:
        with handlers:
            try:
                run()
            finally:
                finish_threads()  # as Python does: before what is registered for its exit

    return program


def _call(call: Call, *, recording: bool) -> tuple[Callable[[], object], str, tuple[str, ...]]:
    """Load a file as a module, find the function, and return what runs it."""
    path = Path(call.file)
    guard = ImportGuard(call.file)
    try:
        if recording:
            require_workflow(path, call.function)
        with guard if recording else contextlib.nullcontext():
            module = load_file(path)
    except (ReplayError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a module raises while it is imported
        print_failure(error)
        guard.require_none()
        raise WorkflowError(
            f"the program's file cannot be imported: {type(error).__name__}",
            where=place_of(error) or str(path),
            hint="it is imported before the run begins; what it prints is above",
        ) from None
    guard.require_none()
    name, function = find_function(module, call.function, path)
    call_with(function, call.arguments).close()
    arguments = (call.arguments,) if call.arguments else ()

    def program() -> object:
        return asyncio.run(call_with(function, call.arguments))

    return program, entry_text(module.__file__ or call.file, name), arguments


def _replay(task: Task, load: _Load, outgoing: int) -> Replayed:
    """Open all that the engine needs, close this process for good, and run the program in it."""
    with contextlib.ExitStack() as stack:
        reader = open_admitted(task.run, task.workspace, task.conditions)
        stack.callback(reader.close)
        keep = None if task.keep is None else DuckDBStore.create(Path(task.keep))
        if keep is not None:
            stack.callback(keep.close)
        _close_input()
        out = Path(task.out) if task.out else None
        written = (None if task.keep is None else Path(task.keep), out)
        guard = Hermetic.confine(tuple(path for path in written if path is not None))
        noise = _noise(task.noise)
        with guard.process:  # nothing of the program may reach outside, its imports neither
            program, _, _ = load()
        program = _telling(program)
        report = replay_log(
            reader,
            program,
            keep=keep,
            guard=guard,
            out=out,
            give_up=lambda report: _give_up(outgoing, report),
        )
        noise.clear()
        return Replayed(report=report)


def _give_up(outgoing: int, report: Report) -> None:
    """Report on a program that was stopped and does not end, and end the process."""
    _say(outgoing, Replayed(report=report))
    _end(0, hard=True)


def _resume(task: Task, load: _Load, outgoing: int) -> Resumed:
    """Run the program on its record, guarded until that ends, and live from there on."""
    guard = ProcessGuard()
    with guard:  # its imports belong to the recorded part
        program, _, _ = load()

    def give_up(report: ResumptionReport) -> None:
        _say(outgoing, Resumed(report=report, exit_code=0))
        _end(0, hard=True)

    resumption = resume_program(
        program,
        task.run,
        workspace=task.workspace,
        choices=task.choices,
        guard=guard,
        give_up=give_up,
        sources=lambda: files_of_process(main_file(task.program)),
    )
    recording = resumption.recording
    code = _code_of_seal(resumption.report) if recording is None else exit_code(recording.error)
    if recording is not None:
        print_failure(recording.error)
    return Resumed(report=resumption.report, exit_code=code)


def _fork(task: Task, load: _Load, outgoing: int) -> Estimated | Forked:
    """Run the program as a fork of its record, or as far as that comes without the world."""
    guard = ProcessGuard()
    with guard:
        program, _, _ = load()

    def give_up(report: ForkReport) -> None:
        _say(outgoing, Forked(report=report, exit_code=0))
        _end(0, hard=True)

    def enough(estimate: Estimate) -> None:
        _say(outgoing, Estimated(estimate=estimate))
        _end(0, hard=True)

    with contextlib.closing(open_admitted(task.run, task.workspace, task.conditions)) as reader:
        if task.fork.dry:
            _close_input()
            estimate = look_ahead(
                reader,
                program,
                task.fork,
                workspace=task.workspace,
                guard=guard,
                give_up=enough,
            )
            return Estimated(estimate=estimate)
        fork = fork_program(
            reader,
            program,
            task.fork,
            workspace=task.workspace,
            guard=guard,
            give_up=give_up,
            sources=lambda: files_of_process(main_file(task.program)),
        )
    error = None if fork.recording is None else fork.recording.error
    print_failure(error)
    return Forked(report=fork.report, exit_code=exit_code(error))


def _code_of_seal(report: ResumptionReport) -> int:
    """Return how a process ended of which only the seal is known."""
    return 0 if report.reason in {None, "completed"} else 1


def _telling(program: Callable[[], object]) -> Callable[[], object]:
    """Let a replayed program say how it failed, as it did when it was recorded."""

    def told() -> object:
        try:
            return program()
        except Halted:
            raise
        except BaseException as error:
            print_failure(error)
            raise

    return told


def _noise(count: int) -> list[object]:
    """Return objects of many sizes between gaps of many sizes."""
    made: list[object] = [bytes(number % 509) for number in range(count)]
    del made[::3]
    return made


def _close_input() -> None:
    """Let nothing be read from or written to what standard input is: the record has its answers."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _say(descriptor: int, answer: Answer) -> None:
    data = msgspec.json.encode(answer) + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]


def _end(code: int, *, hard: bool) -> NoReturn:
    """End the process; after a replay at once, since nothing guards what would run now."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue
    if hard:
        os._exit(code)
    # The answer stands: Ctrl-C while the interpreter ends is not to become another one.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)
