"""A stopped run goes on in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from replay.errors import NotFoundError
from replay.log.stored_run import StoredRun
from replay.log.workspace import Workspace
from replay.session.conditions import Conditions
from replay.session.launcher import checked_hash_seed, launch_task, program_of
from replay.session.messages import Task
from replay.session.record_start import first_record

if TYPE_CHECKING:
    from replay.session.launcher import LaunchedProgram
    from replay.session.resuming.report import Choices

__all__ = ["launch_resume"]


def launch_resume(
    run: str,
    workspace: Path,
    choices: Choices,
    *,
    directory: Path | None = None,
    output_to_stderr: bool = False,
    conditions: Conditions = Conditions(),  # noqa: B008 - it is frozen
) -> LaunchedProgram:
    """Let a stopped run go on in a child process, with the code on disk.

    Args:
        run: a run of the workspace.
        workspace: directory that holds the runs.
        choices: what becomes of effects in flight, and where secrets may go.
        directory: where the program is started; where it was, if not given.
        output_to_stderr: let the program's standard output go to standard error.
        conditions: what was decided about the program beforehand.

    Raises:
        NotFoundError: there is no such run, or its program is not there.
        ReplayError: it cannot go on.
    """
    home = Workspace.open(workspace, create=False)
    store = home.run_directory(run)
    reader = StoredRun.of(home, store)
    try:
        if not reader.size():
            raise NotFoundError("nothing of the run was recorded", hint="record it anew")
        started = first_record(reader)
    finally:
        reader.close()
    place = (directory or Path(started.directory)).absolute()
    if not place.is_dir():
        raise NotFoundError("there is no such directory", where=str(place), hint="--in DIR")
    hash_seed = checked_hash_seed(started)
    task = Task(
        action="resume",
        program=program_of(started, place),
        workspace=str(workspace.absolute()),
        run=store.name,
        choices=choices,
        conditions=conditions,
    )
    return launch_task(
        task,
        hash_seed=hash_seed,
        directory=place,
        output_to_stderr=output_to_stderr,
    )
