"""A verifier loads no engine: neither database, nor provider, nor network, nor what signs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
#: What none of these may bring along.
HEAVY = ("anthropic", "asyncio", "duckdb", "httpx", "httpx2", "rfc3161_client", "sigstore", "ssl")

PROGRAM = """\
import json, sys
{what}
print("loaded", json.dumps(sorted(set({heavy!r}) & set(sys.modules))))
"""


def loaded(what, *, heavy=HEAVY, cwd=ROOT):
    """Return which of the heavy modules a fresh process has after a piece of program."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(what=what, heavy=heavy)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
        env={"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(cwd / "state")},
    )
    return json.loads(done.stdout.rpartition("loaded ")[2])


@pytest.mark.parametrize("room", ["checkpoints", "anchors", "verdicts", "admission", "statements"])
def test_a_room_of_evidence_loads_nothing_heavy(room):
    assert loaded(f"import attestations.{room}", heavy=(*HEAVY, "cryptography")) == []


def test_the_command_verifies_a_bundle_without_any_of_it(tmp_path):
    bundle = ROOT / "bundles" / "good" / "review.ritornello"
    what = (
        "from orchestrator.cli.verify import main\n"
        f"try: main([{str(bundle)!r}])\n"
        "except SystemExit as end: assert end.code == 0, end.code"
    )

    assert loaded(what, cwd=tmp_path) == []


def test_the_probe_sees_what_is_loaded():
    assert loaded("import duckdb", heavy=("duckdb",)) == ["duckdb"]
