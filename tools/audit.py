"""Audits pinned dependencies against known vulnerabilities: first offline, then by pip-audit.

usage: python -m tools.audit [--require-service] REQUIREMENTS...

The offline list is tools/advisories.toml and always decides. The advisory service may be out of
reach; then the audit says `not audited` aloud and passes, unless --require-service is given (for
releases). A finding is never turned into a pass.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.specifiers import SpecifierSet

from tools.pins import Pin, read_pins

__all__ = ["ServiceAnswer", "audit_offline", "read_service_report"]

_SECONDS_MAX = 240


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What the service said: findings, pins that it skipped, and whether it was reached at all."""

    reached: bool
    findings: tuple[str, ...]
    skipped: tuple[str, ...]


def audit_offline(pins: dict[str, Pin], advisories: Path) -> list[str]:
    """Pins that the offline list calls vulnerable.

    Raises:
        ValueError: an entry of the list lacks a field.
    """
    document = tomllib.loads(advisories.read_text(encoding="utf-8"))
    findings: list[str] = []
    for entry in document.get("advisory", []):
        missing = {"id", "name", "affected", "summary"} - set(entry)
        if missing:
            raise ValueError(f"{advisories.name}: an advisory lacks {sorted(missing)}")
        pin = pins.get(entry["name"])
        if pin and SpecifierSet(entry["affected"]).contains(pin.version, prereleases=True):
            findings.append(f"{pin.name}=={pin.version}: {entry['id']}: {entry['summary']}")
    return findings


def read_service_report(text: str) -> ServiceAnswer:
    """Reads pip-audit's JSON. Anything that is not such a report counts as not reached."""
    try:
        dependencies = json.loads(text)["dependencies"]
        skipped = tuple(
            f"{item['name']}: {item['skip_reason']}"
            for item in dependencies
            if "skip_reason" in item
        )
        findings = tuple(
            f"{item['name']}=={item['version']}: {found['id']}"
            for item in dependencies
            for found in item.get("vulns", [])
        )
    except (ValueError, KeyError, TypeError):
        return ServiceAnswer(reached=False, findings=(), skipped=())
    # A service that knows none of the pins is no service (a mirror without advisories).
    reached = len(skipped) < len(dependencies)
    return ServiceAnswer(reached=reached, findings=findings, skipped=skipped)


def _ask_service(pins: dict[str, Pin]) -> ServiceAnswer:
    """Asks about one pin first, and about the others only where that was answered."""
    first = dict(list(pins.items())[:1])
    answer = _run_pip_audit(first)
    return _run_pip_audit(pins) if answer.reached else answer


def _run_pip_audit(pins: dict[str, Pin]) -> ServiceAnswer:
    """Runs pip-audit on the pins; its exit code alone cannot tell a finding from a failure."""
    with TemporaryDirectory() as directory:
        requirements = Path(directory) / "requirements.txt"
        lines = [f"{pin.name}=={pin.version}\n" for pin in pins.values()]
        requirements.write_text("".join(lines), encoding="utf-8")
        report = Path(directory) / "report.json"
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps"]
        command += ["--progress-spinner", "off", "--timeout", "15"]
        command += ["--format", "json", "--output", str(report)]
        command += ["--requirement", str(requirements)]
        try:
            subprocess.run(command, capture_output=True, timeout=_SECONDS_MAX, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ServiceAnswer(reached=False, findings=(), skipped=())
        if not report.exists():
            return ServiceAnswer(reached=False, findings=(), skipped=())
        return read_service_report(report.read_text(encoding="utf-8"))


def main() -> int:
    """Audits the files named on the command line."""
    arguments = sys.argv[1:]
    required = "--require-service" in arguments
    files = [argument for argument in arguments if argument != "--require-service"]
    pins = {name: pin for file in files for name, pin in read_pins(Path(file)).items()}
    findings = audit_offline(pins, Path(__file__).with_name("advisories.toml"))
    answer = _ask_service(pins)
    for finding in [*findings, *answer.findings]:
        print(f"vulnerable: {finding}", file=sys.stderr)
    if answer.reached:
        for skipped in answer.skipped:
            print(f"audit: NOT AUDITED {skipped}", file=sys.stderr)
    else:
        print("audit: the advisory service is not reachable: NOT AUDITED", file=sys.stderr)
        print("audit: only tools/advisories.toml was consulted", file=sys.stderr)
    reached = "service reached" if answer.reached else "service NOT reached"
    count = len(findings) + len(answer.findings)
    print(f"audit: {len(pins)} pins, {count} findings, {reached}")
    return 1 if count or (required and not answer.reached) else 0


if __name__ == "__main__":
    sys.exit(main())
