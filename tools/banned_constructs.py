"""Finds constructs that docs/architecture_overview.md bans in the rooms that compute.

The check sees what a syntax tree shows: names under whatever alias they were imported, and
iteration over values that are visibly sets. It is a fence for friends, not a sandbox; the guard of
a replay is the proof.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.contract_document import read_contract
from tools.set_iteration import set_iterations
from tools.source_tree import Finding, Module, modules

__all__ = ["check_banned", "used_constructs"]


def check_banned(root: Path) -> list[Finding]:
    """Banned constructs without an exception, and exceptions that nothing needs any more."""
    contract = read_contract(root)
    allowed = {(allowance.path, allowance.construct) for allowance in contract.allowances}
    needed: set[tuple[str, str]] = set()
    findings: list[Finding] = []
    for module in modules(root):
        used = sorted(set(used_constructs(module)))
        for ban in contract.bans:
            if not any(module.path.startswith(f"{folder}/") for folder in ban.folders):
                continue
            for line, name in used:
                for construct in ban.constructs:
                    if name != construct and not name.startswith(f"{construct}."):
                        continue
                    if (module.path, construct) in allowed:
                        needed.add((module.path, construct))
                    else:
                        text = f"`{construct}` is banned here: {ban.instead}"
                        findings.append(Finding(module.path, line, text))
    for path, construct in sorted(allowed - needed):
        findings.append(Finding(path, 1, f"the exception for `{construct}` is not needed"))
    return sorted(set(findings))


def used_constructs(module: Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, builtin and attribute that a module uses."""
    aliases = dict(_aliases(module.tree))
    bound = _bound_names(module.tree)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Attribute):
            if dotted := _dotted(node, aliases):
                yield node.lineno, dotted
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in aliases:
                yield node.lineno, aliases[node.id]
            elif node.id not in bound:
                yield node.lineno, node.id
    for line in set_iterations(module.tree):
        yield line, "set iteration"


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.split(".")[0]
                yield name, alias.name if alias.asname else name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _bound_names(tree: ast.Module) -> set[str]:
    """Names that the module itself assigns or takes as arguments: not the builtins."""
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
    # A method called `open` or `id` does not shadow the builtin inside other functions, so these
    # few stay visible however the module uses the word elsewhere.
    return bound - {"eval", "exec", "hash", "id", "open"}


def _dotted(node: ast.Attribute, aliases: dict[str, str]) -> str | None:
    parts = [node.attr]
    value: ast.expr = node.value
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    if isinstance(value, ast.Name) and value.id in aliases:
        return ".".join([aliases[value.id], *reversed(parts)])
    return None
