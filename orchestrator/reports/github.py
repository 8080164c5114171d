"""Outcomes for GitHub Actions: annotations on lines of code, and a table for the step summary.

A workflow command is a line that begins with two colons, or any line with ``##[name]`` in it. So no
recorded text may begin a line, and what a replayed program prints and what is told of its replay
must not be read as commands: whoever prints them brackets them. A line that is read as a command of
the first form is not looked through for the second.

Source: src/Runner.Common/ActionCommand.cs of actions/runner.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from orchestrator.reports.outcome import (
    Location,
    Outcome,
    class_of,
    details,
    finding_of,
    headline,
    location_of,
)
from orchestrator.reports.spelling import spelled

__all__ = ["error_commands", "step_summary"]

#: GitHub shows ten errors of a step; the table has the rest.
_ANNOTATIONS_MAX: Final = 10
_LINE_MAX: Final = 500
_LINES_MAX: Final = 12
#: A step's summary may have 1 MiB, and one that is larger is not shown at all; a character that
#: could be markup takes ten.
_ROWS_MAX: Final = 500
_ROWS_BYTES_MAX: Final = 1000 << 10
_CELL_MAX: Final = 200
_PLAIN: Final = re.compile(r"[A-Za-z0-9 ,;/\u00a1-\uffff-]")


def error_commands(outcomes: Sequence[Outcome], *, root: str, here: str = "") -> list[str]:
    """Return a workflow command for each replay that did not pass, at most ten.

    Args:
        outcomes: in the order in which they are to be listed.
        root: absolute path of the checkout, to which files are relative.
        here: absolute path to which relative ones are relative; the root, if not given.
    """
    failed = [outcome for outcome in outcomes if finding_of(outcome) is not None]
    shown = failed if len(failed) <= _ANNOTATIONS_MAX else failed[: _ANNOTATIONS_MAX - 1]
    lines = [_annotation(outcome, location_of(outcome, root, here)) for outcome in shown]
    if len(failed) > len(shown):
        lines.append(f"::error title=ritornello::and {len(failed) - len(shown)} more")
    return lines


def step_summary(outcomes: Sequence[Outcome]) -> str:
    """Return a table in Markdown, in which no recorded text is markup."""
    passed = sum(finding_of(outcome) is None for outcome in outcomes)
    lines = [
        f"### ritornello replay: {passed} of {len(outcomes)} identical",
        "",
        "| | replayed | what came of it |",
        "|---|---|---|",
    ]
    # What failed is never the part that is left out.
    order = sorted(outcomes, key=lambda outcome: finding_of(outcome) is None)
    rows, room = 0, _ROWS_BYTES_MAX
    for outcome in order[:_ROWS_MAX]:
        mark = "✅" if finding_of(outcome) is None else "❌"
        line = f"| {mark} | {_cell(outcome.subject)} | {_cell(headline(outcome))} |"
        room -= len(line.encode()) + 1
        if room < 0:
            break
        lines.append(line)
        rows += 1
    if len(order) > rows:
        lines.append(f"| | and {len(order) - rows} more | |")
    return "\n".join(lines) + "\n"


def _annotation(outcome: Outcome, location: Location | None) -> str:
    sort = class_of(outcome)
    title = f"ritornello {finding_of(outcome)}" + ("" if sort is None else f" ({sort})")
    properties = {"title": title}
    if location is not None:
        properties = {"file": location.file, "line": str(location.line or 1), **properties}
    head = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    lines = [f"{outcome.subject}: {headline(outcome)}", *details(outcome)][:_LINES_MAX]
    return f"::error {head}::{_data(lines)}"


def _data(lines: Sequence[str]) -> str:
    text = "\n".join(spelled(line, _LINE_MAX) for line in lines)
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data([value]).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    """Return text of a table's cell; whatever could be markup becomes a character reference."""
    shown = spelled(text, _CELL_MAX)
    return "".join(c if _PLAIN.fullmatch(c) else f"&#{ord(c)};" for c in shown)
