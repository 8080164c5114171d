"""The exit codes: closed, stable, the same for every verb."""

from __future__ import annotations

from enum import IntEnum

from attestations.errors import (
    AdmissionError,
    AttestationError,
    EnvelopeError,
    KeyFileError,
    KeyFormError,
    KeylessError,
    KeylessServiceError,
    LayoutError,
    NoteError,
    NotInstalledError,
    PolicyError,
    RequirementError,
    StateError,
    StatementError,
    TimeStampError,
    TimeStampServiceError,
    TrustFileError,
    WitnessConflictError,
    WitnessServiceError,
)
from replay.errors import (
    CaptureError,
    CodeRefusedError,
    ErasureError,
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


_CODES: tuple[tuple[type[ReplayError | AttestationError], ExitCode], ...] = (
    (CaptureError, ExitCode.DIFFERENT),
    (UsageError, ExitCode.USAGE),
    (NotFoundError, ExitCode.NOT_FOUND),
    (LogError, ExitCode.NOT_FOUND),
    (SetupError, ExitCode.NOT_FOUND),
    (HermeticError, ExitCode.REFUSED),
    (CodeRefusedError, ExitCode.REFUSED),
    (ErasureError, ExitCode.REFUSED),
    (ResumeError, ExitCode.REFUSED),
    (WorkflowError, ExitCode.DIFFERENT),
    (IntegrityError, ExitCode.DAMAGED),
    (RequirementError, ExitCode.USAGE),
    (KeyFileError, ExitCode.NOT_FOUND),
    (KeyFormError, ExitCode.USAGE),
    (TrustFileError, ExitCode.NOT_FOUND),
    (StateError, ExitCode.NOT_FOUND),
    (AdmissionError, ExitCode.REFUSED),
    (PolicyError, ExitCode.NOT_FOUND),
    (TimeStampServiceError, ExitCode.PROVIDER),
    (KeylessServiceError, ExitCode.PROVIDER),
    (WitnessServiceError, ExitCode.PROVIDER),
    (WitnessConflictError, ExitCode.DAMAGED),
    # What a bundle is worth is a finding; what is raised is a root, token or configuration.
    (KeylessError, ExitCode.NOT_FOUND),
    (NotInstalledError, ExitCode.NOT_FOUND),
    (TimeStampError, ExitCode.DAMAGED),
    (NoteError, ExitCode.DAMAGED),
    (EnvelopeError, ExitCode.DAMAGED),
    (StatementError, ExitCode.DAMAGED),
    (LayoutError, ExitCode.DAMAGED),
)


def code_of(error: ReplayError | AttestationError) -> ExitCode:
    """Return the exit code of an error; one that names no class of its own is our mistake."""
    if error.code == "payload_absent":  # what is needed was erased or withheld; nothing is damaged
        return ExitCode.REFUSED
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ExitCode.OUR_MISTAKE
