"""A descriptor of the program's, and what the run knows of the file behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable

    from replay.files.places import Named

__all__ = ["Form", "Handle", "Keeper"]

Form = Literal["read", "written", "directory"]


class Keeper(Protocol):
    """The files of a run, as a handle sees them."""

    def closing(self, handle: Handle) -> None:
        """Take note that a descriptor is about to be closed."""
        ...

    def gate(self) -> None:
        """Wait until all that has been recorded is durable."""
        ...

    def later(self, action: Callable[[], None]) -> None:
        """Do something outside once all that has been recorded is durable."""
        ...


class Handle:
    """A descriptor and what is known of it.

    Attributes:
        descriptor: its number.
        named: the file.
        form: what it is for.
        mode: how it was opened, as ``open`` spells it.
        start: what of the file is not this program's: where an append begins.
        order: number of the handle in the run.
        packed: the stat result of a file that is read, as it was when its content was taken.
        is_shared: whether something else than our object may write through the descriptor.
        top: the program's object, to be flushed at the end.
    """

    __slots__ = (
        "_keeper",
        "_problem",
        "_queued_bytes",
        "_settled_bytes",
        "descriptor",
        "form",
        "is_closed",
        "is_shared",
        "mode",
        "named",
        "order",
        "packed",
        "start",
        "top",
    )

    def __init__(
        self,
        keeper: Keeper,
        descriptor: int,
        named: Named,
        form: Form,
        *,
        mode: str = "r",
        start: int = 0,
        order: int = 0,
    ) -> None:
        self._keeper = keeper
        self._problem: OSError | None = None
        self.descriptor = descriptor
        self.named = named
        self.form: Form = form
        self.mode = mode
        self.start = start
        self.order = order
        self.packed: list[str] | None = None
        self.is_closed = False
        self.is_shared = False
        # One is counted by the program's thread, the other by the writer's.
        self._queued_bytes = 0
        self._settled_bytes = 0
        self.top: weakref.ref[object] | None = None

    @property
    def pending_bytes(self) -> int:
        """How much is on its way to the disk."""
        return self._queued_bytes - self._settled_bytes

    def close(self) -> None:
        """Tell the run, once, that the descriptor is about to be closed."""
        if not self.is_closed:
            self.is_closed = True
            self._keeper.closing(self)

    def gate(self) -> None:
        """Wait until all that has been recorded is durable."""
        self._keeper.gate()

    def write_later(self, data: bytes, write: Callable[[], None]) -> None:
        """Write once all that has been recorded is durable; a failure shows at the next wait."""

        def do() -> None:
            try:
                if self._problem is None:
                    write()
            except OSError as error:
                self._problem = error
            finally:
                self._settled_bytes += len(data)

        self._queued_bytes += len(data)
        self._keeper.later(do)

    def settle(self) -> None:
        """Wait until what was written is on the disk.

        Raises:
            OSError: the disk did not take it.
        """
        if self.pending_bytes:
            self._keeper.gate()
        problem, self._problem = self._problem, None
        if problem is not None:
            raise problem
