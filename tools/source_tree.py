"""Reads the repository as data for the checkers: which files there are, and their syntax trees.

Guards one invariant: a checker sees what a commit would hold (tracked and not ignored files),
in sorted order, on every machine. It must not know any rule.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PACKAGES", "Finding", "Module", "modules", "tracked_files"]

PACKAGES = ("attestations", "orchestrator", "replay")
_SKIPPED = frozenset({".git", "__pycache__", "build", "dist"})


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One broken rule: where, and what to do about it."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Module:
    """One Python module of the three packages: its dotted name, path and parsed source."""

    name: str
    path: str
    is_package: bool
    source: str
    tree: ast.Module


def tracked_files(root: Path) -> list[str]:
    """The files that a commit of this tree would hold, as sorted relative POSIX paths.

    Outside a git checkout (an unpacked source archive, a planted tree in a test) it is every file
    but caches and environments.
    """
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            check=True,
            capture_output=True,
        ).stdout
        names = [name.decode("utf-8", "surrogateescape") for name in listed.split(b"\0") if name]
    else:
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    # A file can be in git's index and already gone from the disk.
    return sorted({name for name in names if _is_kept(name) and (root / name).is_file()})


def modules(root: Path, packages: tuple[str, ...] = PACKAGES) -> Iterator[Module]:
    """The Python modules of the packages that exist, in sorted order of their paths."""
    for path in tracked_files(root):
        parts = path.split("/")
        if parts[0] not in packages or not path.endswith(".py"):
            continue
        is_package = parts[-1] == "__init__.py"
        dotted = parts[:-1] if is_package else [*parts[:-1], parts[-1].removesuffix(".py")]
        source = (root / path).read_text(encoding="utf-8")
        yield Module(
            name=".".join(dotted),
            path=path,
            is_package=is_package,
            source=source,
            tree=ast.parse(source, path),
        )


def _is_kept(name: str) -> bool:
    return not any(part in _SKIPPED or part.startswith(".venv") for part in name.split("/"))
