"""The end of a run: its outcome and its seal, the same while recording and while replaying."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from replay.errors import WorkflowError
from replay.events.kinds import Failure, RunEnded, RunSealed
from replay.recording.place import place_of
from replay.scheduler.ports import Terminated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from replay.events.header import Outcome
    from replay.events.kinds import Payload
    from replay.recording.recorder import Recorder

__all__ = ["Reason", "end_run", "stalled_error", "unloadable_by"]

_EXIT_CODE_BOUND: Final = 1 << 31
Reason = Literal["completed", "failed", "cancelled"]


def end_run(
    recorder: Recorder,
    value: object,
    error: BaseException | None,
    notes: Callable[[], Iterable[Payload]],
    code: Callable[[], tuple[Payload, bytes | None] | None] = lambda: None,
) -> Reason:
    """Record how the program ended, and seal the run; return the reason of the seal.

    Args:
        recorder: of the run.
        value: what the program returned.
        error: what it raised, if it did.
        notes: gives what is to be noted about the run as a whole, once the end is on record.
        code: gives the note of the program's source, and its body.
    """
    reason: Reason = "completed"
    outcome: Outcome = "ok"
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | Terminated):
        reason, outcome = "cancelled", "cancelled"
    elif isinstance(error, SystemExit):
        if _exit_code(error) != 0:
            reason, outcome = "failed", "error"
    elif error is not None:
        reason, outcome = "failed", "error"
    root = recorder.scheduler.root
    where = None if error is None else place_of(error)
    recorder.derive(_ended(value, error), actor=root, outcome=outcome, where=where)
    for payload in notes():
        recorder.note(payload)
    if (source := code()) is not None:
        recorder.note(*source)
    recorder.derive(RunSealed(reason=reason, events=recorder.size + 1), actor=root)
    return reason


def stalled_error() -> WorkflowError:
    """Return how a program failed that waits although nothing can ever come."""
    return WorkflowError(
        "the program waits for something that can never come",
        hint="a future nobody completes, or a lock nobody releases",
    )


def unloadable_by(error: BaseException) -> str | None:
    """Return what kept Python from loading the program, None if that is not how it ended.

    A file of it that is no Python, or a module or name that it imports and that is not there.
    """
    if isinstance(error, SyntaxError):
        # Text that the program itself compiles has a name in angle brackets.
        if not error.filename or error.filename.startswith("<"):
            return None
        return f"{type(error).__name__} in {error.filename}, line {error.lineno}"
    if isinstance(error, ImportError):
        return f"{type(error).__name__}: {error.msg}"
    return None


def _ended(value: object, error: BaseException | None) -> RunEnded:
    if isinstance(error, SystemExit):
        return RunEnded(exit_code=_exit_code(error))
    if error is not None:
        return RunEnded(failure=_failure(error))
    kind = f"{type(value).__module__}:{type(value).__qualname__}"
    try:
        return RunEnded(
            value=msgspec.Raw(msgspec.json.encode(value, order="deterministic")), type=kind
        )
    except (TypeError, ValueError, OverflowError, RecursionError):
        return RunEnded(type=kind)


def _failure(error: BaseException) -> Failure:
    """Return the program's own exception: class and plain arguments, no text of objects."""
    plain = all(type(a) in (str, int, float, bool, type(None)) for a in error.args)
    try:
        arguments = msgspec.json.encode(error.args if plain else [])
    except (ValueError, OverflowError):  # text with half characters, a number without bounds
        arguments = b"[]"
    return Failure(
        type=f"{type(error).__module__}:{type(error).__qualname__}",
        arguments=msgspec.Raw(arguments),
    )


def _exit_code(error: SystemExit) -> int:
    code = error.code
    if code is None:
        return 0
    if not isinstance(code, int):
        return 1
    # A number has no bounds here, but it has in a record; the system makes 255 of such a one.
    return int(code) if abs(code) < _EXIT_CODE_BOUND else 255
