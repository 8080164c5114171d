"""The exit codes: closed, stable, the same for every verb."""

from __future__ import annotations

from enum import IntEnum

from replay.errors import (
    CaptureError,
    HermeticError,
    IntegrityError,
    LogError,
    NotFoundError,
    ReplayError,
    ResumeError,
    SetupError,
    UsageError,
    WorkflowError,
)

__all__ = ["ExitCode", "code_of"]


class ExitCode(IntEnum):
    """What a verb came to."""

    OK = 0
    DIFFERENT = 1
    USAGE = 2
    DAMAGED = 3
    NOT_FOUND = 4
    REFUSED = 6
    PROVIDER = 7
    OUR_MISTAKE = 70
    NOT_JUDGED = 125
    INTERRUPTED = 130
    PIPE_CLOSED = 141


_CODES: tuple[tuple[type[ReplayError], ExitCode], ...] = (
    (CaptureError, ExitCode.DIFFERENT),
    (UsageError, ExitCode.USAGE),
    (NotFoundError, ExitCode.NOT_FOUND),
    (LogError, ExitCode.NOT_FOUND),
    (SetupError, ExitCode.NOT_FOUND),
    (HermeticError, ExitCode.REFUSED),
    (ResumeError, ExitCode.REFUSED),
    (WorkflowError, ExitCode.DIFFERENT),
    (IntegrityError, ExitCode.DAMAGED),
)


def code_of(error: ReplayError) -> ExitCode:
    """Return the exit code of an error; one that names no class of its own is our mistake."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ExitCode.OUR_MISTAKE
