"""What Python would run of a program's directory before any file of it is compared.

The one invariant: bytecode from a place of its own is taken for a library's file as well, and a
module of the engine's or the library's is looked for in `PYTHONPATH` first, both before the child
knows which files may run. So neither may lead where whoever has the project, or made the record,
writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay.errors import UsageError
from replay.session.command_line import Command

if TYPE_CHECKING:
    from replay.session.conditions import Conditions
    from replay.session.messages import Call

__all__ = ["refuse_early_code"]

_PREFIX_OPTION: Final = "-Xpycache_prefix="
_PREFIX_VARIABLE: Final = "PYTHONPYCACHEPREFIX"
_PATH_VARIABLE: Final = "PYTHONPATH"


def refuse_early_code(program: Command | Call, directory: Path, conditions: Conditions) -> None:
    """Refuse a start that takes modules or bytecode from the program's directory unasked.

    Args:
        program: what is to be started; its options may come from a hostile record.
        directory: where it starts.
        conditions: what was decided; where any code may run, nothing is refused.

    Raises:
        UsageError: an option or a variable leads there.
    """
    if not conditions.asks_about_code:
        return
    if isinstance(program, Command):
        for flag in program.flags:
            # Whoever made a record chose its options, and an absolute path may be theirs as well.
            if flag.startswith(_PREFIX_OPTION):
                raise UsageError(
                    "-X pycache_prefix names where bytecode is taken from, of libraries too, which"
                    " no policy was asked about",
                    where=f"-X {flag[2:][:200]}",
                    hint="leave the option out",
                )
    for variable, entry in _entries():
        if not Path(entry).is_absolute() or _leads_into(entry, directory):
            raise UsageError(
                f"{variable} leads into the directory that the program starts in, where Python"
                " would run what no policy was asked about",
                where=entry or "an empty entry",
                hint=f"unset {variable}, or let it name places outside of {directory}",
            )


def _entries() -> Iterator[tuple[str, str]]:
    path = os.environ.get(_PATH_VARIABLE, "")
    if path:
        yield from ((_PATH_VARIABLE, entry) for entry in path.split(os.pathsep))
    prefix = os.environ.get(_PREFIX_VARIABLE, "")
    if prefix:
        yield _PREFIX_VARIABLE, prefix


def _leads_into(entry: str, directory: Path) -> bool:
    """Return whether a place is the directory or lies below it, as it is written or by a link."""
    return Path(entry).is_relative_to(directory) or (
        Path(entry).resolve().is_relative_to(directory.resolve())
    )
