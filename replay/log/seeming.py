"""What a file or directory seems to be that was named where a run or a bundle belongs.

The one invariant: it is a guess for a hint, from a name and a few bytes. Nothing is decided by it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

__all__ = ["Seeming", "begins_as_zip", "seeming"]

#: What something seems to be, and the verb for it.
Seeming = tuple[str, str]

_BEGIN_SIZE_BYTES: Final = 256
_ZIP: Final = b"PK\3\4"
_BEGINNINGS: Final[tuple[tuple[bytes, str, str], ...]] = (
    (
        b"ritornello/proof/",
        "the proof of one event",
        "`ritornello verify FILE.proof`: its name ends so",
    ),
    (b"ritornello/run/", "a pin: the head of a run", "`ritornello verify RUN --pin FILE`"),
    (
        b"ritornello/workspace/",
        "a pin: the head of a workspace's log",
        "`ritornello verify --workspace --pin FILE`",
    ),
    *(
        (start, what, "`ritornello verify RUN` with --log-key, --key or --tsa-root FILE")
        for start, what in (
            (b"ritornello key", "a key"),
            (b"-----BEGIN", "a key or a certificate"),
        )
    ),
)
_SUFFIXES: Final[dict[str, Seeming]] = {
    ".py": ("a program", "`ritornello record FILE` records it"),
    ".yaml": ("a cassette of vcrpy", "`ritornello import FILE` makes a run of it"),
    ".yml": ("a cassette of vcrpy", "`ritornello import FILE` makes a run of it"),
}


def seeming(path: Path) -> Seeming | None:
    """Return what stands at a path seems to be and what to do with it; None if nothing is there."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _directory(path)
        if not stat.S_ISREG(mode):
            return "no regular file", "name a file"
        begin = _begin(path)
    except (OSError, ValueError):
        return None
    return _file(path, begin)


def begins_as_zip(path: Path) -> bool:
    """Return whether a file begins as a bundle does, whatever is wrong with it further on."""
    try:
        return _begin(path).startswith(_ZIP)
    except (OSError, ValueError):
        return False


def _begin(path: Path) -> bytes:
    """Read the first bytes; nobody has to write into a pipe for that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _BEGIN_SIZE_BYTES)
    finally:
        os.close(descriptor)


def _directory(path: Path) -> Seeming:
    if (path / "workspace.log").is_file():
        return "a workspace", f"`--workspace {path}` names it, beside the id of a run"
    if (path / "log.duckdb").is_file():
        place = path.absolute().parent.parent
        return (
            "the directory of a run",
            f"name the run by its id: `--workspace {place} {path.name}`",
        )
    return "a directory", "name a run by its id, or a bundle by its file"


def _file(path: Path, begin: bytes) -> Seeming:
    for start, what, verb in _BEGINNINGS:
        if begin.startswith(start):
            return what, verb
    if begin.startswith(_ZIP):
        if begin[30:45] == b"checkpoint.note":
            return "a bundle under another name", "a bundle's name ends in .ritornello: rename it"
        return "a zip that is no bundle", "`ritornello export RUN -o FILE.ritornello` writes one"
    if begin[8:12] == b"DUCK":
        known = path.absolute().parent
        place = known.parent.parent
        return "a DuckDB file", f"if it is the store of a run: `--workspace {place} {known.name}`"
    if begin.startswith(b"{") and b'"payloadType"' in begin:
        return "a receipt or another statement", "`ritornello verify RUN --receipt FILE`"
    what, verb = _SUFFIXES.get(path.suffix, ("", ""))
    if what:
        return what, verb
    return (
        "none of what this engine writes",
        "`ritornello runs` lists runs; a bundle is *.ritornello",
    )
