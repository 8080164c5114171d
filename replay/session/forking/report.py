"""What a fork would send, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec

from replay.errors import ForkError, IntegrityError, UsageError
from replay.events.code_kinds import AdmissionDecided
from replay.recording.divergence import Divergence
from replay.session.report import AwaitedAtOnce

if TYPE_CHECKING:
    from replay.log.port import LogReader
    from replay.session.record import Recording
    from replay.session.report import Report

__all__ = [
    "Beginning",
    "Estimate",
    "Fork",
    "ForkChoices",
    "ForkReport",
    "ForkVerdict",
    "GoesLive",
    "beginning_by",
]

T = TypeVar("T")

#: The end of a run and the notes about it stand among so many last records.
_ENDING: Final = 256

#: ``sealed``: the fork came to its end. ``ready``: it can begin. ``unchanged``: the program is what
#: it was. ``declined``: nobody said that it may cost what it would. The others are those of a
#: resume; with all but the first nothing live happened and there is no fork.
ForkVerdict: TypeAlias = Literal[
    "sealed",
    "ready",
    "unchanged",
    "declined",
    "diverged",
    "erased",
    "incomplete",
    "refused",
    "asks",
]


class ForkChoices(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fork begins, and how.

    Attributes:
        position: number of records that it has in common with the recorded run.
        anew: whether nothing behind the position is answered from the record.
        dry: whether it is only looked what would go live.
        foreign: whether the recorded run came from elsewhere: then it does not show who may get
            secrets.
        secret_to: hosts that may get secrets, though the record does not show that they had them.
        decided: what policies said about it, for the log of the workspace.
    """

    position: int = 0
    anew: bool = False
    dry: bool = False
    foreign: bool = False
    secret_to: frozenset[str] = frozenset()
    decided: tuple[AdmissionDecided, ...] = ()


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """Where a program leaves the record of a run.

    Attributes:
        position: number of records that it makes again.
        run: id of the recorded run, where it was looked at.
        is_unchanged: whether these are all, so that there is nothing to fork.
        divergence: the first difference, if there is one.
    """

    position: int
    run: str = ""
    is_unchanged: bool = False
    divergence: Divergence | None = None


class GoesLive(msgspec.Struct, frozen=True, kw_only=True):
    """Something that no record answers.

    Attributes:
        name: what it is: a method and an address, or an effect.
        task: spawn path of the task that asks, for people.
        is_request: whether it is a request.
        model: the model asked by the recorded request that is nearest.
        input_tokens, output_tokens: what that cost, as the provider counted.
        like: seq of that request in the recorded run; None if it has none.
    """

    name: str
    task: str
    is_request: bool
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    like: int | None = None


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a fork would send at least; what is asked behind that depends on the answers.

    Attributes:
        verdict: whether it can begin.
        run: id of the recorded run.
        position: number of records that both would have.
        records: number of records of the recorded run.
        live: what would go live.
        recalled: number of questions behind the position with recorded answers.
        whole: number of requests of the recorded run.
        whole_input_tokens, whole_output_tokens: what those cost, as the provider counted.
        is_all: whether the program came to its end without an answer of the world's.
        written: files that the common part wrote, and which are written anew.
        divergence: where the program left the record before the position.
        notes: whatever else a reader must know, in sentences.
    """

    verdict: ForkVerdict
    run: str
    position: int
    records: int
    live: tuple[GoesLive, ...] = ()
    recalled: int = 0
    whole: int = 0
    whole_input_tokens: int = 0
    whole_output_tokens: int = 0
    is_all: bool = False
    written: tuple[str, ...] = ()
    divergence: Divergence | None = None
    notes: tuple[str, ...] = ()

    @property
    def input_tokens(self) -> int:
        """Known input tokens of all that would go live."""
        return sum(each.input_tokens or 0 for each in self.live)

    @property
    def output_tokens(self) -> int:
        """Known output tokens likewise."""
        return sum(each.output_tokens or 0 for each in self.live)


class ForkReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a fork.

    Attributes:
        verdict: the answer.
        run: id of the fork; empty if there is none.
        forked_from: id of the recorded run.
        position: number of records that both have; the first alone differs.
        directory: where the fork's log lies.
        events: number of its records.
        root: hex root over them.
        live: what went live, in order.
        recalled: number of questions behind the position with recorded answers.
        reason: how the program ended, if it did.
        divergence: where the program left the record before the position.
        notes: whatever else a reader must know, in sentences.
    """

    verdict: ForkVerdict
    run: str = ""
    forked_from: str
    position: int
    directory: str = ""
    events: int = 0
    root: str = ""
    live: tuple[GoesLive, ...] = ()
    recalled: int = 0
    reason: Literal["completed", "failed", "cancelled"] | None = None
    divergence: Divergence | None = None
    notes: tuple[str, ...] = ()


class Fork(AwaitedAtOnce, Generic[T]):
    """A fork, or a report on why there is none.

    Attributes:
        report: what came of it.
        recording: the sealed run; None if there is none.
    """

    def __init__(self, report: ForkReport, recording: Recording[T] | None) -> None:
        self.report = report
        self.recording = recording

    def result(self) -> T:
        """Return what the program returned, or raise what it raised.

        Raises:
            ForkError: there is no fork.
        """
        if self.recording is None:
            raise ForkError(
                f"there is no fork: {self.report.verdict}", where=f"run {self.report.forked_from}"
            )
        return self.recording.result()


def beginning_by(reader: LogReader, report: Report) -> Beginning:
    """Return where a fork begins, from what a replay of the run came to.

    Raises:
        ForkError: the run cannot be forked.
        IntegrityError: the record is damaged.
        UsageError: the run stopped without a seal; a resume is what it needs.
    """
    where = f"run {report.run}"
    note = report.notes[0] if report.notes else report.verdict
    size = reader.size()
    if report.verdict == "identical":
        return Beginning(run=report.run, position=size, is_unchanged=True)
    if report.verdict == "damaged":
        raise IntegrityError(f"the record is damaged: {note}", where=where)
    if report.unloadable is not None:
        raise ForkError(f"the run cannot be forked: {note}", where=where)
    if report.verdict == "incomplete" and report.events:
        raise UsageError(
            "the run stopped without a seal, and the program is what it was",
            where=where,
            hint="`ritornello resume` lets it go on",
        )
    if report.verdict in {"erased", "incomplete"}:
        raise ForkError(f"the run cannot be forked: {note}", where=where)
    last = size
    for entry in reader.entries(max(0, size - _ENDING)):
        if entry.header.kind == "RunEnded":
            last = entry.header.seq
    return Beginning(
        run=report.run, position=min(report.events, last), divergence=report.divergence
    )
