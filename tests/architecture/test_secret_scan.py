"""The secret scan is quiet on this tree and red on a planted key of each kind."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.secret_scan import PATTERNS, scan, scan_text

ROOT = Path(__file__).parents[2]
LETTERS = "a1B2c3D4e5F6g7H8i9J0" * 4

# Spelled in halves: the scan reads this file too.
PLANTED = {
    "Anthropic key": "sk-a" + f"nt-api03-{LETTERS}",
    "OpenAI key": "sk-p" + f"roj-{LETTERS}",
    "Google API key": "AI" + f"za{LETTERS[:35]}",
    "Google OAuth secret": "GOC" + f"SPX-{LETTERS[:28]}",
    "AWS access key id": "AK" + "IA2E4G6I8K0M2O4Q6S",
    "AWS secret key": f"aws_secret_access_key = {LETTERS[:40]}",
    "GitHub token": "gh" + f"p_{LETTERS[:36]}",
    "GitHub fine-grained token": "github" + f"_pat_{LETTERS[:70]}",
    "GitLab token": "gl" + f"pat-{LETTERS[:20]}",
    "Slack token": "xo" + f"xb-{LETTERS[:30]}",
    "Stripe key": "sk_" + f"live_{LETTERS[:24]}",
    "Hugging Face token": "hf" + "_" + "abCD" * 9,
    "npm token": "np" + f"m_{LETTERS[:36]}",
    "package index token": "py" + f"pi-AgEIcHlwaS5vcmc{LETTERS[:50]}",
    "private key": "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "age secret key": "AGE-SECRET" + "-KEY-1" + "QPZRY9X8GF" * 6,
    "JSON web token": "ey" + f"J{LETTERS[:20]}.ey" + f"J{LETTERS[:20]}.{LETTERS[:30]}",
    "password in an address": "postgres://user:" + "hunter2hunter@db.invalid/x",
    "assigned credential": "api_" + f"key = '{LETTERS[:40]}'",
}


def test_no_file_of_the_repository_holds_a_credential():
    assert scan(ROOT) == []


def test_every_pattern_is_tried():
    assert sorted(PLANTED) == sorted(PATTERNS)


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_planted_credential_is_found_and_not_printed(name):
    findings = scan_text("x.txt", f"first\nvalue: {PLANTED[name]} and more\n")

    assert f"x.txt:2: looks like: {name}" in [str(finding) for finding in findings]
    assert all(LETTERS[:20] not in str(finding) for finding in findings)


@pytest.mark.parametrize(
    "text",
    [
        "ANTHROPIC_API_KEY=",
        "api_key = 'not-a-key'",
        "sha256:" + "0123456789abcdef" * 4,
        "https://user@example.invalid/path:with@signs",
        "http://127.0.0.1:8080/@x",
        "token = os.environ['A_TOKEN']",
    ],
)
def test_ordinary_text_is_not_found(text):
    assert scan_text("x.txt", text) == []


def test_a_line_that_names_its_reason_is_allowed():
    line = f"{PLANTED['AWS access key id']}  # secret-scan: allow, made up for a test"

    assert scan_text("x.txt", line) == []
    assert len(scan_text("x.txt", line.replace("allow", ""))) == 1


@pytest.mark.parametrize(("text", "expected"), [(PLANTED["GitHub token"], 1), ("nothing", 0)])
def test_the_command_turns_red_on_a_tracked_file(tmp_path, text, expected):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "notes.bin").write_bytes(b"\0\xff" + text.encode())

    done = subprocess.run(
        [sys.executable, "-m", "tools.secret_scan"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == expected
    assert text not in done.stdout + done.stderr or text == "nothing"
