"""The kinds of a child process: what was started, what went in, what came out, how it ended."""

from __future__ import annotations

from typing import Literal

from replay.events.kind_base import Failure, Names, PayloadBase

__all__ = [
    "ProcessEnded",
    "ProcessFed",
    "ProcessSignalled",
    "ProcessSpawned",
    "ProcessStarted",
    "ProcessWrote",
]


class ProcessStarted(PayloadBase, frozen=True, tag="ProcessStarted"):
    """The program started a child process; what is given to its standard input follows the head.

    Attributes:
        arguments: argument list, or the one command line of a shell. The path of the running
            interpreter, as the first, is ``sys.executable``.
        shell: whether a shell reads it.
        executable: the file to run, where it is not the first argument.
        directory: working directory as given, relative to the program's if it lies there; None
            for the program's own.
        environment: names of the variables that were given; None for the program's own.
        stdin: ``pipe``, ``null`` (also for one that was to be the program's), ``given``.
        stdout, stderr: ``pipe``, ``stdout`` or ``stderr`` of the program, ``null``, ``file``;
            ``merged`` for an error stream that goes where the output goes.
        options: names of other options that were given.
    """

    arguments: Names
    shell: bool
    executable: str | None
    directory: str | None
    environment: Names | None
    stdin: Literal["pipe", "null", "given"]
    stdout: Literal["pipe", "stdout", "stderr", "null", "file"]
    stderr: Literal["pipe", "stdout", "stderr", "null", "file", "merged"]
    options: Names = ()


class ProcessSpawned(PayloadBase, frozen=True, tag="ProcessSpawned"):
    """The process runs, or could not be started.

    Attributes:
        pid: its number, None if it could not be started.
        failure: why not.
        file: the file that the failure names.
    """

    pid: int | None = None
    failure: Failure | None = None
    file: str | None = None


class ProcessFed(PayloadBase, frozen=True, tag="ProcessFed"):
    """The program wrote to the standard input of a process; the bytes follow the head.

    Attributes:
        process: seq of its start.
        end: whether nothing will follow.
    """

    process: int
    end: bool


class ProcessSignalled(PayloadBase, frozen=True, tag="ProcessSignalled"):
    """The program sent a signal to a process of its own.

    Attributes:
        process: seq of its start.
        signal: number of the signal.
        group: whether it went to the process group that the process leads.
    """

    process: int
    signal: int
    group: bool = False


class ProcessWrote(PayloadBase, frozen=True, tag="ProcessWrote"):
    """A process wrote to one of its streams; the bytes follow the head.

    Attributes:
        stream: which one.
        end: whether the stream was closed then, before or after the end of the process.
    """

    stream: Literal["stdout", "stderr"]
    end: bool = False


class ProcessEnded(PayloadBase, frozen=True, tag="ProcessEnded"):
    """A process ended, and with it all of its streams but those that others hold open.

    Attributes:
        returncode: exit status; the negative number of the signal that ended it.
        open: names of the captured streams that are still open.
    """

    returncode: int
    open: Names = ()
