"""The scripted provider as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

import httpx2
import pytest

from orchestrator.testing.provider import main


def test_the_command_prints_its_url_answers_and_ends_when_it_is_terminated():
    command = [sys.executable, "-m", "orchestrator.testing.provider", "--mode", "wild"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        url = process.stdout.readline().strip()
        answer = httpx2.get(url + "/health")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)

    assert answer.json() == {"status": "ok"}
    assert process.returncode == 0
    assert errors == ""


def test_a_port_that_there_is_not_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--port", "70000"])

    assert ended.value.code == 2
    assert "there is no port 70000" in capsys.readouterr().err
