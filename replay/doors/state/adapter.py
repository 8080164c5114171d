"""What an adapter is: a reading of one framework's state changes, where the framework makes them.

It is found by entry point (group ``ritornello.adapters``), so that the command, pytest and library
runs derive the same records. It wraps functions of a library that the program imports, and imports
none itself. The one invariant: the program cannot tell that it is there.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from replay.doors.context import current

if TYPE_CHECKING:
    from replay.doors.state.stores import Stores

__all__ = ["Adapter", "Wrap", "stores_for"]


class Wrap(msgspec.Struct, frozen=True, kw_only=True):
    """One function of a library that is wrapped while a run is on stage.

    Attributes:
        owner: the module or class that it is an attribute of.
        name: the attribute.
        wrap: makes of what stands there what stands there instead.
    """

    owner: Any
    name: str
    wrap: Callable[[Any], Any]


class Adapter(Protocol):
    """Reads the state changes of one framework."""

    @property
    def name(self) -> str:
        """The name that the first record carries, such as ``langgraph``."""
        ...

    @property
    def version(self) -> int:
        """Counts from 1; grows with each change of what the same doings are read as."""
        ...

    @property
    def distribution(self) -> str:
        """The distribution whose version decides whether this adapter knows it."""
        ...

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases that it was tested with, such as ``1.2``; their patches count too."""
        ...

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules in which it wraps something, once the program has imported them."""
        ...

    def wraps(self, module: ModuleType) -> tuple[Wrap, ...]:
        """Return what is wrapped in one of these modules.

        Raises:
            AttributeError: the module is not as in the releases that were tested.
        """
        ...


def stores_for(adapter: str) -> Stores | None:
    """Return where an adapter records what the calling thread does; None if nothing is recorded."""
    context = current()
    return None if context is None or adapter not in context.adapters else context.stores
