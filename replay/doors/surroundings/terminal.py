"""Answers what the program asks about its terminal, and reads a line from there.

A terminal is not part of a replay: what the program saw of it is in the record, so it draws again
what it drew. The one invariant: `input` goes through `sys.stdin` and `sys.stdout`, never through
the line editor, which reads the descriptor itself.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType
from typing import Final, cast

from replay.doors.exchanging.callbacks import Door
from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.surroundings.answering import ANSWERING, KEPT, ask
from replay.doors.surroundings.facts import FLAG, TEXT, Fact, numbers, openings_of
from replay.doors.surroundings.opening import Opening

__all__ = ["IS_TERMINAL", "stream_is_terminal", "terminal_openings"]

#: Asked with the number of a standard descriptor, or with the name of a stream.
IS_TERMINAL: Final = KEPT + "is_terminal"
_early_input = builtins.input


def terminal_openings() -> Iterator[Opening]:
    """Yields one opening for each function that this platform has."""
    yield from openings_of(_facts())
    exchange = ModuleFunctionExchange(cast("BuiltinFunctionType", builtins.input))
    # The check must not wait for anybody, and there is nothing to ask that would not.
    yield Opening("input", exchange, _input(exchange.real), None, "stdin")


def stream_is_terminal(name: str, real: Callable[[], bool]) -> bool:
    """Returns whether a standard stream of the run is a terminal; the real one for no run."""
    answerer = ANSWERING.lookup()
    if answerer is None:
        return real()
    return cast("bool", FLAG.unpack(ask(answerer, IS_TERMINAL, name, real), IS_TERMINAL, name))


def _facts() -> Iterator[Fact]:
    yield Fact("os.isatty", os.isatty, IS_TERMINAL, FLAG, _standard, example=(1,))
    size = numbers(os.terminal_size, 2)
    # Not kept: a window is made larger, and whoever draws asks again.
    yield Fact("os.get_terminal_size", os.get_terminal_size, "terminal_size", size, _any)
    if hasattr(os, "ttyname"):
        name = KEPT + "terminal_name"
        yield Fact("os.ttyname", os.ttyname, name, TEXT, _standard, example=(1,))


def _standard(descriptor: int, /) -> str | None:
    """Returns the argument for a standard descriptor; others are numbered by chance."""
    return str(descriptor) if descriptor in {0, 1, 2} else None


def _any(descriptor: int = 1, /) -> str:
    return _standard(descriptor) or "other"


def _input(real: Callable[..., object]) -> Door:
    def read_line(prompt: object = "", /) -> object:
        if ANSWERING.lookup() is None:
            return real(prompt)
        for name in ("stdin", "stdout", "stderr"):
            if getattr(sys, name, None) is None:
                raise RuntimeError(f"input(): lost sys.{name}")
        sys.stderr.flush()
        if prompt != "":
            sys.stdout.write(str(prompt))
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            raise EOFError("EOF when reading a line")
        return line.removesuffix("\n")

    return read_line
