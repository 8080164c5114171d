"""What becomes of the questions that were in flight when a run stopped, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from replay.errors import UsageError
from replay.recording.divergence import Diverged
from replay.recording.gaps import Uncaptured
from replay.session.resuming.report import Repeated, Undecided
from replay.sources.history import ErasedPayloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from replay.compare.comparer import Comparer
    from replay.guard.process import ProcessGuard
    from replay.session.resuming.report import Choices, ResumptionReport, ResumptionVerdict
    from replay.sources.resumed_world import Kept

__all__ = ["AsksError", "FlightPlan", "decided", "refuse_others", "repeated", "unsealed"]


class AsksError(Exception):
    """Somebody has to say what becomes of effects in flight."""

    def __init__(self, undecided: tuple[Undecided, ...]) -> None:
        super().__init__("effects are in flight")
        self.undecided = undecided


@dataclass(frozen=True, slots=True)
class FlightPlan:
    """What is done again, and what fails in the program."""

    again: list[Kept] = field(default_factory=list)
    failed: list[Kept] = field(default_factory=list)


class _Reports(Protocol):
    def __call__(self, verdict: ResumptionVerdict, **more: object) -> ResumptionReport: ...


def decided(
    in_flight: Iterable[Kept],
    choices: Choices,
    place_of: Callable[[int], str | None],
    shown: Callable[[str], str],
) -> FlightPlan:
    """Say what becomes of each question in flight.

    Args:
        in_flight: those.
        choices: what whoever resumes the run says; it goes before what is declared.
        place_of: finds where in the program one was asked.
        shown: takes secrets out of a text.

    Raises:
        AsksError: nobody has said it of some of them.
    """
    plan = FlightPlan()
    undecided: list[Undecided] = []
    for kept in in_flight:
        seq, flight = kept.asked.seq, kept.flight
        wanted = flight.on_resume
        if seq in choices.fail:
            wanted = "fail"
        elif seq in choices.again:
            wanted = "again"
        if wanted == "again" and flight.repeatable:
            plan.again.append(kept)
        elif wanted == "fail":
            plan.failed.append(kept)
        else:
            undecided.append(
                Undecided(
                    seq=seq,
                    name=shown(flight.label),
                    place=place_of(seq),
                    repeatable=flight.repeatable,
                )
            )
    if undecided:
        raise AsksError(tuple(undecided))
    return plan


def refuse_others(in_flight: Iterable[Kept], choices: Choices) -> None:
    """Refuse to be told about what was not in flight: a slip would go unseen.

    Raises:
        UsageError: a choice is about another event.
    """
    known = sorted(kept.asked.seq for kept in in_flight)
    others = sorted((choices.again | choices.fail) - set(known))
    if others:
        listed = ", ".join(map(str, known))
        what = "is no effect or request" if len(others) == 1 else "are no effects or requests"
        raise UsageError(
            f"{', '.join(map(str, others))} {what} without an answer: nothing was done",
            hint=f"these have none: {listed}" if known else "none is without one: leave it out",
        )


def repeated(
    again: Iterable[Kept], changed: Iterable[int], shown: Callable[[str], str]
) -> list[tuple[bool, Repeated]]:
    """Return what was done again, each with whether it is a request.

    Args:
        again: what was begun.
        changed: seqs of those whose answer began otherwise.
        shown: takes secrets out of a text.
    """
    others = frozenset(changed)
    return [
        (
            kept.flight.destination is not None,
            Repeated(
                seq=kept.asked.seq,
                name=shown(kept.flight.label),
                differed=kept.asked.seq in others,
            ),
        )
        for kept in again
    ]


def unsealed(
    stopped: BaseException | None, report: _Reports, comparer: Comparer, guard: ProcessGuard
) -> ResumptionReport:
    """Say why a run did not go on to its end.

    Args:
        stopped: why its scheduler stopped it.
        report: makes the report.
        comparer: of the recorded part.
        guard: of the recorded part.

    Raises:
        BaseException: the reason, if it is none of the record's or the program's.
    """
    if isinstance(stopped, AsksError):
        return report("asks", undecided=stopped.undecided)
    if isinstance(stopped, ErasedPayloadError):
        return report("erased", notes=(str(stopped),))
    if isinstance(stopped, Uncaptured):
        return report(stopped.verdict, notes=(stopped.note,))
    if isinstance(stopped, Diverged):
        if comparer.erased_at is not None:
            note = f"event {comparer.erased_at} cannot be compared: it was erased"
            return report("erased", notes=(note,))
        if guard.cause is not None:
            note = f"{guard.cause} was refused: nothing leaves the process before the run is live"
            return report("refused", notes=(note,))
        return report("diverged", divergence=stopped.divergence)
    assert stopped is not None, "a run that was not stopped"
    raise stopped
