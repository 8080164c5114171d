"""Whose run it is: one that was recorded here is believed where one from elsewhere only claims."""

from __future__ import annotations

from pathlib import Path

from replay.bundle.limits import BUNDLE_SUFFIX
from replay.log.workspace import Workspace

__all__ = ["is_foreign"]


def is_foreign(run: str | Path, workspace: Path | str) -> bool:
    """Return whether a run was recorded elsewhere: a bundle, or imported from one.

    Raises:
        NotFoundError: there is no such run.
    """
    if Path(run).suffix == BUNDLE_SUFFIX:
        return True
    place = Workspace.open(Path(workspace), create=False)
    name = place.run_directory(str(run)).name
    # A run that the workspace log does not name was put there by somebody.
    return {known.run: known.state for known in place.runs()}.get(name, "imported") == "imported"
