"""Outcomes as JUnit XML, in the form that Jenkins' `junit-10.xsd` takes and every CI reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from orchestrator.reports.outcome import Outcome, class_of, details, finding_of, headline
from orchestrator.reports.spelling import spelled

__all__ = ["junit_xml"]

_LINE_MAX: Final = 1000
#: What could not be judged is an error; the others are answers, and the answer is no.
_ERRORS: Final = frozenset({"incomplete", "error"})


def junit_xml(outcomes: Sequence[Outcome], *, suite: str = "ritornello replay") -> bytes:
    """Return outcomes as one JUnit test suite with a test case each, UTF-8.

    A replay that could not be judged is an error and never skipped: skipped counts as passed. The
    type of a failure is the verdict, of a divergence with its class: ``diverged.prompt``.

    Args:
        outcomes: in the order in which they are to be listed.
        suite: name of the test suite.
    """
    found = [finding_of(outcome) for outcome in outcomes]
    counts = {
        "tests": str(len(outcomes)),
        "failures": str(sum(each is not None and each not in _ERRORS for each in found)),
        "errors": str(sum(each in _ERRORS for each in found)),
        "time": _seconds(sum(outcome.duration_s for outcome in outcomes)),
    }
    root = Element("testsuites", {"name": _text(suite), **counts})
    cases = SubElement(root, "testsuite", {"name": _text(suite), "skipped": "0", **counts})
    for outcome, finding in zip(outcomes, found, strict=True):
        case = SubElement(
            cases,
            "testcase",
            {
                "classname": "ritornello.replay",
                "name": _text(outcome.subject),
                "time": _seconds(outcome.duration_s),
            },
        )
        lines = [_text(line) for line in details(outcome)]
        if finding is not None:
            tag = "error" if finding in _ERRORS else "failure"
            sort = class_of(outcome)
            kind = finding if sort is None else f"{finding}.{sort.replace(' ', '-')}"
            attributes = {"type": kind, "message": _text(headline(outcome))}
            SubElement(case, tag, attributes).text = "\n".join([attributes["message"], *lines])
        elif lines:
            SubElement(case, "system-out").text = "\n".join(lines)
    indent(root)
    data: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return data + b"\n"


def _text(text: str) -> str:
    """Return text that XML 1.0 can hold, on one line; the writer escapes what it must."""
    return spelled(text, _LINE_MAX)


def _seconds(duration_s: float) -> str:
    return f"{min(max(duration_s, 0.0), 999_999.0):.3f}"
