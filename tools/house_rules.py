"""Holds the house rules that no linter knows: sizes, faces of packages, room names, paths.

`check_house` reads the code of the three packages, `check_places` every file of a commit.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tools.source_tree import Finding, Module, modules, tracked_files

__all__ = ["LINES_MAX", "check_house", "check_places"]

LINES_MAX = 400
#: Longer ones, each with a bound of its own: what must be one file to be copied alone (ADR 0035).
_LONGER = {"attestations/standalone.py": 1000}
_NO_ROOM = frozenset({"utils", "util", "common", "helpers", "helper", "misc", "manager", "stuff"})

# Spelled in halves, so that this file does not break its own rule.
_PLACES = {
    halves.replace("|", ""): what
    for halves, what in {
        "/wo|rk/": "a path of one machine",
        "/ro|ot/": "a path of one machine",
        "/op|t/": "a path of one machine",
        "/ho|me/": "a path of one machine",
        "/Us|ers/": "a path of one machine",
        "../sha|red": "a path outside the repository",
        "file:|//": "a path of one machine",
        "pypi|.org": "an index host",
        "python|hosted.org": "an index host",
        "DESIGN|.md": "a document that is not in the repository",
        "STYLE|.md": "a document that is not in the repository",
    }.items()
}
_PLACE = re.compile(
    "|".join(rf"(?<![\w.~-]){re.escape(p)}" if p[0] == "/" else re.escape(p) for p in _PLACES)
)


def check_house(root: Path) -> list[Finding]:
    """Module sizes, docstrings, `__all__`, names of modules and of packages."""
    findings: list[Finding] = []
    for module in modules(root):
        findings.extend(_size_and_name(module))
        findings.extend(_face(module))
    return sorted(findings)


def check_places(root: Path) -> list[Finding]:
    """Machine paths, index hosts and absent documents named in any text file of a commit."""
    findings: list[Finding] = []
    for path in tracked_files(root):
        content = (root / path).read_bytes()
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            findings.extend(
                Finding(path, number, f"names {_PLACES[match.group()]}: {match.group()}")
                for match in _PLACE.finditer(line)
            )
    return findings


def _size_and_name(module: Module) -> Iterator[Finding]:
    lines = module.source.count("\n")
    most = _LONGER.get(module.path, LINES_MAX)
    if lines > most:
        text = f"{lines} lines, at most {most}: a second thought wants its own module"
        yield Finding(module.path, lines, text)
    if not ast.get_docstring(module.tree):
        yield Finding(module.path, 1, "no docstring")
    for part in module.name.split("."):
        if part.strip("_") in _NO_ROOM:
            yield Finding(module.path, 1, f"`{part}` is no room: name what the code is about")


def _face(module: Module) -> Iterator[Finding]:
    """The first docstring line is one sentence; `__all__` is plain and true (ruff sorts it)."""
    docstring = ast.get_docstring(module.tree)
    if module.is_package and docstring and not docstring.splitlines()[0].endswith("."):
        yield Finding(module.path, 1, "the docstring's first line is not one sentence")
    for node in module.tree.body:
        value = _assigned_all(node)
        if value is None:
            continue
        try:
            names = ast.literal_eval(value)
        except ValueError:
            yield Finding(module.path, node.lineno, "`__all__` is not a plain list of names")
            continue
        if len(names) != len(set(names)):
            yield Finding(module.path, node.lineno, "`__all__` names something twice")
        for name in sorted(set(names) - _defined(module.tree)):
            yield Finding(module.path, node.lineno, f"`__all__` names {name}, which is not here")


def _assigned_all(node: ast.stmt) -> ast.expr | None:
    if isinstance(node, ast.Assign):
        targets: list[ast.expr] = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    else:
        return None
    if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
        return node.value
    return None


def _defined(tree: ast.Module) -> set[str]:
    """Names bound anywhere at the top of a module, or made on demand by `__getattr__`."""
    names: set[str] = set()
    lazy = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            lazy = lazy or node.name == "__getattr__"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    if lazy:
        names |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    return names
