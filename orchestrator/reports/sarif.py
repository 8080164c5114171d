"""Outcomes as SARIF 2.1.0, for code scanning: a result for each replay that did not pass.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/. Paths are relative to the root
of the checkout. With nothing to report the list of results is there and empty, which closes alerts.
Code scanning refuses the whole file if one result has no place ("expected at least one location"),
so what has none below the root has what was replayed for its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote, urlunsplit

import msgspec

from orchestrator.reports.outcome import (
    Finding,
    Location,
    Outcome,
    details,
    finding_of,
    headline,
    location_of,
)
from orchestrator.reports.spelling import spelled

__all__ = ["sarif_log"]

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LINE_MAX: Final = 500
_LINES_MAX: Final = 40

_RULES: Final[dict[Finding, str]] = {
    "diverged": "The program does something else than was recorded.",
    "damaged": "The record is not what was written.",
    "erased": "An input that the program needs was erased.",
    "refused": "The program tried to reach outside during a replay.",
    "incomplete": "The record cannot be judged here.",
    "error": "The replay did not come to a verdict.",
}


def sarif_log(outcomes: Sequence[Outcome], *, root: str, version: str, here: str = "") -> bytes:
    """Return outcomes as a SARIF log with one run, UTF-8 JSON.

    Args:
        outcomes: in the order in which they are to be listed.
        root: absolute path of the checkout, to which files are relative.
        version: of the engine that replayed.
        here: absolute path to which relative ones are relative; the root, if not given.
    """
    ids = list(_RULES)
    driver = {
        "name": "ritornello",
        "version": version,
        "rules": [
            {
                "id": f"replay/{name}",
                "name": f"Replay{name.capitalize()}",
                "shortDescription": {"text": text},
                "defaultConfiguration": {"level": "error"},
            }
            for name, text in _RULES.items()
        ],
    }
    found = [(outcome, finding_of(outcome)) for outcome in outcomes]
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {"executionSuccessful": all(finding != "error" for _, finding in found)}
                ],
                "results": [
                    _result(outcome, finding, ids.index(finding), _place(outcome, root, here))
                    for outcome, finding in found
                    if finding is not None
                ],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(log), indent=2) + b"\n"


def _result(
    outcome: Outcome, finding: Finding, rule: int, place: dict[str, object]
) -> dict[str, object]:
    lines = [f"{outcome.subject}: {headline(outcome)}", *details(outcome)]
    text = "\n".join(_message(line) for line in lines[:_LINES_MAX])
    result: dict[str, object] = {
        "ruleId": f"replay/{finding}",
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": text},
        "partialFingerprints": {"ritornelloReplay/v1": _fingerprint(outcome, finding)},
        "locations": [{"physicalLocation": place}],
    }
    report = outcome.report
    if report is not None:
        result["properties"] = {
            "run": spelled(report.run, _LINE_MAX),
            "verdict": report.verdict,
            "event": None if report.divergence is None else report.divergence.seq,
            "rootRecorded": report.root_recorded,
            "rootReplayed": report.root_replayed,
            "liveEffects": report.live_effects,
            **_explained(outcome),
        }
    return result


def _place(outcome: Outcome, root: str, here: str) -> dict[str, object]:
    location = location_of(outcome, root, here)
    if location is None:
        subject = outcome.subject
        if "/" in subject:  # a file elsewhere
            path = "/" + str(PurePosixPath("/", here or root, subject)).lstrip("/")
            return _physical({"uri": urlunsplit(("file", "", _quoted(path), "", ""))}, 1)
        location = Location(file=subject or "-")
    uri = {"uri": _quoted(location.file), "uriBaseId": "%SRCROOT%"}
    return _physical(uri, location.line or 1)


def _physical(artifact: dict[str, str], line: int) -> dict[str, object]:
    return {"artifactLocation": artifact, "region": {"startLine": line}}


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "surrogatepass"), safe="/")


def _explained(outcome: Outcome) -> dict[str, object]:
    told = outcome.explanation
    if told is None:
        return {}
    fed = [
        {
            "event": each.event,
            "kind": each.kind,
            "what": spelled(each.what, _LINE_MAX),
            "path": spelled(each.path, _LINE_MAX),
            "offset": each.offset,
            "excerpt": spelled(each.excerpt, _LINE_MAX),
            "field": spelled(each.field, _LINE_MAX),
            "side": each.side,
        }
        for each in told.fed_by
    ]
    return {
        "tags": [told.sort],
        "class": told.sort,
        "basis": told.basis,
        "reason": spelled(told.reason, _LINE_MAX),
        "fedBy": fed,
    }


def _message(line: str) -> str:
    """Return text of a message: square brackets would make a link of it (3.11.6)."""
    text = spelled(line, _LINE_MAX)
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _fingerprint(outcome: Outcome, finding: Finding) -> str:
    """Return what two reports of one difference share, whatever line the code is on by now."""
    divergence = None if outcome.report is None else outcome.report.divergence
    named = [outcome.subject, finding]
    if divergence is not None:
        kinds = (divergence.recorded_kind, divergence.replayed_kind)
        named += [divergence.category, *(kind or "" for kind in kinds), divergence.task]
        named += [change.path for change in divergence.fields[:1]]
    return sha256(msgspec.json.encode([spelled(each) for each in named])).hexdigest()
