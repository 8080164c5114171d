"""What a failing recorded test says: the first difference, and the commands that go on from it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from replay.errors import ReplayError
    from replay.forensics.explain import Explanation
    from replay.recording.divergence import Divergence, FieldChange
    from replay.session.report import Report

__all__ = ["Place", "differing", "missing", "refused_by_engine", "suspects"]

_SHOWN_MAX: Final = 300
_FIELDS_MAX: Final = 8
_FRAMES_MAX: Final = 3
_OURS: Final = str(Path(__file__).resolve().parent)
#: Shorter texts and smaller numbers stand in half of all records by chance.
_TELLING_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Which test, and where its recording lies, both as a person would type them.

    Attributes:
        node: the test's id.
        recording: path of the recording.
    """

    node: str
    recording: str

    @property
    def record_command(self) -> str:
        """The command that records the test for the first time."""
        return f"pytest --ritornello=once {shlex.quote(self.node)}"

    @property
    def rewrite_command(self) -> str:
        """The command that records it anew."""
        return f"pytest --ritornello=rewrite {shlex.quote(self.node)}"


def missing(test: Place) -> str:
    """Return what a test without a recording says."""
    return "\n".join(
        (
            f"ritornello: there is no recording of {test.node}",
            f"  looked for {test.recording}",
            f"  record it: {test.record_command}",
        )
    )


def refused_by_engine(test: Place, error: ReplayError, *, recording: bool) -> str:
    """Return what a test says that cannot be recorded, or whose recording cannot be judged."""
    what = "cannot be recorded" if recording else "cannot be replayed"
    lines = [f"ritornello: {test.node} {what}"]
    lines += [f"  {_inert(line, _SHOWN_MAX)}" for line in error.diagnostics().splitlines()]
    if not recording:
        lines += _ways_on(test)
    return "\n".join(lines)


def differing(
    test: Place, report: Report, values: Mapping[str, object], told: Explanation | None
) -> str:
    """Return what a test says whose replay is not identical.

    Args:
        test: the test.
        report: what its replay found.
        values: what its fixtures gave, by name.
        told: of what class the divergence is, if it is one.
    """
    lines = [
        f"ritornello: {report.verdict}: the replay of {test.node} is not what was recorded",
    ]
    found = report.divergence
    if found is not None and report.verdict != "refused":
        if told is not None:
            lines.append(f"  {told.sort}: {_inert(told.reason, _SHOWN_MAX)}")
        lines += _divergence(found)
        lines += [f"  fixture: {_inert(hint, _SHOWN_MAX)}" for hint in suspects(found, values)]
    lines += [f"  note: {_inert(note, _SHOWN_MAX)}" for note in report.notes]
    return "\n".join((*lines, *_ways_on(test)))


def _divergence(found: Divergence) -> Iterator[str]:
    yield f"  {_inert(found.summary(), 4 * _SHOWN_MAX)}"
    for side, place in (("recorded", found.recorded_place), ("replayed", found.replayed_place)):
        frames = [each for each in (place or "").split(" < ") if each and _OURS not in each]
        if frames:
            yield f"  {side} at {_inert(' < '.join(frames[:_FRAMES_MAX]), _SHOWN_MAX)}"
    fields = _telling(found)
    for change in fields[:_FIELDS_MAX]:
        yield f"  field {_inert(change.path, _SHOWN_MAX)}"
        yield f"    recorded {_value(change.recorded)}"
        yield f"    replayed {_value(change.replayed)}"
    if len(fields) > _FIELDS_MAX:
        yield f"  and {len(fields) - _FIELDS_MAX} more fields"
    if found.note:
        yield f"  note: {_inert(found.note, _SHOWN_MAX)}"


def _telling(found: Divergence) -> list[FieldChange]:
    """Leave positions out: they tell a person something only where nothing else differs."""
    said = [each for each in found.fields if not each.path.startswith(("header.", "marks"))]
    return said or list(found.fields)


def suspects(found: Divergence, values: Mapping[str, object]) -> Iterator[str]:
    """Yield a sentence for each fixture whose value stands in what the replay did differently."""
    recorded = "\n".join(change.recorded or "" for change in found.fields)
    replayed = "\n".join(change.replayed or "" for change in found.fields)
    for name, value in _simple(values):
        text = str(value)
        if len(text) >= _TELLING_LENGTH and text in replayed and text not in recorded:
            yield (
                f"the value of `{name}` is in what differs ({_inert(text, 60)}); fixtures run"
                " outside of the recording, and what they give must be the same in each run"
            )


def _simple(values: Mapping[str, object]) -> Iterator[tuple[str, str | int | Path]]:
    """Yield values that a program may show as they are, also those in a dictionary of a fixture."""
    for name, value in values.items():
        for each in value.values() if isinstance(value, dict) else (value,):
            if isinstance(each, str | int | Path) and not isinstance(each, bool):
                yield name, each


def _ways_on(test: Place) -> list[str]:
    file = shlex.quote(test.recording)
    return [
        f"  look at it:   ritornello show {file}",
        f"                ritornello events {file}",
        f"  replay it:    pytest --ritornello=none {shlex.quote(test.node)}",
        f"  if the change is meant, record it anew: {test.rewrite_command}",
    ]


def _value(value: str | None) -> str:
    return "(nothing)" if value is None else _inert(value, _SHOWN_MAX)


def _inert(text: str, length: int) -> str:
    """Return recorded text that does nothing to a terminal, and is one line."""
    from orchestrator.reports.spelling import spelled  # tests that need no text pay for nothing

    return spelled(text, length)
