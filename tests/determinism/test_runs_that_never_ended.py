"""Five processes start a run; one lives to its seal. The workspace names the other four."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from replay.log.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = textwrap.dedent(
    """
    import asyncio, os, signal, sys
    from replay.session.record import record_program

    async def main():
        await asyncio.sleep(0)
        print("under way", flush=True)
        await asyncio.sleep(0.05)
        if sys.argv[1] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)

    recording = record_program(
        lambda: asyncio.run(main()), entry="t", workspace=sys.argv[2], dialects=()
    )
    print(recording.run_id)
    """
)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_five_starts_and_one_seal_four_are_named(tmp_path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, how, str(tmp_path / "ws")],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for how in ("killed", "killed", "sealed", "killed", "killed")
    ]
    ended = [process.communicate(timeout=50)[0] for process in started]

    assert [process.returncode for process in started] == [-9, -9, 0, -9, -9]
    sealed = ended[2].split()[-1]
    checked = Workspace.open(tmp_path / "ws", create=False).verify()
    assert checked.integrity == "ok"
    assert len(checked.open_runs) == 4
    assert sealed not in {run.run for run in checked.open_runs}
