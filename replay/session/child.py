"""The child process of the launcher: it puts a program on stage as Python itself would start it.

It is started with two descriptors, says on one that it is up before any line of the program runs,
and reports there what came of it. Standard streams are the program's.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from replay.errors import ReplayError
from replay.guard.process import ProcessGuard
from replay.log.duckdb_store import DuckDBStore
from replay.session.api import open_run
from replay.session.exits import ExitHandlers, exit_code, print_failure
from replay.session.extensions import load_dialects
from replay.session.messages import Answer, Call, Failed, Ready, Recorded, Replayed, Task
from replay.session.programs import find_function, load_file, run_program, set_up
from replay.session.record import record_program
from replay.session.replay import replay_log
from replay.session.workflow import call_with, entry_name

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

_CHUNK: Final = 65536


def main() -> NoReturn:
    """Do what the launcher asks for. Arguments: engine root or nothing, descriptor in, and out."""
    root, incoming, outgoing = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(outgoing, False)
    _say(outgoing, Ready(python=platform.python_version()))
    data = b"".join(iter(lambda: os.read(incoming, _CHUNK), b""))
    os.close(incoming)
    task = msgspec.json.decode(data, type=Task)
    # Found before the program's directory stands on the path; a replay imports as a recording does.
    dialects = load_dialects()
    code = 0
    try:
        if isinstance(task.program, Call):
            program, entry, arguments = _call(task.program, root, replaying=task.action == "replay")
        else:
            command = task.program
            set_up(command, root)
            program, entry, arguments = _program(task), "command", command.recorded
        if task.action == "record":
            recording = record_program(
                program,
                workspace=task.workspace,
                entry=entry,
                arguments=arguments,
                dialects=dialects,
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
        else:
            _say(outgoing, _replay(task, program))
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
    _end(code, hard=task.action == "replay")


def _program(task: Task) -> Callable[[], None]:
    """Return a command's program: its ``__main__``, then what it registered for its exit."""
    command = task.program
    assert not isinstance(command, Call)
    handlers = ExitHandlers()

    def program() -> None:
        with handlers:
            run_program(command)

    return program


def _call(
    call: Call, root: str, *, replaying: bool
) -> tuple[Callable[[], object], str, tuple[str, ...]]:
    """Load a file as a module, find the function, and return what runs it."""
    path = Path(call.file)
    set_up(path, root)
    if replaying:
        with ProcessGuard():  # nothing of the program may reach outside, its imports neither
            module = load_file(path)
    else:
        module = load_file(path)
    function = find_function(module, call.function, path)
    call_with(function, call.arguments).close()
    arguments = (call.arguments,) if call.arguments else ()

    def program() -> object:
        return asyncio.run(call_with(function, call.arguments))

    return program, entry_name(function), arguments


def _replay(task: Task, program: Callable[[], object]) -> Replayed:
    reader = open_run(task.run, workspace=task.workspace)
    try:
        if task.keep is None:
            return Replayed(report=replay_log(reader, program))
        keep = DuckDBStore.create(Path(task.keep))
        try:
            return Replayed(report=replay_log(reader, program, keep=keep))
        finally:
            keep.close()
    finally:
        reader.close()


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
    sys.exit(code)
