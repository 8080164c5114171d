"""What stands in `sys.stdin` or `sys.stdout` while a run is on stage: one object, many streams.

For a thread of a run it is that run's own stream, for every other thread the stream that was there,
with its encoding and its buffer, as if there were no run.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TextIO

from replay.doors.context import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.doors.context import DoorContext

__all__ = ["StandingStream"]


class StandingStream(io.TextIOWrapper):
    """Whatever is asked of it is asked of the stream of the calling thread.

    Programs look for the class, so it is one of theirs; its own buffer is never used. Whoever
    keeps it after the run has the stream that was there.

    Args:
        real: the stream that was there, None if there was none.
        of_run: gives the stream of a run.
    """

    def __init__(self, real: TextIO | None, of_run: Callable[[DoorContext], TextIO]) -> None:
        super().__init__(io.BytesIO())
        object.__setattr__(self, "_real", real)
        object.__setattr__(self, "_of_run", of_run)

    def __getattribute__(self, name: str) -> Any:
        return getattr(_stream(self), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(_stream(self), name, value)

    def __iter__(self) -> Any:
        return iter(_stream(self))

    def __next__(self) -> str:  # type: ignore[override]  # so says the stub of the bytes base
        return next(_stream(self))

    def __repr__(self) -> str:
        return repr(_stream(self))

    def __del__(self) -> None:
        """Close nothing: what the base class would close is a stream of somebody else."""


def _stream(standing: StandingStream) -> TextIO:
    context = current()
    own = object.__getattribute__
    stream: TextIO = (
        own(standing, "_real") if context is None else own(standing, "_of_run")(context)
    )
    return stream
