"""What was run, as a person would type it, from a run's own first record."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from replay.events.kinds import RunStarted

__all__ = ["RECORDED_COMMAND", "command_line", "command_of"]

#: The entry of a run that the command recorded, in its first record and in the workspace's log.
RECORDED_COMMAND: Final = "command"


def command_of(started: RunStarted) -> list[str] | None:
    """Return the arguments of a recorded command; None for what a library recorded."""
    return list(started.arguments) if started.entry == RECORDED_COMMAND else None


def command_line(command: Sequence[str]) -> str:
    """Return a command as it would be typed, with surrogates for secrets."""
    return shlex.join(["python", *command] if tuple(command[:2]) != ("uv", "run") else command)
