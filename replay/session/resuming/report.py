"""What came of a resume, and what whoever resumes a run may say beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

import msgspec

from replay.errors import ResumeError
from replay.events.code_kinds import AdmissionDecided
from replay.recording.divergence import Divergence
from replay.session.report import AwaitedAtOnce

if TYPE_CHECKING:
    from replay.session.record import Recording

__all__ = [
    "Choices",
    "Repeated",
    "Resumption",
    "ResumptionReport",
    "ResumptionVerdict",
    "Undecided",
]

T = TypeVar("T")

#: ``sealed``: the run went on to its end. ``asks``: somebody has to say what becomes of effects in
#: flight. The others are those of a replay; with all of them the run is what it was.
ResumptionVerdict: TypeAlias = Literal[
    "sealed", "asks", "diverged", "erased", "incomplete", "refused"
]


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever resumes a run says.

    Attributes:
        again: seqs of effects in flight that are done again, whatever they declare.
        fail: seqs of effects in flight that fail in the program.
        secret_to: hosts that may get secrets, though the record does not show that they had them.
        decided: what policies said about it, for the log of the workspace.
    """

    again: frozenset[int] = frozenset()
    fail: frozenset[int] = frozenset()
    secret_to: frozenset[str] = frozenset()
    decided: tuple[AdmissionDecided, ...] = ()


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """An effect that had no answer when the run stopped, and of which nobody said what is to be.

    Attributes:
        seq: of its record.
        name: what it is.
        place: where in the program it was asked for, if the record has that.
        repeatable: whether it can be done again, or only fail.
    """

    seq: int
    name: str
    place: str | None
    repeatable: bool


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done again.

    Attributes:
        seq: of its record.
        name: what it is.
        differed: whether its answer began otherwise than the part that the program had; the
            program was told that the connection broke.
    """

    seq: int
    name: str
    differed: bool = False


class ResumptionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a resume.

    Attributes:
        verdict: the answer.
        run: the run's id.
        directory: where its log lies.
        resumed_at: number of records when it went on.
        events: number of records now.
        root: hex root over them.
        reason: how the program ended, if it did.
        requests_sent_again: requests that were in flight when it stopped.
        effects_again: effects and processes that were in flight and were done again.
        failed: seqs of those that failed in the program.
        undecided: effects in flight that somebody has to decide on.
        divergence: where the program went another way than the record, if it did.
        notes: whatever else a reader must know, in sentences.
    """

    verdict: ResumptionVerdict
    run: str
    directory: str
    resumed_at: int
    events: int
    root: str
    reason: Literal["completed", "failed", "cancelled"] | None = None
    requests_sent_again: tuple[Repeated, ...] = ()
    effects_again: tuple[Repeated, ...] = ()
    failed: tuple[int, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    divergence: Divergence | None = None
    notes: tuple[str, ...] = ()


class Resumption(AwaitedAtOnce, Generic[T]):
    """A run that went on, or a report on why it did not.

    Attributes:
        report: what came of it.
        recording: the sealed run; None if it did not go on, or was sealed already.
    """

    def __init__(self, report: ResumptionReport, recording: Recording[T] | None) -> None:
        self.report = report
        self.recording = recording

    def result(self) -> T:
        """Return what the program returned, or raise what it raised.

        Raises:
            ResumeError: the run did not go on.
        """
        if self.recording is None:
            raise ResumeError(
                f"the run did not go on: {self.report.verdict}", where=f"run {self.report.run}"
            )
        return self.recording.result()
