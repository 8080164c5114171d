"""The launcher: records or replays a program in a process of its own.

Nothing of a program runs before its process has said that the engine is up in it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

import replay.errors
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.errors import IntegrityError, NotFoundError, ReplayError, SetupError, UsageError
from replay.files.overlay import Overlay
from replay.session.child_answers import ChildAnswers
from replay.session.child_start import START
from replay.session.command_line import Command, engine_root, parse_recorded, refuse_collisions
from replay.session.conditions import Conditions, open_admitted
from replay.session.environment_secrets import PASSPHRASE_VARIABLE
from replay.session.messages import Call, Failed, Outcome, Ready, Replayed, Task
from replay.session.record_start import first_record
from replay.version import VERSION

if TYPE_CHECKING:
    from types import FrameType

    from replay.events.kinds import RunStarted

__all__ = [
    "LaunchedProgram",
    "Surroundings",
    "checked_hash_seed",
    "launch_recording",
    "launch_replay",
    "launch_task",
    "program_of",
]

#: Seconds between two looks at a child that has not said a word.
_LOOK_S: Final = 0.2
_HASH_SEED: Final = re.compile(r"random|[0-9]{1,9}")


class LaunchedProgram(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a launched program.

    Attributes:
        exit_code: of the process; 128 and the signal's number where a signal ended it.
        answer: what the child reported; None if it ended without a word.
        killed_by: the signal that ended it before the engine was up in it, so before anything
            of the program ran or was recorded; None where that was not so.
    """

    exit_code: int
    answer: Outcome | None
    killed_by: int | None = None


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """How a replay's process differs from this one.

    Attributes:
        environment: variables that are set on top of this process's.
        hash_seed: its PYTHONHASHSEED; the recorded one, if not given.
        noise: objects that stand in the way of the program's, so that it lies elsewhere in memory.
        silent: whether the program's output is dropped.
    """

    environment: dict[str, str] = msgspec.field(default_factory=dict)
    hash_seed: str | None = None
    noise: int = 0
    silent: bool = False


_HERE: Final = Surroundings()


def launch_recording(
    program: Command | Call,
    workspace: Path,
    *,
    output_to_stderr: bool = False,
    conditions: Conditions = Conditions(),  # noqa: B008 - it is frozen
) -> LaunchedProgram:
    """Run a program in a child process and record it.

    Args:
        program: what to run; see :func:`replay.session.command_line.parse_command`.
        workspace: directory that holds the runs.
        output_to_stderr: let the program's standard output go to standard error.
        conditions: what was decided about it beforehand.

    Raises:
        UsageError: the program cannot be recorded; none of its lines ran.
        ReplayError: the engine gave up in the child.
    """
    task = Task(
        action="record",
        program=program,
        workspace=str(workspace.absolute()),
        conditions=conditions,
    )
    if isinstance(program, Call):
        refuse_collisions(Path(program.file).resolve().parent)
    return launch_task(task, hash_seed="0", directory=None, output_to_stderr=output_to_stderr)


def launch_replay(
    run: str,
    workspace: Path,
    *,
    directory: Path | None = None,
    keep: Path | None = None,
    out: Path | None = None,
    output_to_stderr: bool = False,
    surroundings: Surroundings = _HERE,
    conditions: Conditions = Conditions(),  # noqa: B008 - it is frozen
    allow: Callable[[RunStarted], None] = lambda _: None,
) -> LaunchedProgram:
    """Replay a run in a child process, with the code on disk.

    Args:
        run: a run of the workspace, or the path of a bundle.
        workspace: directory that holds the runs.
        directory: where the program is started; here, if not given.
        keep: an absent directory that takes the replay's own log.
        out: an absent or empty directory that takes the files which the program writes; they go
            with the replay, if not given.
        output_to_stderr: let the program's standard output go to standard error.
        surroundings: how the child's process differs from this one.
        conditions: what was decided about record and program beforehand.
        allow: is shown what the record would start, as it was read to start it, and refuses that
            by what it raises.

    Raises:
        NotFoundError: there is no such run, or its program is not there.
        IntegrityError: the record cannot be read.
        UsageError: the directory for files is not empty.
        ReplayError: the engine gave up in the child.
    """
    reader = open_admitted(run, workspace, conditions)
    try:
        started = first_record(reader)
        if started.observed:
            from replay.session.replay import replay_log  # the engine is the child's affair

            report = replay_log(reader, lambda: None)  # it says so, and runs nothing
            return LaunchedProgram(exit_code=0, answer=Replayed(report=report))
    finally:
        reader.close()
    allow(started)
    place = (directory or Path.cwd()).absolute()
    if not place.is_dir():
        raise NotFoundError("there is no such directory", where=str(place))
    seed = checked_hash_seed(started)
    task = Task(
        action="replay",
        program=program_of(started, place),
        workspace=str(workspace.absolute()),
        run=str(Path(run).absolute()) if Path(run).suffix == BUNDLE_SUFFIX else run,
        keep=None if keep is None else str(keep.absolute()),
        noise=surroundings.noise,
        conditions=conditions,
    )
    # Made and removed here: the child closes itself against writing anywhere else.
    with contextlib.closing(Overlay(out)) as overlay:
        return launch_task(
            msgspec.structs.replace(task, out=str(overlay.root)),
            hash_seed=surroundings.hash_seed or seed,
            directory=place,
            output_to_stderr=output_to_stderr,
            surroundings=surroundings,
        )


def checked_hash_seed(started: RunStarted) -> str:
    """Return the PYTHONHASHSEED of a run, or refuse what is none."""
    if _HASH_SEED.fullmatch(started.hash_seed) is None:
        raise IntegrityError(f"{started.hash_seed[:40]!r} is no PYTHONHASHSEED", where="event 0")
    return started.hash_seed


def program_of(started: RunStarted, directory: Path) -> Command | Call:
    """Return what a run ran, as it would be started in a directory.

    Raises:
        NotFoundError: it is not there.
        UsageError: the record names nothing that can be started.
    """
    if started.entry == "command":
        return parse_recorded(started.arguments, directory)
    file, separator, function = started.entry.rpartition(":")
    if not separator or not file.endswith(".py"):
        raise UsageError(
            f"the run's entry {started.entry!r} is no file and function",
            hint="replay it where it was recorded: replay.replay(run, main)",
        )
    if not (directory / file).is_file():
        raise NotFoundError(
            f"the program's file {file!r} is not there",
            where=str(directory),
            hint="a replay runs the code on disk: start it there, or name the place by --in DIR",
        )
    refuse_collisions((directory / file).resolve().parent)
    text = started.arguments[0] if started.arguments else ""
    return Call(file=file, function=function, arguments=text)


def launch_task(
    task: Task,
    *,
    hash_seed: str,
    directory: Path | None,
    output_to_stderr: bool,
    surroundings: Surroundings = _HERE,
) -> LaunchedProgram:
    """Do a task in a child process of this one; errors as those of the functions above."""
    if os.environ.get("PYTHONINSPECT"):
        raise UsageError(
            "PYTHONINSPECT would make the end of the program a prompt, which cannot be repeated",
            hint="unset it",
        )
    path = os.environ.get("PYTHONPATH", "")
    relative = [entry for entry in path.split(os.pathsep) if not Path(entry).is_absolute()]
    if task.conditions.asks_about_code and path and relative:
        raise UsageError(
            "PYTHONPATH names the directory that the program starts in, where Python would run what"
            " no policy was asked about",
            where=path,
            hint="give it absolute paths only, and no empty ones",
        )
    python = sys.executable
    flags: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    if isinstance(task.program, Command):
        python, flags, prefix = task.program.python, task.program.flags, task.program.prefix
    ours = Path(python).absolute().parent == Path(sys.executable).absolute().parent
    root = str(engine_root()) if ours and not prefix else ""
    environment = {**os.environ, **surroundings.environment, "PYTHONHASHSEED": hash_seed}
    environment.pop(PASSPHRASE_VARIABLE, None)
    child_in, task_out = os.pipe()
    answers_in, child_out = os.pipe()
    with _signals_go_to_the_child() as children:
        try:
            process = subprocess.Popen(  # noqa: S603 - running the user's command is the purpose
                [*prefix, python, *flags, "-c", START, root, str(child_in), str(child_out)],
                cwd=directory,
                env=environment,
                pass_fds=(child_in, child_out),
                stdout=subprocess.DEVNULL
                if surroundings.silent
                else (sys.stderr if output_to_stderr else None),
                stderr=subprocess.DEVNULL if surroundings.silent else None,
            )
        except OSError as error:
            os.close(answers_in)
            os.close(task_out)
            what = prefix[0] if prefix else python
            raise SetupError(f"{what} cannot be started: {error.strerror}") from error
        finally:
            os.close(child_in)
            os.close(child_out)
        children.append(process)
        answers = ChildAnswers(answers_in)
        # Held open for as long as this process lives: its end is the end of the child.
        with os.fdopen(task_out, "wb") as out:
            while answers.first(_LOOK_S) is None and process.poll() is None:
                pass
            first = answers.first(_LOOK_S)
            if isinstance(first, Ready) and first.engine == VERSION:
                with contextlib.suppress(BrokenPipeError):
                    out.write(msgspec.json.encode(task) + b"\n")
                    out.flush()
                process.wait()
        status = process.wait()
        heard = answers.wait()
    if not heard and status < 0:  # that says nothing about the engine in that Python
        return LaunchedProgram(exit_code=128 - status, answer=None, killed_by=-status)
    if not heard:
        what = shlex.join((*prefix[:2], python))
        raise UsageError(
            f"the engine did not come up in {what}",
            hint=f"install ritornello for that Python, or use {sys.executable}",
        )
    last = heard[-1]
    if isinstance(last, Failed):
        raise _error_of(last)
    if isinstance(heard[0], Ready) and heard[0].engine != VERSION:
        raise UsageError(
            f"the engine in {python} is version {heard[0].engine}, this one {VERSION}",
            hint="install the same version in both",
        )
    code = status if status >= 0 else 128 - status
    return LaunchedProgram(exit_code=code, answer=None if isinstance(last, Ready) else last)


@contextlib.contextmanager
def _signals_go_to_the_child() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Ctrl-C reaches the child from the terminal; a request to terminate is passed on."""
    children: list[subprocess.Popen[bytes]] = []
    if threading.current_thread() is not threading.main_thread():
        yield children
        return

    def leave(_number: int, _frame: FrameType | None) -> None:
        """The child gets it as well, and how it ends is the answer."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)

    handlers: dict[int, Callable[[int, FrameType | None], None]] = {
        signal.SIGINT: leave,
        signal.SIGTERM: pass_on,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield children
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _error_of(failed: Failed) -> ReplayError:
    """Return the error that the child raised."""
    if not failed.error:
        return ReplayError(failed.message, hint="this is a mistake in ritornello; please report it")
    kind = getattr(replay.errors, failed.error, ReplayError)
    if not (isinstance(kind, type) and issubclass(kind, ReplayError)):
        kind = ReplayError
    # Some classes take other arguments; what is printed is the same.
    error = ReplayError.__new__(kind)
    ReplayError.__init__(error, failed.message, where=failed.where, hint=failed.hint)
    return error
