"""Which installed distributions a process has loaded, and in which version.

Found by the directories of ``site-packages``: a module's top name is mostly its distribution's, and
where it is not, the list of installed files (``RECORD``) says whose it is. Nothing is imported.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Final

__all__ = ["loaded_distributions", "versions_here"]

_SITES: Final = ("site-packages", "dist-packages")
_INFO: Final = re.compile(r"(.+)-([^-]+)\.dist-info")
_RECORD_BYTES_MAX: Final = 4 << 20


def versions_here() -> tuple[tuple[str, str], ...]:
    """Return (name, version) of Python, and of the distributions that are loaded."""
    return (("python", platform.python_version()), *loaded_distributions())


def loaded_distributions() -> tuple[tuple[str, str], ...]:
    """Return (name, version) of what modules were loaded from, sorted by name."""
    # Names of modules only ever come at the end, so these two say whether one has come.
    return _loaded(len(sys.modules), next(reversed(sys.modules)))


@lru_cache(maxsize=4)
def _loaded(count: int, last: str) -> tuple[tuple[str, str], ...]:  # noqa: ARG001 - the key
    wanted: dict[str, dict[str, str]] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")
        if not isinstance(file, str) or "-packages" not in file:
            continue
        top = getattr(sys.modules.get(name.partition(".")[0]), "__dict__", {})
        for site in _SITES:
            before, found, inside = file.rpartition(f"{os.sep}{site}{os.sep}")
            if found:
                inside = inside.replace(os.sep, "/")
                # What several distributions share has no file itself: told apart one level below.
                levels = 1 if top.get("__file__") else 2
                key = "/".join(inside.split("/", levels)[:levels])
                wanted.setdefault(before + found, {}).setdefault(key, inside)
    versions: dict[str, str] = {}
    for site, modules in wanted.items():
        try:
            changed = Path(site).stat().st_mtime_ns
            versions.update(_versions(site, changed, tuple(sorted(modules.items()))))
        except OSError:
            continue
    return tuple(sorted(versions.items()))


@lru_cache(maxsize=64)
def _versions(
    site: str, changed: int, modules: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    """Return the distributions of modules in one directory; it is looked at once, if unchanged."""
    installed = _installed(site, changed)
    found: dict[str, str] = {}
    others: list[str] = []
    for key, inside in modules:
        name = _normal(key.partition(".")[0])
        if name in installed:
            found[name] = installed[name][0]
        else:
            others.append(inside)
    if others:
        for name, (version, directory) in installed.items():
            files = _files(site + directory, changed)
            if name not in found and any(f"\n{file},".encode() in files for file in others):
                found[name] = version
    return tuple(found.items())


@lru_cache(maxsize=16)
def _installed(site: str, changed: int) -> dict[str, tuple[str, str]]:  # noqa: ARG001 - the key
    """Return version and directory of each distribution in a directory, by normal name."""
    found: dict[str, tuple[str, str]] = {}
    for directory in sorted(each.name for each in Path(site).iterdir()):
        match = _INFO.fullmatch(directory)
        if match is not None:
            found[_normal(match[1])] = (match[2], directory)
    return found


@lru_cache(maxsize=1024)
def _files(directory: str, changed: int) -> bytes:  # noqa: ARG001 - part of the key
    """Return the list of a distribution's files, a line break before each."""
    try:
        with (Path(directory) / "RECORD").open("rb") as file:
            return b"\n" + file.read(_RECORD_BYTES_MAX)
    except OSError:
        return b""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
