"""Several runs in one call: which ones are meant, and which exit code is the worst."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from orchestrator.cli.exit_codes import ExitCode
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.errors import NotFoundError
from replay.log.seeming import seeming

__all__ = ["WORST_FIRST", "expanded", "worst"]

#: Of several codes the first of these that occurs; documented, so stable.
WORST_FIRST: Final = (
    ExitCode.OUR_MISTAKE,
    ExitCode.DAMAGED,
    ExitCode.REFUSED,
    ExitCode.DIFFERENT,
    ExitCode.PROVIDER,
    ExitCode.NOT_FOUND,
    ExitCode.USAGE,
    ExitCode.NOT_JUDGED,
    ExitCode.OK,
)


def expanded(names: Sequence[str]) -> list[str]:
    """Return runs and bundles, a directory replaced by the bundles below it, none twice.

    Directories whose name begins with a dot are passed over, links to directories too.

    Raises:
        NotFoundError: a directory holds no bundle: to judge nothing would be to pass.
        OSError: one cannot be looked into, and what it holds would not be judged.
    """
    found: dict[str, None] = {}
    for name in names:
        if not Path(name).is_dir():
            found[name] = None
            continue
        bundles = _bundles_below(Path(name))
        if not bundles:
            what, verb = seeming(Path(name)) or ("a directory", "")
            plain = what == "a directory"
            raise NotFoundError(
                "there is no bundle in this directory" + ("" if plain else f": it is {what}"),
                where=name,
                hint=f"a bundle's name ends in {BUNDLE_SUFFIX}; a run is named by its id"
                if plain
                else verb,
            )
        found |= dict.fromkeys(bundles)
    return list(found)


def worst(codes: Iterable[int]) -> int:
    """Return the worst of several exit codes; one that is in no list is worse than any."""
    rank = {int(code): number for number, code in enumerate(WORST_FIRST)}
    return min(codes, key=lambda code: rank.get(code, -1), default=int(ExitCode.OK))


def _bundles_below(directory: Path) -> list[str]:
    found: list[str] = []
    places = [directory]
    while places:  # `os.walk` calls itself for each directory, and others may have nested them
        place = places.pop()
        try:
            with os.scandir(place) as entries:
                named = sorted((each.name, each.is_dir(follow_symlinks=False)) for each in entries)
        except FileNotFoundError:
            continue  # it was removed meanwhile
        below = [name for name, is_directory in named if is_directory]
        places += [place / name for name in reversed(below) if not name.startswith(".")]
        found += [
            str(place / name)
            for name, is_directory in named
            if not is_directory and Path(name).suffix == BUNDLE_SUFFIX and (place / name).is_file()
        ]
    return found
