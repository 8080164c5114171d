"""Whether git would ignore a file: what is ignored is not meant to be passed on.

Reads ``.gitignore`` from the repository's top down to the file, and ``.git/info/exclude``. It asks
no git: a file that is tracked although a pattern names it counts as ignored here, and a user's
global excludes are not read. Source: https://git-scm.com/docs/gitignore.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

__all__ = ["GitIgnore"]

_FILE_BYTES_MAX: Final = 256 << 10
_RULES_MAX: Final = 5000


class _Rule(msgspec.Struct, frozen=True):
    """A pattern: what it matches, whether only directories, whether it takes back."""

    pattern: re.Pattern[str]
    directories: bool
    negated: bool


class GitIgnore:
    """Answers for many files; each directory's rules are read once."""

    def __init__(self) -> None:
        self._tops: dict[Path, Path | None] = {}
        self._rules: dict[Path, tuple[_Rule, ...]] = {}

    def ignores(self, path: Path) -> bool:
        """Return whether git would ignore a file that it does not track.

        Args:
            path: absolute; where links lead is of no moment.
        """
        top = self._top(path.parent)
        if top is None:
            return False
        parts = path.relative_to(top).parts
        for depth in range(1, len(parts) + 1):
            # What lies in an ignored directory cannot be taken back.
            if self._is_named(top, parts[:depth], directory=depth < len(parts)):
                return True
        return False

    def _top(self, directory: Path) -> Path | None:
        """Return the directory above that holds a repository, or None."""
        if directory not in self._tops:
            if (directory / ".git").exists():
                self._tops[directory] = directory
            elif directory.parent == directory:
                self._tops[directory] = None
            else:
                self._tops[directory] = self._top(directory.parent)
        return self._tops[directory]

    def _is_named(self, top: Path, parts: tuple[str, ...], *, directory: bool) -> bool:
        """Return what the last rule says that matches one path; nearer files come later."""
        ignored = False
        bases = [(top / ".git" / "info" / "exclude", 0)]
        bases += [(top.joinpath(*parts[:n], ".gitignore"), n) for n in range(len(parts))]
        for file, depth in bases:
            name = str(PurePosixPath(*parts[depth:]))
            for rule in self._rules_in(file):
                if (directory or not rule.directories) and rule.pattern.fullmatch(name):
                    ignored = not rule.negated
        return ignored

    def _rules_in(self, file: Path) -> tuple[_Rule, ...]:
        if file not in self._rules:
            try:
                with file.open("rb") as opened:
                    lines = opened.read(_FILE_BYTES_MAX).decode("utf-8", "replace").splitlines()
            except OSError:
                lines = []
            found = (_rule(line) for line in lines[:_RULES_MAX])
            self._rules[file] = tuple(rule for rule in found if rule is not None)
        return self._rules[file]


def _rule(line: str) -> _Rule | None:
    line = re.sub(r"(?<!\\) +$", "", line)
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    line = line[1:] if negated else line.removeprefix("\\")
    directories = line.endswith("/")
    line = line.rstrip("/")
    if not line:
        return None
    anchored = "/" in line
    expression = "".join(_pieces(line.removeprefix("/")))
    if not anchored:
        expression = "(?:.*/)?" + expression
    try:
        return _Rule(re.compile(expression, re.DOTALL), directories, negated)
    except re.error:
        return None


def _pieces(glob: str) -> list[str]:
    """Return a glob as pieces of a regular expression."""
    made: list[str] = []
    position = 0
    while position < len(glob):
        rest = glob[position:]
        bracket = re.match(r"\[([!^]?)(\]?[^\]/]*)\]", rest)
        if rest.startswith("**/") and (not made or made[-1] == "/"):
            made.append("(?:.*/)?")
            position += 3
        elif rest == "**" and (not made or made[-1] == "/"):
            made.append(".+")
            position += 2
        elif rest[0] == "*":
            made.append("[^/]*")
            position += 1 + (len(rest) - len(rest.lstrip("*")) - 1)
        elif rest[0] == "?":
            made.append("[^/]")
            position += 1
        elif bracket is not None:
            inside = bracket[2].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
            made.append(f"[{'^/' if bracket[1] else ''}{inside}]")
            position += bracket.end()
        elif rest[0] == "\\" and len(rest) > 1:
            made.append(re.escape(rest[1]))
            position += 2
        else:
            made.append(re.escape(rest[0]))
            position += 1
    return made
