"""A run by its name: one of the workspace, or a bundle's file."""

from __future__ import annotations

from pathlib import Path

from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.reader import BundleReader
from replay.errors import NotFoundError
from replay.log.stored_run import StoredRun
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace

__all__ = ["open_run"]


def open_run(
    run: str | Path, *, workspace: Path | str = DEFAULT_WORKSPACE
) -> StoredRun | BundleReader:
    """Open a run of the workspace, or a bundle, for reading.

    Raises:
        NotFoundError: there is no such run or bundle.
        IntegrityError: it cannot be read, or holds the records of another run.
    """
    path = Path(run)
    if path.is_dir():
        raise NotFoundError(
            "a directory is no run and no bundle",
            where=str(path),
            hint="name a run by its id, or a bundle's file",
        )
    if path.suffix == BUNDLE_SUFFIX:
        if not path.is_file():
            raise NotFoundError("no such bundle", where=str(path))
        return BundleReader.open(path)
    place = Workspace.open(Path(workspace), create=False)
    return StoredRun.of(place, place.run_directory(str(run)))
