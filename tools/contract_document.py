"""Reads the contract tables of docs/architecture_overview.md.

The document is the contract, so there is nothing to keep in step with it. Each table stands below
a comment `<!-- contract: NAME -->`; a name that is missing or a row that cannot be read is an
error, never an empty contract.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Allowance", "Ban", "Contract", "read_contract"]

DOCUMENT = "docs/architecture_overview.md"
_CODE = re.compile(r"`([^`]+)`(\??)")


@dataclass(frozen=True, slots=True)
class Ban:
    """Constructs that may not be used below some folders, and what to use instead."""

    constructs: tuple[str, ...]
    folders: tuple[str, ...]
    instead: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """A named exception from a ban: one construct in one file, with its reason."""

    path: str
    construct: str
    why: str


@dataclass(frozen=True, slots=True)
class Contract:
    """What may import what, and what may not be used where.

    Shape: `rooms` maps each room to its edges; an edge maps to True when it must be used as soon
    as both rooms exist. `libraries` maps a third-party import name to path patterns.
    """

    rooms: dict[str, dict[str, bool]]
    libraries: dict[str, tuple[str, ...]]
    bans: tuple[Ban, ...]
    allowances: tuple[Allowance, ...]


def read_contract(root: Path) -> Contract:
    """Reads the four tables.

    Raises:
        ValueError: a table is missing, empty or malformed.
    """
    text = (root / DOCUMENT).read_text(encoding="utf-8")
    rooms = {
        _one(room): {name: not mark for name, mark in _CODE.findall(edges)}
        for room, edges in _rows(text, "rooms", 2)
    }
    libraries = {_one(name): _names(patterns) for name, patterns in _rows(text, "libraries", 2)}
    bans = tuple(
        Ban(_names(constructs), _names(folders), instead)
        for constructs, folders, instead in _rows(text, "banned", 3)
    )
    allowances = tuple(
        Allowance(_one(path), _one(construct), why)
        for path, construct, why in _rows(text, "allowed", 3, may_be_empty=True)
    )
    for allowance in allowances:
        if not allowance.why:
            raise ValueError(f"{DOCUMENT}: the exception for {allowance.path} has no reason")
    return Contract(rooms, libraries, bans, allowances)


def _rows(
    text: str, name: str, columns: int, *, may_be_empty: bool = False
) -> list[tuple[str, ...]]:
    marker = f"<!-- contract: {name} -->"
    if text.count(marker) != 1:
        raise ValueError(f"{DOCUMENT}: expected exactly one {marker}")
    lines = text.split(marker, 1)[1].lstrip("\n").splitlines()
    table: list[tuple[str, ...]] = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        if len(cells) != columns:
            raise ValueError(f"{DOCUMENT}: table {name}: {len(cells)} columns in: {line}")
        table.append(cells)
    body = table[2:]
    if len(table) < 2 or (not body and not may_be_empty):
        raise ValueError(f"{DOCUMENT}: table {name} is empty")
    return body


def _names(cell: str) -> tuple[str, ...]:
    names = tuple(name for name, _ in _CODE.findall(cell))
    if not names:
        raise ValueError(f"{DOCUMENT}: no `name` in cell: {cell!r}")
    return names


def _one(cell: str) -> str:
    names = _names(cell)
    if len(names) != 1:
        raise ValueError(f"{DOCUMENT}: expected one `name` in cell: {cell!r}")
    return names[0]
