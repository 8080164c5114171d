"""What can go wrong in the engine, as one small tree.

::

    ReplayError                 root of every error this package raises
    ├── UsageError              the caller asked for something that cannot be
    │   └── LoopMethodError     a run's event loop does not have what was called
    ├── NotFoundError           what was named is not there
    ├── LogError                the log of a run cannot be opened, locked or made durable
    ├── WorkflowError           the program did what no run can record or repeat
    │   ├── HermeticError       the program tried to reach outside during a replay
    │   └── CodeRefusedError    a source file of the program's was not admitted
    ├── ErasureError            what was to be erased must stay, or cannot go alone
    ├── ResumeError             a run cannot go on as it is; not one byte of it was changed
    │   └── ForkError           a run cannot be forked as it is; there is no fork
    ├── SecretError             a secret of a form that cannot be replaced (replay.secrets)
    ├── SetupError              this process cannot host a run, or something is in the way
    └── IntegrityError          bytes are not what was recorded; whose fault is unknown
        ├── BundleError         a bundle's file is not what its manifest and root say
        │   ├── BundlePathError a bundle names a member as none of the format is named
        │   └── BundleTruncatedError  a workspace knew of more records than a bundle holds
        └── ProofError          a Merkle proof, tree state or checkpoint note does not hold

Each class has a stable `code`; callers branch on the class or the code, never on the text.
Expected differences (a divergence, a finding, a refusal by policy) are values, not exceptions.
"""

from typing import ClassVar

__all__ = [
    "BundleError",
    "BundlePathError",
    "BundleTruncatedError",
    "CodeRefusedError",
    "ErasureError",
    "ForkError",
    "HermeticError",
    "IntegrityError",
    "LogError",
    "LoopMethodError",
    "NotFoundError",
    "ProofError",
    "ReplayError",
    "ResumeError",
    "SetupError",
    "UsageError",
    "WorkflowError",
]


class ReplayError(Exception):
    """The root of all errors raised by the engine.

    Args:
        message: What happened, without a full stop.
        where: The place in the run, log, bundle or file, if known; empty otherwise.
        hint: What to try next; empty if nothing useful can be said.
    """

    code: ClassVar[str] = "replay"

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def diagnostics(self) -> str:
        """Says what happened, where, and what to try: one line each, without a final newline."""
        lines = [f"{self.code}: {self.message}"]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.hint:
            lines.append(f"  try: {self.hint}")
        return "\n".join(lines)


class UsageError(ReplayError):
    """The caller asked for something that cannot be; nothing happened."""

    code = "usage"


class CaptureError(UsageError):
    """The program did what no run can repeat; its recording stopped there, without a seal."""

    code = "capture"


class LoopMethodError(UsageError, NotImplementedError):
    """A run's event loop has no such method; asyncio's own error for that, so that both fit."""

    code = "loop-method"


class NotFoundError(ReplayError):
    """Nothing has the name that was given, or more than one thing has."""

    code = "not-found"


class WorkflowError(ReplayError):
    """The program did something that a run cannot record or repeat."""

    code = "workflow"


class HermeticError(WorkflowError):
    """The program tried to reach outside during a replay; nothing left the process."""

    code = "hermetic"


class CodeRefusedError(WorkflowError):
    """A source file of the program's is none that a policy admitted; it did not run."""

    code = "code-refused"


class IntegrityError(ReplayError):
    """Recorded bytes contradict themselves or what was committed to."""

    code = "integrity"


class BundleError(IntegrityError):
    """A bundle is malformed, over a limit, or not what its manifest and root say.

    Args:
        message: What is wrong, without a full stop.
        member: The member it shows in, or a part of the file's own structure (`end record`,
            `central directory`, `file`).
        event: The seq of the record it shows in, where the bytes allow to say so.
        hint: What to try next; empty if nothing useful can be said.
    """

    code = "bundle"

    def __init__(
        self, message: str, *, member: str, event: int | None = None, hint: str = ""
    ) -> None:
        where = member if event is None else f"{member}, event {event}"
        super().__init__(message, where=where, hint=hint)
        self.member = member
        self.event = event


class BundlePathError(BundleError):
    """A member's name is not one of the bundle format's; nothing was written anywhere."""

    code = "bundle-path"


class BundleTruncatedError(BundleError):
    """A record of the run's workspace, which the bundle brings, knew of more records than it.

    Its code is that of `BundleError`: the format says of both that the bundle does not hold.
    """


class ProofError(IntegrityError):
    """A Merkle proof, tree state or checkpoint note is malformed or does not hold."""

    code = "proof"


class LogError(ReplayError):
    """The log cannot be opened, locked or written; what was acknowledged before is still there."""

    code = "log"


class ErasureError(ReplayError):
    """What was to be erased is held, still growing, or would come back; nothing was erased."""

    code = "erasure"


class ResumeError(ReplayError):
    """A stopped run cannot go on as things are; its record is what it was."""

    code = "resume"


class ForkError(ResumeError):
    """A run cannot be forked as things are: there is no fork, and its record is what it was."""

    code = "fork"


class SetupError(ReplayError):
    """This process cannot host a run: the interpreter is not supported, or a tool is in the way."""

    code = "setup"
