"""Whose run it is: what came from elsewhere does not decide alone which command runs here."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orchestrator.cli.gate.elsewhere import is_from_elsewhere
from replay.errors import HermeticError, UsageError
from replay.events.kinds import RunStarted
from replay.session.command_line import Command
from replay.session.launcher import program_of

__all__ = ["refuse_foreign_command"]

#: How the entry of a test begins that `orchestrator.testing.recordings.plugin` recorded.
_TEST: Final = "pytest "
_HARMLESS: Final = frozenset({"-Xdev", "-Xutf8"})


def refuse_foreign_command(
    run: str, workspace: Path, directory: Path, *, allowed: bool
) -> Callable[[RunStarted], None]:
    """Return what refuses a foreign run's start, unless that is a file under the directory.

    The code is that on disk either way, but a hostile bundle could name any program of this
    machine, with any arguments, or bring code in the argument list itself. What is looked at is
    what is then started: the file may be exchanged in between.

    Args:
        run: as it was named.
        workspace: directory of the runs.
        directory: where the program is to start.
        allowed: whether anything may be started.

    Returns:
        What raises HermeticError if something else would be started, and UsageError for a test,
        which another command runs.

    Raises:
        NotFoundError: there is no such run.
    """
    if allowed or not is_from_elsewhere(run, workspace):
        return lambda _: None
    return lambda started: _refuse(started, run, directory)


def _refuse(started: RunStarted, run: str, directory: Path) -> None:
    if started.entry.startswith(_TEST):
        node = shlex.quote(started.entry.removeprefix(_TEST)[:200])
        raise UsageError(
            "the run is a test, which pytest replays",
            where=run,
            hint=f"pytest --ritornello=none {node}",
        )
    file = _file_of(started, directory)
    inside = directory.resolve()
    if file is None or not (inside / file).resolve().is_relative_to(inside):
        raise HermeticError(
            "the run comes from elsewhere, and its command is no file under this directory",
            where=" ".join(started.arguments)[:200] or started.entry[:200],
            hint="read it, and if it may run here add --allow-command",
        )


def _file_of(started: RunStarted, directory: Path) -> str | None:
    try:
        program = program_of(started, directory)
    except UsageError:
        return None
    if isinstance(program, Command):
        # -X and -W can write files and import modules.
        plain = all(len(flag) == 2 or flag in _HARMLESS for flag in program.flags)
        plain = plain and not program.prefix  # uv would fetch and build what its options name
        return program.target if program.form == "script" and plain else None
    return program.file
