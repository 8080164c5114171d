"""A run that comes in from a file: the workspace has all of it or nothing."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.cli.gate.admission import Admission
from replay.errors import UsageError
from replay.log.head import read_head
from replay.log.workspace import Workspace

__all__ = ["incoming"]


@contextlib.contextmanager
def incoming(
    place: Workspace, run: str, size: int, root: bytes, identity: str, admission: Admission
) -> Iterator[Path]:
    """Enter a run and give the directory that is to be filled; the head is written last.

    Whatever ends the filling early, Ctrl-C and a full disk too, takes the directory with it: what
    stands in the way of the next import would be a run without its records.

    Args:
        place: the workspace.
        run: id of the run.
        size: how many records it has.
        root: of their tree.
        identity: of the file that it comes from, hex.
        admission: what was decided about it.

    Raises:
        UsageError: the run is there already, or a piece of it.
        LogError: the disk refuses.
    """
    _refuse_piece(place, run)
    directory = place.imported(run, size, root, identity, time.time_ns() // 1000)
    try:
        place.admitted(run, "import", admission.kept(), time.time_ns() // 1000)
        yield directory
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _refuse_piece(place: Workspace, run: str) -> None:
    """Refuse what an import left that was killed; a recorded run is never taken for one."""
    directory = place.path / "runs" / run
    if not directory.is_dir() or read_head(directory) is not None:
        return
    if any(each.run == run and each.state == "imported" for each in place.runs()):
        raise UsageError(
            "an import of this run goes on now, or was cut off",
            where=str(directory),
            hint="if none goes on, remove this directory and import the run again",
        )
