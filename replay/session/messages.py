"""What launcher and child tell each other, as JSON over two pipes of their own."""

from __future__ import annotations

from typing import Literal

import msgspec

from replay.session.command_line import Command
from replay.session.conditions import Conditions
from replay.session.forking.report import Estimate, ForkChoices, ForkReport
from replay.session.report import Report
from replay.session.resuming.report import Choices, ResumptionReport

__all__ = [
    "Answer",
    "Call",
    "Estimated",
    "Failed",
    "Forked",
    "Outcome",
    "Ready",
    "Recorded",
    "Replayed",
    "Resumed",
    "Task",
]


class Call(msgspec.Struct, frozen=True, kw_only=True, tag="call"):
    """A coroutine function to run.

    Attributes:
        file: path of its file, as it stands in the record.
        function: its qualified name; empty lets the file decide, which only a recording may.
        arguments: JSON of its arguments; empty for none.
    """

    file: str
    function: str
    arguments: str = ""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to do.

    Attributes:
        action: record, replay, resume, or fork.
        program: what to run.
        workspace: absolute path of the workspace directory.
        run: what to replay: a run of the workspace, or the absolute path of a bundle.
        keep: where to keep the replay's own log, or None.
        out: an empty directory for the files that a replayed program writes.
        noise: objects to make before the program, so that it lies elsewhere in memory.
        choices: what whoever resumes a run says.
        fork: where a fork begins, and how.
        conditions: what was decided about it beforehand.
    """

    action: Literal["record", "replay", "resume", "fork"]
    program: Command | Call
    workspace: str
    run: str = ""
    keep: str | None = None
    out: str = ""
    noise: int = 0
    choices: Choices = Choices()
    fork: ForkChoices = ForkChoices()
    conditions: Conditions = Conditions()


# A union for msgspec needs tags on all of its members.
class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The child is up, and no line of the program has run.

    Attributes:
        python: version of its interpreter.
        engine: version of the engine in it.
    """

    python: str
    engine: str


class Recorded(msgspec.Struct, frozen=True, kw_only=True, tag="recorded"):
    """A run was sealed.

    Attributes:
        run, directory, root, events, reason: see :class:`replay.session.record.Recording`.
        exit_code: what the program's process would have ended with.
    """

    run: str
    directory: str
    root: str
    events: int
    reason: Literal["completed", "failed", "cancelled"]
    exit_code: int


class Replayed(msgspec.Struct, frozen=True, kw_only=True, tag="replayed"):
    """A replay came to a verdict."""

    report: Report


class Resumed(msgspec.Struct, frozen=True, kw_only=True, tag="resumed"):
    """A run went on to its end, or did not.

    Attributes:
        report: what came of it.
        exit_code: what the program's process would have ended with.
    """

    report: ResumptionReport
    exit_code: int


class Estimated(msgspec.Struct, frozen=True, kw_only=True, tag="estimated"):
    """It is known what a fork would send at least."""

    estimate: Estimate


class Forked(msgspec.Struct, frozen=True, kw_only=True, tag="forked"):
    """A fork came to its end, or there is none.

    Attributes:
        report: what came of it.
        exit_code: what the program's process would have ended with.
    """

    report: ForkReport
    exit_code: int


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The engine gave up; the fields are those of a :class:`replay.errors.ReplayError`.

    Attributes:
        error: name of its class; empty for a mistake of ours, whose traceback was printed.
    """

    error: str
    message: str
    where: str = ""
    hint: str = ""


#: What a launched program can come to.
Outcome = Recorded | Replayed | Resumed | Estimated | Forked
Answer = Ready | Outcome | Failed
