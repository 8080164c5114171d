"""What came of one replay, and what is to be said of it in every format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final, Literal

import msgspec

from replay.forensics.explain import Explanation
from replay.forensics.fed_by import Fed
from replay.session.report import Report

__all__ = [
    "Finding",
    "Location",
    "Outcome",
    "class_of",
    "details",
    "finding_of",
    "headline",
    "location_of",
]

_VALUE_MAX: Final = 300
_DAMAGED: Final = 3
#: `file:line function`, as places are written; the first frame of a chain.
_FRAME: Final = re.compile(r"(?P<file>[^\x00\n]{1,4096}?):(?P<line>[1-9][0-9]{0,8}) ")

#: Why a replay did not pass; ``error``: it could not be judged, and there is no report.
Finding = Literal["diverged", "damaged", "erased", "refused", "incomplete", "error"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One replay.

    Attributes:
        subject: what was replayed, as it was named: the path of a bundle, or a run.
        exit_code: what the command alone would have ended with; 0 passed.
        duration_s: seconds that it took.
        report: the verdict and what it rests on; None if there is none.
        explanation: of what class a divergence is, and what fed it; None if nothing is known.
        trouble: without a report, what went wrong, in lines.
    """

    subject: str
    exit_code: int
    duration_s: float
    report: Report | None = None
    explanation: Explanation | None = None
    trouble: tuple[str, ...] = ()


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a file below the root of the checkout; the line is None for the whole file."""

    file: str
    line: int | None = None


def finding_of(outcome: Outcome) -> Finding | None:
    """Return why a replay did not pass, None if it did."""
    if outcome.exit_code == 0:
        return None
    if outcome.report is not None and outcome.report.verdict != "identical":
        return outcome.report.verdict
    return "damaged" if outcome.exit_code == _DAMAGED else "error"


def class_of(outcome: Outcome) -> str | None:
    """Return the class of a divergence, as ``prompt``, and None of anything else."""
    return None if outcome.explanation is None else outcome.explanation.sort


def headline(outcome: Outcome) -> str:
    """Return one line: the verdict, and the first thing to know about it. Not escaped."""
    report = outcome.report
    if report is None:
        what = outcome.trouble[0] if outcome.trouble else "it could not be judged"
        return f"{finding_of(outcome)}: {what}"
    if report.divergence is not None:
        sort = class_of(outcome)
        of_class = "" if sort is None else f" ({sort})"
        return f"{report.verdict}{of_class}: {report.divergence.summary()}"
    if report.notes:
        return f"{report.verdict}: {report.notes[0]}"
    return f"{report.verdict}: {report.events} events, {report.live_effects} live effects"


def details(outcome: Outcome) -> Iterator[str]:
    """Yield what else there is to know about an outcome, line by line. Not escaped."""
    report = outcome.report
    if report is None:
        yield from outcome.trouble[1:]
        return
    found, told = report.divergence, outcome.explanation
    if told is not None:
        yield f"class {told.sort}: {told.reason}"
    if found is not None:
        said = [f for f in found.fields if not f.path.startswith(("header.", "marks"))]
        for change in said or found.fields:
            yield f"field {change.path}"
            yield f"  recorded {_value(change.recorded)}"
            yield f"  replayed {_value(change.replayed)}"
        yield from (_fed_line(each) for each in ([] if told is None else told.fed_by))
        for side, place in (("recorded", found.recorded_place), ("replayed", found.replayed_place)):
            if place is not None:
                yield f"{side} at {place}"
        if found.note:
            yield f"note: {found.note}"
    if told is not None:
        yield from (f"code {change.state}: {change.path}" for change in told.code_changes)
        yield f"try: {told.suggestion}"
    yield f"run {report.run or '-'}, {report.events} events"
    yield f"root recorded {report.root_recorded or '-'}"
    yield f"root replayed {report.root_replayed or '-'}"
    yield f"live effects {report.live_effects} (guard: {report.guard})"
    for note in report.notes:
        yield f"note: {note}"


def location_of(outcome: Outcome, root: str, here: str = "") -> Location | None:
    """Return what to show a person: where the program differs, or else the bundle's own file.

    Args:
        outcome: what came of a replay.
        root: absolute path of the checkout; a file elsewhere is no place in it.
        here: absolute path to which relative ones are relative; the root, if not given.
    """
    found = None if outcome.report is None else outcome.report.divergence
    places = [] if found is None else [found.replayed_place, found.recorded_place]
    if outcome.explanation is not None:
        places.append(outcome.explanation.place)
    for place in places:
        frame = _FRAME.match(place or "")
        file = None if frame is None else _below(frame["file"], root, here)
        if frame is not None and file is not None:
            return Location(file=file, line=int(frame["line"]))
    file = _below(outcome.subject, root, here) if "." in outcome.subject else None
    return None if file is None else Location(file=file)


def _below(file: str, root: str, here: str) -> str | None:
    """Return a file's path relative to the root, None if it lies elsewhere or is no path."""
    path = PurePosixPath(here, file)
    if path.is_absolute():
        if not root or not path.is_relative_to(root):
            return None
        path = path.relative_to(root)
    if ".." in path.parts or not path.parts or "\x00" in file:
        return None
    return str(path)


def _fed_line(fed: Fed) -> str:
    side = "" if fed.side == "both" else f", {fed.side} side"
    return f"fed by event {fed.event}, {fed.what}, {fed.path}+{fed.offset}{side}: {fed.excerpt}"


def _value(value: str | None) -> str:
    if value is None:
        return "(nothing)"
    return value if len(value) <= _VALUE_MAX else value[: _VALUE_MAX - 1] + "…"
