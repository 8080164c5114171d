"""Puts adapters into the libraries that a program imports, as soon as it has imported them.

A library that the program never imports is never imported. One of another release than an adapter
was tested with is left alone, and the first record says so; where such a release comes only in the
replay, the replay stops there: nothing is compared that was read in two ways.
"""

from __future__ import annotations

import functools
import importlib.abc
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from replay.doors.context import bound
from replay.errors import SetupError
from replay.own_locks import OwnLock
from replay.recording.gaps import Uncaptured
from replay.scheduler.engine_side import EngineSide
from replay.scheduler.ports import Halted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from replay.doors.state.adapter import Adapter

__all__ = ["AdapterDoor", "absent_adapters", "active", "listed", "refusal"]

_OFF: Final = "off"


def refusal(adapter: Adapter) -> str | None:
    """Return why an adapter leaves the installed library alone; None if it does not."""
    try:
        found = version(adapter.distribution)
    except PackageNotFoundError:
        return None
    if any(found == each or found.startswith(f"{each}.") for each in adapter.releases):
        return None
    known = ", ".join(adapter.releases)
    return f"{_OFF}: {adapter.distribution} {found} is not one of {known}"


def listed(adapters: tuple[Adapter, ...]) -> tuple[tuple[str, str], ...]:
    """Return what the first record says of adapters: name, and version or why it is off."""
    return tuple((each.name, refusal(each) or str(each.version)) for each in adapters)


def active(named: tuple[tuple[str, str], ...], adapters: tuple[Adapter, ...]) -> dict[str, Adapter]:
    """Return, of the adapters that are here, those that a first record names as on."""
    on = {name for name, found in named if not found.startswith(_OFF)}
    return {each.name: each for each in adapters if each.name in on}


def absent_adapters(named: tuple[tuple[str, str], ...], adapters: tuple[Adapter, ...]) -> str:
    """Return a sentence about adapters that a first record names and that are not here."""
    here = {(each.name, str(each.version)) for each in adapters}
    missing = [
        f"{name} {found}"
        for name, found in named
        if not found.startswith(_OFF) and (name, found) not in here
    ]
    return f"adapters not installed: {', '.join(missing)}" if missing else ""


class AdapterDoor:
    """Wraps functions of libraries while at least one run is on stage; counted by adapter."""

    def __init__(self) -> None:
        self._lock = OwnLock()
        self._open: dict[str, tuple[int, Adapter]] = {}
        self._undo: dict[str, list[Callable[[], None]]] = {}
        self._finder = _Finder(self._imported)

    def install(self, adapters: tuple[Adapter, ...]) -> None:
        """Open for some adapters; call :meth:`remove` with the same ones once for each call.

        Raises:
            SetupError: a library is not as in the releases that its adapter was tested with.
            Halted: a recorded adapter cannot read the installed release; the replay stops.
        """
        with self._lock:
            for adapter in adapters:
                count, _ = self._open.get(adapter.name, (0, adapter))
                self._open[adapter.name] = (count + 1, adapter)
                self._finder.watched.update(dict.fromkeys(adapter.modules))
            if adapters and self._finder not in sys.meta_path:
                sys.meta_path.insert(0, self._finder)
        try:
            for adapter in adapters:
                for module in [sys.modules[n] for n in adapter.modules if n in sys.modules]:
                    self._wrap(adapter, module)
        except BaseException:
            self.remove(adapters)
            raise

    def remove(self, adapters: tuple[Adapter, ...]) -> None:
        """Undo one :meth:`install`; what nobody needs any more is as it was before."""
        with self._lock:
            for adapter in adapters:
                count, _ = self._open[adapter.name]
                if count > 1:
                    self._open[adapter.name] = (count - 1, adapter)
                    continue
                del self._open[adapter.name]
                for name in adapter.modules:
                    for undo in reversed(self._undo.pop(f"{adapter.name} {name}", [])):
                        undo()
            if not self._open and self._finder in sys.meta_path:
                sys.meta_path.remove(self._finder)
                self._finder.watched.clear()

    def _imported(self, module: ModuleType) -> None:
        for _, adapter in list(self._open.values()):
            if module.__name__ in adapter.modules:
                self._wrap(adapter, module)

    def _wrap(self, adapter: Adapter, module: ModuleType) -> None:
        context = bound()
        refused = _outside_schedule(lambda: refusal(adapter))
        if refused is not None:
            if context is not None and adapter.name in context.adapters:
                # The record has an adapter that was on; a recording lists this one as off.
                reason = Uncaptured("incomplete", f"adapter {adapter.name} is {refused}")
                context.scheduler.halt(reason)
                raise Halted from reason
            return
        place = f"{adapter.name} {module.__name__}"
        with self._lock:
            if place in self._undo:
                return
            try:
                found = [(each, vars(each.owner)[each.name]) for each in adapter.wraps(module)]
            except (AttributeError, KeyError) as error:
                raise SetupError(
                    f"adapter {adapter.name} {adapter.version} does not find its way in the "
                    f"installed {adapter.distribution}",
                    where=f"{module.__name__}: {error}",
                    hint="install the release that it was tested with, or a newer ritornello",
                ) from None
            undo = self._undo[place] = []
            for each, original in found:
                undo.append(functools.partial(setattr, each.owner, each.name, original))
                setattr(each.owner, each.name, each.wrap(original))


def _outside_schedule(work: Callable[[], str | None]) -> str | None:
    """Do something of the engine's on a thread of the program: the doors let it through."""
    context = bound()
    if context is None:
        return work()
    with EngineSide(context.scheduler):
        return work()


class _Finder(importlib.abc.MetaPathFinder):
    """Lets others find a module, and tells when it has been executed."""

    def __init__(self, imported: Callable[[ModuleType], None]) -> None:
        self.watched: dict[str, None] = {}
        self._imported = imported

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the next finder finds, if that is a module that an adapter waits for."""
        if fullname not in self.watched:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                self._follow(spec)
                return spec
        return None

    def _follow(self, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            if vars(loader).get("exec_module") is exec_module:
                del loader.exec_module
            execute(module)
            if module.__name__ in self.watched:
                self._imported(module)

        loader.exec_module = exec_module
