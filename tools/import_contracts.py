"""Holds the import graph that docs/architecture_overview.md declares.

Every import statement counts, also those inside functions and under TYPE_CHECKING: an edge of the
graph is an edge of the thought, whenever it is taken. String imports are not seen; `importlib` is.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from tools.contract_document import Contract, read_contract
from tools.source_tree import PACKAGES, Finding, Module, modules

__all__ = ["check_imports", "imported_names", "room_of"]


def check_imports(root: Path) -> list[Finding]:
    """Every import that the contract does not allow, and every promised edge that is unused."""
    contract = read_contract(root)
    findings = list(_declared_graph(contract))
    existing: dict[str, str] = {}
    used: set[tuple[str, str]] = set()
    known = {module.name: module for module in modules(root)}
    for module in known.values():
        room = room_of(module.name, contract)
        if room is None:
            text = f"{module.name} belongs to no room: add a row to the table of rooms"
            findings.append(Finding(module.path, 1, text))
            continue
        existing.setdefault(room, module.path)
        for target, line in imported_names(module, known):
            if target.split(".")[0] in PACKAGES:
                edge = _edge(room, target, contract)
                if edge is None:
                    text = f"room {room} may not import {target}"
                    findings.append(Finding(module.path, line, text))
                elif edge:
                    used.add((room, edge))
            else:
                findings.extend(_library(module.path, target, line, contract))
    for room, path in existing.items():
        for edge, must_be_used in contract.rooms[room].items():
            if must_be_used and _exists(edge, known) and (room, edge) not in used:
                text = f"room {room} does not import {edge}: remove the edge from the contract"
                findings.append(Finding(path, 1, text))
    return sorted(set(findings))


def room_of(name: str, contract: Contract) -> str | None:
    """The room that a dotted module name lies in: the longest declared prefix.

    A package's own name is a room of its own (its face), and takes in nothing below it.
    """
    parts = name.split(".")
    for length in range(len(parts), 1, -1):
        candidate = ".".join(parts[:length])
        if candidate in contract.rooms:
            return candidate
    return name if len(parts) == 1 and name in contract.rooms else None


def imported_names(module: Module, known: dict[str, Module]) -> Iterator[tuple[str, int]]:
    """The dotted module names that a module imports, with line numbers.

    `from replay.log import port` names the module replay.log.port when there is one.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                longer = f"{base}.{alias.name}"
                yield (longer if longer in known else base), node.lineno


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    keep = len(parts) - node.level + (1 if module.is_package else 0)
    return ".".join([*parts[:keep], *(node.module.split(".") if node.module else [])])


def _edge(room: str, target: str, contract: Contract) -> str | None:
    """The declared edge that allows an import; "" within one room; None when refused."""
    target_room = room_of(target, contract)
    if target_room == room:
        return ""
    parts = target.split(".")
    for length in range(len(parts), 0, -1):
        edge = ".".join(parts[:length])
        # `import replay` allows the face alone, not every room below it.
        if edge in contract.rooms[room] and (length > 1 or len(parts) == 1):
            return edge
    return None


def _exists(edge: str, known: dict[str, Module]) -> bool:
    return edge in known or any(name.startswith(f"{edge}.") for name in known)


def _library(path: str, target: str, line: int, contract: Contract) -> Iterator[Finding]:
    library = target.split(".", maxsplit=1)[0]
    if library in sys.stdlib_module_names:
        return
    patterns = contract.libraries.get(library)
    if patterns is None:
        yield Finding(path, line, f"library {library} is in no row of the table of libraries")
    elif not any(fnmatchcase(path, pattern) for pattern in patterns):
        yield Finding(path, line, f"library {library} may be imported only in {patterns}")


def _declared_graph(contract: Contract) -> Iterator[Finding]:
    """The declared graph itself must have no cycle; the table's order is not trusted."""
    done: set[str] = set()
    for start in contract.rooms:
        trail: list[str] = []
        if cycle := _cycle_from(start, contract, trail, done):
            yield Finding("docs/architecture_overview.md", 1, f"cycle of rooms: {cycle}")
            return


def _cycle_from(room: str, contract: Contract, trail: list[str], done: set[str]) -> str | None:
    if room in trail:
        return " -> ".join([*trail[trail.index(room) :], room])
    if room in done:
        return None
    trail.append(room)
    for edge in contract.rooms[room]:
        target = room_of(edge, contract)
        if target is None:
            return f"{room} -> {edge} (not a room)"
        if target != room and (cycle := _cycle_from(target, contract, trail, done)):
            return cycle
    trail.pop()
    done.add(room)
    return None
