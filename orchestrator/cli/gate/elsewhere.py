"""Which runs came from elsewhere: those that say so, and those of a workspace that is not theirs.

The one invariant: what a workspace says of itself is believed only as far as the person at hand
lets it be. Where their file of pins names their workspaces, a run of any other came from elsewhere,
whatever that one's log says: it may have come along with a project.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.cli.gate.trust_layers import pins_here
from replay.errors import UsageError
from replay.session.foreign import is_foreign

__all__ = ["is_from_elsewhere", "refuse_elsewhere"]


def is_from_elsewhere(run: str, workspace: Path) -> bool:
    """Return whether a run is a bundle, was imported, or lies in a workspace that is not named.

    Args:
        run: a run of the workspace, or the path of a bundle.
        workspace: directory that holds the runs.

    Raises:
        NotFoundError: there is no such run.
        PolicyError: the file of pins cannot be read.
    """
    return is_foreign(run, workspace) or not _is_named(workspace)


def refuse_elsewhere(run: str, workspace: Path) -> None:
    """Refuse to let a run go on that came from elsewhere.

    Raises:
        UsageError: it did; and errors as :func:`is_from_elsewhere`.
    """
    if not is_from_elsewhere(run, workspace):
        return
    named = not is_foreign(run, workspace)
    raise UsageError(
        "the run came from elsewhere, and goes on only where it was recorded",
        where=run,
        hint="if the workspace is yours, name it in `workspaces` of pins.toml" if named else "",
    )


def _is_named(workspace: Path) -> bool:
    found = pins_here()
    if found is None or found[1].workspaces is None:
        return True
    base, pins = found
    place = workspace.resolve()
    named = (base / Path(each).expanduser() for each in pins.workspaces or ())
    return any(each.resolve() == place for each in named)
