"""A blocking client inside a run is refused by name, live and in replay alike."""

import pytest

from orchestrator.testing import ScriptedProvider
from tests.http.driver import LIBRARIES, PROGRAMS, record, replay
from tests.http.scenes import fake_key

#: Processes of a loaded machine; alone they take a few seconds.
pytestmark = pytest.mark.timeout(180)


def test_blocking_clients_are_refused_and_the_refusal_replays(tmp_path):
    program = PROGRAMS / "blocking.py"
    with ScriptedProvider(mode="wild") as provider:
        variables = {"BASE_URL": provider.base_url, "ANTHROPIC_API_KEY": fake_key()}
        recorded = record(program, tmp_path, variables=variables, preload=LIBRARIES)
        arrived = provider.requests
    replayed = replay(program, recorded, preload=LIBRARIES)
    lines = recorded.stdout.decode().splitlines()

    assert arrived == ()
    assert len(lines) == 3
    assert lines[0].startswith("UsageError: synchronous httpx client used inside a run")
    assert lines[1].startswith("UsageError: synchronous httpx2 client used inside a run")
    assert "UsageError: synchronous httpx2 client used inside a run" in lines[2]
    assert "pass-word" not in recorded.stdout.decode()
    assert "not-for-the-log" not in recorded.stdout.decode()
    assert replayed.verdict == "identical", replayed.report
    assert replayed.stdout == recorded.stdout
