"""Modules of a program that the engine's would hide: looked for before a line of it runs.

The engine and what it needs are loaded before the program. A module of the same name that the
program would find for itself is then never loaded, in silence. Finding one runs none of its code.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay.errors import UsageError

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

__all__ = ["OUR_MODULES", "refuse_shadows"]

#: Names that a program cannot have for modules of its own while the engine is in its process.
OUR_MODULES: Final = ("orchestrator", "replay")


def refuse_shadows(root: Path, loaded_before: Collection[str]) -> None:
    """Refuse a program that has modules of its own by names that are loaded already.

    Args:
        root: where the engine's packages lie.
        loaded_before: modules that Python loads for every program.

    Raises:
        UsageError: names the module that is in the way.
    """
    for name in OUR_MODULES:
        for entry in sys.path:
            place = Path(entry or ".").absolute()
            if place == root:
                break
            # Without an `__init__.py` it is a package too, if nothing better comes later.
            if any((place / name).glob("*.py")):
                _refuse(name, str(place / name))
    for name in sorted(sys.modules):
        if "." in name or name in loaded_before or name == "__main__":
            continue
        spec: ModuleSpec | None = getattr(sys.modules[name], "__spec__", None)
        if spec is None or not spec.has_location:
            continue
        found = _find(name)
        if found is not None and found.has_location and not _same(found.origin, spec.origin):
            _refuse(name, found.origin or "")
    for name in OUR_MODULES:
        found = _find(name)
        if found is not None and found.origin and not Path(found.origin).is_relative_to(root):
            _refuse(name, found.origin)


def _refuse(name: str, where: str) -> None:
    whose = "the engine's" if name in OUR_MODULES else "that of a module which the engine needs"
    raise UsageError(
        f"the program has a module {name!r} of its own, and the name is {whose}",
        where=where,
        hint="rename it, or take it off the path of this program",
    )


def _find(name: str) -> ModuleSpec | None:
    for finder in sys.meta_path:
        spec = finder.find_spec(name, None)
        if spec is not None:
            return spec
    return None


def _same(first: str | None, second: str | None) -> bool:
    if first == second or first is None or second is None:
        return first == second
    try:
        return Path(first).samefile(second)
    except OSError:
        return False
