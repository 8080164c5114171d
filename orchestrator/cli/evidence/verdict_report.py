"""The four verdicts as lines for people and as fields for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from attestations.verdicts import Finding, Verdicts
from orchestrator.cli.evidence.verifying import Demands, Verified
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import inert, paint

__all__ = [
    "code_of_verdicts",
    "events_of",
    "finding_line",
    "run_fields",
    "unmet_lines",
    "verdict_fields",
    "verdict_lines",
]

_CODES: Final[dict[Literal["held", "absent", "failed"], ExitCode]] = {
    "held": ExitCode.OK,
    "absent": ExitCode.DIFFERENT,
    "failed": ExitCode.DAMAGED,
}
#: Fields of a check that say nothing where nothing could be read.
_COUNTED: Final = ("events", "root", "inputs", "derived", "unknown_kinds", "holes", "head")
_RED: Final = frozenset({"failed", "truncated", "conflict"})
_GREEN: Final = frozenset({"ok", "signed", "pinned", "timestamped", "witnessed"})


def code_of_verdicts(found: Verified) -> ExitCode:
    """Return the exit code: 0 held, 1 something required is absent, 3 failed."""
    return _CODES[found.judgement.outcome]


def run_fields(found: Verified, demands: Demands) -> dict[str, object]:
    """Return what was found about a run, for a program."""
    checked: dict[str, object] = msgspec.to_builtins(found.check)
    if found.unread:
        # Not a number that nobody counted.
        checked |= dict.fromkeys(_COUNTED)
    return {**checked, **verdict_fields(found, demands)}


def events_of(found: Verified) -> str:
    """Return how many events were read, in words."""
    return "nothing could be read" if found.unread else f"{found.check.events} events"


def verdict_fields(found: Verified, demands: Demands) -> dict[str, object]:
    """Return the verdicts: the word of each, what each rests on, and what is required."""
    return {
        **{name: verdict.value for name, verdict in _each(found.verdicts)},
        "verdicts": {
            name: {
                "value": verdict.value,
                "states": list(verdict.states),
                "findings": [
                    {"code": each.code, "seq": each.seq, "message": each.message}
                    for each in verdict.findings
                ],
            }
            for name, verdict in _each(found.verdicts)
        },
        "required": list(demands.requirements.words()),
        "unmet": list(found.judgement.unmet),
    }


def verdict_lines(found: Verified, only: str = "") -> Iterator[str]:
    """Yield a line for each verdict, or for one of them."""
    for name, verdict in _each(found.verdicts):
        if only in {"", name}:
            colour = "red" if verdict.value in _RED else "green" if verdict.value in _GREEN else ""
            words = paint(verdict.value, colour) if colour else verdict.value
            if any(each.code == "not-checked" for each in verdict.findings):
                words = "not checked"
            more = [state for state in verdict.states if state != verdict.value]
            yield f"{name:<13} {words}" + (f" (also {', '.join(more)})" if more else "")


def unmet_lines(found: Verified) -> Iterator[str]:
    """Yield what the verdicts other than integrity rest on, and what is required and not so."""
    for name, verdict in _each(found.verdicts):
        if name != "integrity":
            for each in verdict.findings:
                yield finding_line(each)
    if found.judgement.unmet:
        yield f"required      not so: {', '.join(found.judgement.unmet)}"


def finding_line(finding: Finding) -> str:
    """Return a finding as a line."""
    where = "" if finding.seq is None else f" at event {finding.seq}"
    return f"finding       {finding.code}{where}: {inert(finding.message, 300)}"


class _Any(msgspec.Struct, frozen=True):
    """A verdict of whichever values."""

    value: str
    states: tuple[str, ...]
    findings: tuple[Finding, ...]


def _each(verdicts: Verdicts) -> Iterator[tuple[str, _Any]]:
    for name in ("integrity", "completeness", "authenticity", "anchoring"):
        verdict = getattr(verdicts, name)
        yield name, _Any(verdict.value, verdict.states, verdict.findings)
