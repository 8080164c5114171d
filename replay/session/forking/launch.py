"""Forks in child processes: find the position, look what would go live, and do it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from replay.bundle.limits import BUNDLE_SUFFIX
from replay.errors import NotFoundError, UsageError
from replay.session.conditions import Conditions, open_admitted
from replay.session.exits import INTERRUPTED
from replay.session.forking.report import beginning_by
from replay.session.launcher import (
    Surroundings,
    checked_hash_seed,
    launch_replay,
    launch_task,
    program_of,
)
from replay.session.messages import Estimated, Replayed, Task
from replay.session.record_start import first_record

if TYPE_CHECKING:
    from replay.events.kinds import RunStarted
    from replay.session.forking.report import Beginning, Estimate, ForkChoices
    from replay.session.launcher import LaunchedProgram

__all__ = ["command_of", "find_beginning", "fork_directory", "launch_fork", "launch_look"]

_SILENT = Surroundings(silent=True)
_ANY = Conditions()


def find_beginning(
    run: str,
    workspace: Path,
    directory: Path,
    conditions: Conditions = _ANY,
) -> Beginning:
    """Return where the program leaves the record of a run, by a replay in a child process.

    Raises:
        NotFoundError: there is no such run, or its program is not there.
        UsageError: there is nothing to fork from, or the program's process ended without a word.
        ForkError: the run cannot be forked.
        IntegrityError: the record is damaged.
        KeyboardInterrupt: Ctrl-C ended the program's process.
    """
    launched = launch_replay(
        run, workspace, directory=directory, surroundings=_SILENT, conditions=conditions
    )
    if not isinstance(launched.answer, Replayed):
        raise _mute("replay", launched)
    with contextlib.closing(open_admitted(run, workspace, conditions)) as reader:
        return beginning_by(reader, launched.answer.report)


def launch_look(
    run: str,
    workspace: Path,
    directory: Path,
    choices: ForkChoices,
    conditions: Conditions = _ANY,
) -> Estimate:
    """Return what a fork would send at least; errors as :func:`find_beginning`."""
    launched = _launched(
        run, workspace, directory, choices, surroundings=_SILENT, conditions=conditions
    )
    if not isinstance(launched.answer, Estimated):
        raise _mute("fork", launched)
    return launched.answer.estimate


def launch_fork(
    run: str,
    workspace: Path,
    directory: Path,
    choices: ForkChoices,
    *,
    output_to_stderr: bool = False,
    conditions: Conditions = _ANY,
) -> LaunchedProgram:
    """Fork a run in a child process, with the code on disk; errors as :func:`find_beginning`."""
    return _launched(
        run,
        workspace,
        directory,
        choices,
        output_to_stderr=output_to_stderr,
        conditions=conditions,
    )


def fork_directory(run: str, workspace: Path, directory: Path | None) -> Path:
    """Return where the program of a run is started: where it was, if nobody says otherwise.

    Raises:
        NotFoundError: there is no such run, or no such directory.
    """
    place = (directory or Path(_started(run, workspace).directory)).absolute()
    if not place.is_dir():
        raise NotFoundError("there is no such directory", where=str(place), hint="--in DIR")
    return place


def command_of(run: str, workspace: Path) -> str:
    """Return what a run names as its command, as text for people."""
    started = _started(run, workspace)
    return " ".join(started.arguments) if started.entry == "command" else started.entry


def _launched(
    run: str,
    workspace: Path,
    directory: Path,
    choices: ForkChoices,
    *,
    output_to_stderr: bool = False,
    surroundings: Surroundings | None = None,
    conditions: Conditions = _ANY,
) -> LaunchedProgram:
    started = _started(run, workspace, conditions)
    task = Task(
        action="fork",
        program=program_of(started, directory),
        workspace=str(workspace.absolute()),
        run=str(Path(run).absolute()) if Path(run).suffix == BUNDLE_SUFFIX else run,
        fork=choices,
        conditions=conditions,
    )
    return launch_task(
        task,
        hash_seed=checked_hash_seed(started),
        directory=directory,
        output_to_stderr=output_to_stderr,
        surroundings=surroundings or Surroundings(),
    )


def _started(run: str, workspace: Path, conditions: Conditions = _ANY) -> RunStarted:
    with contextlib.closing(open_admitted(run, workspace, conditions)) as reader:
        if not reader.size():
            raise NotFoundError("nothing of the run was recorded", hint="record it anew")
        started = first_record(reader)
    if started.observed:
        raise UsageError(
            "the run was observed by another tool, and has no program to run", where=run
        )
    return started


def _mute(what: str, launched: LaunchedProgram) -> UsageError:
    """Return what to say of a process without an answer; Ctrl-C ends this one as well."""
    if launched.exit_code == INTERRUPTED:
        raise KeyboardInterrupt
    return UsageError(f"the program's process ended during the {what}, without a word")
