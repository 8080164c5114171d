"""Looks for credentials in every file that a commit would hold.

Patterns have a fixed public prefix or an unmistakable shape, so that a hit is nearly always real.
A planted example says so on its own line with the words `secret-scan: allow` and the reason; there
is no list of excused files. Found values are never printed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tools.source_tree import Finding, tracked_files

__all__ = ["PATTERNS", "scan", "scan_text"]

PATTERNS: dict[str, re.Pattern[str]] = {
    # ASCII, so that a byte of a binary file before a key is no letter of a word.
    name: re.compile(pattern, re.ASCII)
    for name, pattern in {
        "Anthropic key": r"\bsk-ant-[A-Za-z0-9_-]{20,}",
        "OpenAI key": r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}",
        "Google API key": r"\bAIza[0-9A-Za-z_-]{35}",
        "Google OAuth secret": r"\bGOCSPX-[0-9A-Za-z_-]{28}",
        "AWS access key id": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        "AWS secret key": r"(?i)aws_secret_access_key\W{1,5}[0-9a-z/+]{40}\b",
        "GitHub token": r"\bgh[pousr]_[0-9A-Za-z]{36,}",
        "GitHub fine-grained token": r"\bgithub_pat_[0-9A-Za-z_]{60,}",
        "GitLab token": r"\bglpat-[0-9A-Za-z_-]{20,}",
        "Slack token": r"\bxox[abposr]-[0-9A-Za-z-]{20,}",
        "Stripe key": r"\b[rs]k_live_[0-9A-Za-z]{20,}",
        "Hugging Face token": r"\bhf_[A-Za-z]{34,}",
        "npm token": r"\bnpm_[0-9A-Za-z]{36}\b",
        "package index token": r"\bpypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{40,}",
        "private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----",
        "age secret key": r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}",
        "JSON web token": r"\beyJ[0-9A-Za-z_-]{15,}\.eyJ[0-9A-Za-z_-]{15,}\.[0-9A-Za-z_-]{20,}",
        "password in an address": r"\b[a-z][a-z0-9+.-]*://[^/\s:@\"'<>{}]+:[^/\s:@\"'<>{}$]{6,}@",
        "assigned credential": (
            r"(?i)\b[a-z_]*(?:api_?key|secret|token|passwd|password)\s*[:=]\s*"
            r"[\"'](?=[^\"']*[0-9])(?=[^\"']*[a-z])[0-9a-z+/=_-]{32,}[\"']"
        ),
    }.items()
}
_ALLOW = "secret-scan: allow"


def scan(root: Path) -> list[Finding]:
    """The findings of every file of a commit, text or not; values left out."""
    findings: list[Finding] = []
    for path in tracked_files(root):
        # Latin-1 takes every byte, so that a key inside a binary file is seen too.
        findings.extend(scan_text(path, (root / path).read_bytes().decode("latin-1")))
    return findings


def scan_text(path: str, text: str) -> list[Finding]:
    """The findings of one file's text, line by line."""
    findings: list[Finding] = []
    # Only "\n": other line ends occur inside binary files and would shift the numbers.
    for number, line in enumerate(text.split("\n"), start=1):
        for name, pattern in PATTERNS.items():
            if pattern.search(line) and _ALLOW not in line:
                findings.append(Finding(path, number, f"looks like: {name}"))
    return findings


def main() -> int:
    """Scans this repository."""
    findings = scan(Path.cwd())
    for finding in findings:
        print(finding, file=sys.stderr)
    print(f"secrets: {len(findings)} findings")
    if findings:
        print(
            "Take the value out, revoke it, and rewrite the commit that holds it.", file=sys.stderr
        )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
