"""The pins can be installed by others, stay small, and turn red when one is known as vulnerable."""

import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import audit
from tools.check_lock import check_lock
from tools.pins import Pin, read_pins

ROOT = Path(__file__).parents[2]
HASH = "--hash=sha256:" + "0" * 64


def test_the_requirements_are_hashed_complete_and_name_no_place():
    runtime, development = ROOT / "requirements.txt", ROOT / "requirements-dev.txt"

    assert check_lock(ROOT / "pyproject.toml", runtime, development) == []


def closure(requirements):
    """Names of the distributions that some requirements bring, here and without extras."""
    found, ahead = set(), [Requirement(text) for text in requirements]
    while ahead:
        requirement = ahead.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = canonicalize_name(requirement.name)
        if name not in found:
            found.add(name)
            ahead += [Requirement(text) for text in metadata.requires(name) or ()]
    return found


def test_the_core_is_at_most_35_distributions():
    """The backend that builds the wheel stands in requirements.txt too, and is not installed
    by who installs the wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    core = closure(project["project"]["dependencies"])
    building = closure(project["dependency-groups"]["build"]) - core
    every = read_pins(ROOT / "requirements.txt").values()
    pins = [pin for pin in every if canonicalize_name(pin.name) not in building]
    assert "hatchling" in building
    for platform in ("linux", "darwin"):
        for python in ("3.11", "3.12", "3.13"):
            there = {"sys_platform": platform, "python_full_version": f"{python}.0"}
            installed = [p for p in pins if not p.marker or Marker(p.marker).evaluate(there)]

            assert len(installed) <= 35, (platform, python, len(installed))


def test_the_core_is_at_most_140_megabytes():
    """Counts the files of the installed distributions; what is not installed is named."""
    size_bytes = 0
    missing = []
    for pin in read_pins(ROOT / "requirements.txt").values():
        if pin.marker and not Marker(pin.marker).evaluate():
            continue
        try:
            files = metadata.distribution(pin.name).files or []
        except metadata.PackageNotFoundError:
            missing.append(pin.name)
            continue
        places = [Path(str(file.locate())) for file in files if file.suffix != ".pyc"]
        size_bytes += sum(place.stat().st_size for place in places if place.exists())

    assert missing == []
    assert size_bytes <= 140_000_000


@pytest.mark.parametrize(
    "line",
    [
        "x>=1",
        "x==1",
        f"--index-url https://example.invalid\nx==1 {HASH}",
        f"--find-links ./wheels\nx==1 {HASH}",
        f"x @ https://example.invalid/x.whl {HASH}",
        "./x.whl",
        f"x==1 {HASH}\nX==2 {HASH}",
        "",
    ],
)
def test_a_line_that_is_not_a_hashed_pin_is_refused(tmp_path, line):
    file = tmp_path / "requirements.txt"
    file.write_text(line + "\n")

    with pytest.raises(ValueError, match=r"requirements\.txt"):
        read_pins(file)


def test_a_development_set_that_disagrees_is_refused(tmp_path):
    other = tmp_path / "requirements-dev.txt"
    text = (ROOT / "requirements-dev.txt").read_text()
    other.write_text(text.replace("\nblake3==", "\nblake3==9"))

    problems = check_lock(ROOT / "pyproject.toml", ROOT / "requirements.txt", other)

    assert ["blake3" in problem for problem in problems] == [True]


def test_a_dependency_without_a_pin_is_refused(tmp_path):
    project = tmp_path / "pyproject.toml"
    text = (ROOT / "pyproject.toml").read_text()
    project.write_text(text.replace("dependencies = [\n", 'dependencies = [\n  "unpinned",\n', 1))

    problems = check_lock(project, ROOT / "requirements.txt", ROOT / "requirements-dev.txt")

    assert problems == ["requirements.txt does not pin unpinned: run `make lock`"]


ADVISORY = '[[advisory]]\nid = "X-1"\nname = "h11"\naffected = "<2"\nsummary = "s"\n'


@pytest.mark.parametrize(("version", "expected"), [("1.9", 1), ("2.0", 0)])
def test_a_vulnerable_pin_is_found_offline(tmp_path, version, expected):
    (tmp_path / "advisories.toml").write_text(ADVISORY)
    pins = {"h11": Pin("h11", version, "", ())}

    assert len(audit.audit_offline(pins, tmp_path / "advisories.toml")) == expected


def test_an_advisory_that_lacks_a_field_is_an_error(tmp_path):
    (tmp_path / "advisories.toml").write_text('[[advisory]]\nid = "X-1"\n')

    with pytest.raises(ValueError, match="lacks"):
        audit.audit_offline({}, tmp_path / "advisories.toml")


FOUND = '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "X-1"}]}]}'
CLEAN = '{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}'
UNKNOWN = '{"dependencies": [{"name": "a", "skip_reason": "unknown"}]}'


@pytest.mark.parametrize(
    ("report", "reached", "findings"),
    [(FOUND, True, 1), (CLEAN, True, 0), (UNKNOWN, False, 0), ("", False, 0), ("[]", False, 0)],
)
def test_only_a_real_report_counts_as_an_audit(report, reached, findings):
    answer = audit.read_service_report(report)

    assert (answer.reached, len(answer.findings)) == (reached, findings)


@pytest.mark.parametrize(
    ("report", "arguments", "code", "said"),
    [
        (FOUND, [], 1, "vulnerable: a==1: X-1"),
        (CLEAN, [], 0, "service reached"),
        ("", [], 0, "not reachable: NOT AUDITED"),
        ("", ["--require-service"], 1, "not reachable: NOT AUDITED"),
    ],
)
def test_the_command_is_red_on_a_finding_and_loud_without_a_service(
    monkeypatch, capsys, report, arguments, code, said
):
    """The service's answer is given here: no test asks another machine."""
    monkeypatch.setattr(audit, "_run_pip_audit", lambda _: audit.read_service_report(report))
    file = str(ROOT / "requirements.txt")
    monkeypatch.setattr(sys, "argv", ["audit", *arguments, file])

    assert audit.main() == code
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_the_command_is_red_when_a_pin_is_on_the_offline_list(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(audit, "_run_pip_audit", lambda _: audit.read_service_report(CLEAN))
    pinned = tmp_path / "requirements.txt"
    pinned.write_text(f"h11==0.14.0 {HASH}\n")
    monkeypatch.setattr(sys, "argv", ["audit", str(pinned)])

    assert audit.main() == 1
    assert "vulnerable: h11==0.14.0: CVE-2025-43859" in capsys.readouterr().err
