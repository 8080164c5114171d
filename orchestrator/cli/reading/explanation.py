"""What a divergence was, for people and for programs: its class, its sources, what to try next."""

from __future__ import annotations

import contextlib
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.cli.reading.records import opened
from orchestrator.cli.terminal import inert, paint
from replay.errors import IntegrityError
from replay.forensics.explain import CodeFindings, Explanation, explain, look_at_code
from replay.forensics.explain_code import CodeChange
from replay.forensics.fed_by import Fed
from replay.session.extensions import roles_in_request
from replay.session.report import Report

__all__ = [
    "Explained",
    "code_lines",
    "divergence_lines",
    "explained",
    "explained_fields",
    "on_disk",
]

_SHOWN_MAX: Final = 300
_LINE_MAX: Final = 160
_FILE_BYTES_MAX: Final = 16 << 20


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a replay beside its report; ``divergence`` is None if there is none."""

    code: CodeFindings
    divergence: Explanation | None


def explained(report: Report, run: str, workspace: Path, directory: Path) -> Explained:
    """Look at source, versions and, if there is a divergence, at what explains it.

    Args:
        report: what the replay found.
        run: as it was named.
        workspace: directory that holds the runs.
        directory: where the program was started.
    """
    found = report.divergence
    place = None if found is None else found.recorded_place or found.replayed_place
    code, told = CodeFindings(state="unknown"), None
    with contextlib.suppress(IntegrityError), opened(run, workspace) as reader:
        code = look_at_code(reader, lambda path: on_disk(directory, path), report.versions, place)
        if found is not None and report.verdict == "diverged":
            told = explain(reader, found, code, roles_in_request)
    return Explained(code=code, divergence=told)


def explained_fields(fields: dict[str, object], told: Explained) -> dict[str, object]:
    """Return the JSON fields of a report with those of its explanation."""
    more: dict[str, object] = {
        "code": told.code.state,
        "code_changes": msgspec.to_builtins(told.code.changes),
        "dependency_changes": msgspec.to_builtins(told.code.versions),
    }
    divergence = fields["divergence"]
    if told.divergence is not None and isinstance(divergence, dict):
        more["divergence"] = {**divergence, **msgspec.to_builtins(told.divergence)}
    return {**fields, **more}


def divergence_lines(
    report: Report, paths: dict[int, str], known: Explained | None
) -> Iterator[str]:
    """Yield the lines about a divergence: class and place first, what to try next last."""
    found = report.divergence
    if found is None:
        return
    told = None if known is None else known.divergence
    if told is not None:
        place = "" if told.place is None else f" at {inert(told.place).partition(' < ')[0]}"
        yield f"  {paint(told.sort, 'bold', sys.stderr)}{place}: {inert(told.reason, _SHOWN_MAX)}"
    task = paths.get(int(found.task), found.task) if found.task.isdigit() else found.task
    yield f"  {inert(found.summary())}" + (f", task {inert(task)}" if task else "")
    if report.verdict == "incomplete":
        return  # whatever comes behind the end of a record differs from nothing
    # Positions tell a person something only where nothing else differs.
    said = [each for each in found.fields if not each.path.startswith(("header.", "marks"))]
    for change in said or found.fields:
        yield f"  field {inert(change.path, _SHOWN_MAX)}"
        yield f"    recorded {_value(change.recorded)}"
        yield f"    replayed {_value(change.replayed)}"
    if told is not None:
        yield from _fed_lines(told.fed_by)
    yield from _place_lines(found.recorded_place, found.replayed_place, told)
    candidate = found.candidate if told is None else told.candidate
    if candidate is not None and candidate != found.seq:
        yield f"  nearest recorded event of that kind: {candidate}"
    if found.note:
        yield f"  note: {inert(found.note, _SHOWN_MAX)}"
    if known is not None and told is not None:
        yield from code_lines(known.code)
        yield f"  try: {inert(told.suggestion, _SHOWN_MAX)}"


def code_lines(code: CodeFindings) -> Iterator[str]:
    """Yield the lines about source and versions that are not the recorded ones."""
    for change in code.changes:
        yield f"  code {change.state}: {inert(change.path, _SHOWN_MAX)}{_count(change)}"
        yield from (f"    {inert(line, _LINE_MAX)}".rstrip() for line in change.diff)
    for version in code.versions:
        yield (
            f"  version of {inert(version.name, _LINE_MAX)}: recorded"
            f" {inert(version.recorded or '-', _LINE_MAX)},"
            f" now {inert(version.replayed or '-', _LINE_MAX)}"
        )


def _fed_lines(fed: tuple[Fed, ...]) -> Iterator[str]:
    if not fed:
        return
    yield "  fed by (the same words are on record there; that is no proof)"
    whats = [inert(each.what, _LINE_MAX) for each in fed]
    width = max(map(len, whats))
    for each, what in zip(fed, whats, strict=True):
        side = "" if each.side == "both" else f", {each.side} side"
        yield (
            f"    event {each.event:>5}  {what.ljust(width)}  {inert(each.path, _LINE_MAX)}"
            f"+{each.offset}{side}: {inert(each.excerpt, _SHOWN_MAX)}"
        )


def _place_lines(
    recorded: str | None, replayed: str | None, told: Explanation | None
) -> Iterator[str]:
    for side, place in (("recorded", recorded), ("replayed", replayed)):
        if place is not None:
            frames = inert(place).split(" < ")
            yield f"  {side} at {frames[0]}"
            yield from (f"    awaited by {frame}" for frame in frames[1:])
    if told is not None and told.place not in {None, recorded, replayed}:
        yield f"  its task was started at {inert(str(told.place)).partition(' < ')[0]}"


def _count(change: CodeChange) -> str:
    if change.added is None or change.removed is None:
        return ""
    return f" (+{change.added} -{change.removed} lines)"


def _value(value: str | None) -> str:
    return "(nothing)" if value is None else inert(value, _SHOWN_MAX)


def on_disk(directory: Path, path: str) -> bytes | None:
    """Return the text of a source file; the path is from a record, so it may be anything."""
    place = Path(path)
    # Elsewhere only what is Python by its name is looked at: nobody's secrets end in a report.
    inside = not place.is_absolute() and ".." not in place.parts
    if not inside and place.suffix != ".py":
        return None
    try:
        full = directory / place
        if not stat.S_ISREG(full.stat().st_mode):
            return None
        with full.open("rb") as file:
            return file.read(_FILE_BYTES_MAX)
    except (OSError, ValueError):
        return None
