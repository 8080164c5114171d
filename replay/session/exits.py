"""How a program's process ends: exit code, traceback, and what it registered for its exit."""

from __future__ import annotations

import atexit
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from replay.errors import CodeRefusedError, ReplayError
from replay.scheduler.ports import Halted

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["INTERRUPTED", "REFUSED", "ExitHandlers", "exit_code", "print_failure"]

#: Exit code after Ctrl-C, as shells give it.
INTERRUPTED: Final = 130
#: A policy let some file of the program's not run, and nothing caught that.
REFUSED: Final = 6

_ENGINE: Final = str(Path(__file__).resolve().parent.parent)
_STARTERS: Final = ("<frozen runpy>", "<frozen importlib.")


class ExitHandlers:
    """What a program registers with `atexit`, run at the end of the program and not after it.

    At the end of the process the run is sealed and no door is up: output of a handler would be in
    no record, and in a replay nothing would guard it. Handlers registered before stay where they
    are.
    """

    def __init__(self) -> None:
        self._handlers: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []

    def __enter__(self) -> None:
        self._real = atexit.register, atexit.unregister
        atexit.register, atexit.unregister = self._register, self._unregister

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while self._handlers and not isinstance(error, Halted):
                function, args, kwargs = self._handlers.pop()
                try:
                    function(*args, **kwargs)
                except Exception:  # noqa: BLE001 - as the interpreter: say it and go on
                    traceback.print_exc()
        finally:
            atexit.register, atexit.unregister = self._real

    def _register(
        self, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Callable[..., Any]:
        self._handlers.append((function, args, kwargs))
        return function

    def _unregister(self, function: Callable[..., Any], /) -> None:
        self._handlers = [handler for handler in self._handlers if handler[0] != function]
        self._real[1](function)


def exit_code(error: BaseException | None) -> int:
    """Return the exit code of a process whose program ended so."""
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if error.code is None:
            return 0
        return error.code & 0xFF if isinstance(error.code, int) else 1
    if isinstance(error, CodeRefusedError):
        return REFUSED
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1


def print_failure(error: BaseException | None) -> None:
    """Say on standard error how a program failed, as Python would, without our frames."""
    if isinstance(error, SystemExit):
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)  # noqa: T201 - Python prints it there
    elif isinstance(error, ReplayError):
        print(error.diagnostics(), file=sys.stderr)  # noqa: T201
    elif error is not None:
        summary = traceback.TracebackException.from_exception(error)
        _strip(summary, set())
        print("".join(summary.format()), end="", file=sys.stderr)  # noqa: T201


def _strip(summary: traceback.TracebackException, seen: set[int]) -> None:
    """Take the engine's frames, and those that started the program, out of a traceback."""
    if id(summary) in seen:
        return
    seen.add(id(summary))
    summary.stack = traceback.StackSummary.from_list(
        [frame for frame in summary.stack if not _is_ours(frame.filename)]
    )
    for other in (summary.__cause__, summary.__context__, *(summary.exceptions or ())):
        if other is not None:
            _strip(other, seen)


def _is_ours(file: str) -> bool:
    return file.startswith((_ENGINE, *_STARTERS))
