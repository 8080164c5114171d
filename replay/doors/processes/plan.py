"""What is to be started: the arguments of a call, as they are recorded and as they are used.

Where the child's streams go is decided here. None of them is a descriptor of the program: what the
child writes to one of those is read by the engine and passed on, and a file that the child was to
read is read first.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from replay.doors.processes.pipes import OutputPipe
from replay.doors.processes.refusals import refuse
from replay.events.process_kinds import ProcessStarted
from replay.scheduler.engine_side import EngineSide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replay.doors.context import DoorContext

__all__ = ["Plan", "plan_of"]

_Input = Literal["pipe", "null", "given"]
_Output = Literal["pipe", "stdout", "stderr", "null", "file", "merged"]
_Place = tuple[_Output, int | None]

#: Options that go to the real process; those that are not their default are named in the record.
_NAMED_OPTIONS: Final = (
    "close_fds",
    "extra_groups",
    "group",
    "preexec_fn",
    "process_group",
    "restore_signals",
    "start_new_session",
    "umask",
    "user",
)
_READ_SIZE: Final = 1 << 20
_PIPES_HINT: Final = "use standard input and output (PIPE), or do it in an effect (@replay.effect)"


@dataclass(frozen=True, slots=True)
class Plan:
    """One process to start.

    Attributes:
        started: the record.
        given: bytes for its standard input, None if none are given at its start.
        files: descriptors of our own for the streams that go to files.
        real_arguments, real_options: for ``subprocess.Popen``, streams apart.
    """

    started: ProcessStarted
    given: bytes | None
    files: dict[str, int]
    real_arguments: Any
    real_options: dict[str, Any]

    @property
    def stdin(self) -> _Input:
        """What its standard input is."""
        return self.started.stdin

    @property
    def stdout(self) -> _Output:
        """Where its output goes."""
        return self.started.stdout

    @property
    def stderr(self) -> _Output:
        """Where its error stream goes."""
        return self.started.stderr


def plan_of(context: DoorContext, call: Mapping[str, Any], defaults: Mapping[str, Any]) -> Plan:
    """Read the arguments of ``subprocess.Popen``, all of them by name.

    Raises:
        TypeError, ValueError: as ``subprocess.Popen`` would.
    """
    if call["pass_fds"]:
        refuse(
            context,
            "gave a process more descriptors (pass_fds), which would be unseen",
            hint=_PIPES_HINT,
        )
    arguments = call["args"]
    one = isinstance(arguments, str | bytes | os.PathLike)
    listed = [arguments] if one else list(arguments)
    texts = [_text(argument) for argument in listed]
    if not one and texts and texts[0] == sys.executable:
        texts[0] = "sys.executable"
    environment = call["env"]
    stdin, given = _input(context, call["stdin"])
    output, output_file = _output(context, call["stdout"], "stdout")
    error, error_file = _output(context, call["stderr"], "stderr")
    if error not in {"pipe", "null"} and error == output and _same(output_file, error_file):
        error, error_file = "merged", None
    started = ProcessStarted(
        arguments=tuple(texts),
        shell=bool(call["shell"]),
        executable=None if call["executable"] is None else _text(call["executable"]),
        directory=None if call["cwd"] is None else _relative(_text(call["cwd"])),
        environment=None if environment is None else tuple(sorted(map(_text, environment))),
        stdin=stdin,
        stdout=cast("Literal['pipe', 'stdout', 'stderr', 'null', 'file']", output),
        stderr=error,
        options=tuple(
            name for name in _NAMED_OPTIONS if name in call and call[name] != defaults[name]
        ),
    )
    files = {"stdout": output_file, "stderr": error_file}
    options = {name: call[name] for name in _NAMED_OPTIONS if name in call}
    options.update(
        executable=call["executable"],
        shell=call["shell"],
        cwd=call["cwd"],
        env=_variables(context, environment),
    )
    return Plan(
        started=started,
        given=given,
        files={name: os.dup(file) for name, file in files.items() if file is not None},
        real_arguments=arguments if one else listed,
        real_options=options,
    )


def _text(value: Any) -> str:
    return os.fsencode(value).decode("utf-8", "backslashreplace")


def _relative(directory: str) -> str:
    """Return a directory relative to ours if it lies there: a record is replayed elsewhere too."""
    path, here = Path(directory), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else directory


def _variables(context: DoorContext, given: Mapping[Any, Any] | None) -> dict[Any, Any] | None:
    """Return the variables as they are now; the process starts a little later."""
    if given is not None:
        return dict(given)
    if not context.world.is_live:
        return None
    # Not a reading of the program's.
    with EngineSide(context.scheduler):
        return dict(os.environ)


def _input(context: DoorContext, value: Any) -> tuple[_Input, bytes | None]:
    if value == subprocess.PIPE:
        return "pipe", None
    if value is None or value is sys.stdin or value in {subprocess.DEVNULL, 0}:
        return "null", None
    pipe = _pipe_behind(value)
    if pipe is not None:
        return "given", pipe.readall()
    descriptor = value if isinstance(value, int) else value.fileno()
    if descriptor == 0:
        return "null", None
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) and state.st_rdev != Path(os.devnull).stat().st_rdev:
        refuse(
            context,
            "gave a process a pipe, socket or terminal of its own to read",
            hint=_PIPES_HINT,
        )
    pieces: list[bytes] = []
    while piece := os.read(descriptor, _READ_SIZE):
        pieces.append(piece)
    return "given", b"".join(pieces)


def _pipe_behind(value: Any) -> OutputPipe | None:
    """Return the pipe of another process that a stream reads from."""
    for name in ("buffer", "raw"):
        value = getattr(value, name, value)
    return value if isinstance(value, OutputPipe) else None


def _output(context: DoorContext, value: Any, own: Literal["stdout", "stderr"]) -> _Place:
    if value is None or value is getattr(sys, own):
        return own, None
    if value == subprocess.PIPE:
        return "pipe", None
    if value == subprocess.DEVNULL:
        return "null", None
    if value == subprocess.STDOUT:
        return "merged", None
    if value is sys.stdout or value is context.stdout:
        return "stdout", None
    if value is sys.stderr:
        return "stderr", None
    descriptor: int = value if isinstance(value, int) else value.fileno()
    if descriptor in {1, 2}:
        return ("stdout", "stderr")[descriptor - 1], None
    if not isinstance(value, int) and hasattr(value, "flush"):
        value.flush()  # what the program wrote before comes before
    return "file", descriptor


def _same(first: int | None, second: int | None) -> bool:
    if first is None or second is None:
        return first is second
    return os.path.samestat(os.fstat(first), os.fstat(second))
