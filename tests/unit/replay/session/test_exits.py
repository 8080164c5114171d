"""How a program's process ends, and what is run and said then."""

from __future__ import annotations

import asyncio
import atexit
import traceback

import pytest

from replay.errors import WorkflowError
from replay.scheduler.ports import Halted
from replay.session.exits import ExitHandlers, exit_code, print_failure


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (SystemExit(), 0),
        (SystemExit(0), 0),
        (SystemExit(3), 3),
        (SystemExit(256 + 3), 3),
        (SystemExit(-1), 255),
        (SystemExit("words"), 1),
        (ValueError(), 1),
        (asyncio.CancelledError(), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_exit_code_is_the_one_python_gives(error, code):
    assert exit_code(error) == code


def test_handlers_run_last_first_with_their_arguments_and_a_failing_one_is_shown(capsys):
    said = []
    real = atexit.register

    with ExitHandlers():

        @atexit.register
        def first():
            said.append("first")

        atexit.register(said.append, "second")
        atexit.register(lambda: 1 / 0)
        gone = atexit.register(lambda: said.append("gone"))
        atexit.unregister(gone)
        said.append("program")

    assert said == ["program", "second", "first"]
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert atexit.register is real


def test_handlers_also_run_after_an_exception_but_not_after_the_scheduler_stopped():
    said = []

    with pytest.raises(ValueError, match="no"), ExitHandlers():
        atexit.register(said.append, "after an error")
        raise ValueError("no")
    with pytest.raises(Halted), ExitHandlers():
        atexit.register(said.append, "after a stop")
        raise Halted

    assert said == ["after an error"]


def test_a_failure_is_printed_with_its_cause_and_group_and_without_the_engine(capsys):
    def raise_group():
        try:
            ExitHandlers()._unregister()
        except TypeError as error:
            raise ExceptionGroup("many", [ValueError("one")]) from error

    try:
        raise_group()
    except ExceptionGroup as error:
        raised = error
        expected = traceback.TracebackException.from_exception(error).stack

    print_failure(raised)

    printed = capsys.readouterr().err
    assert "ValueError: one" in printed
    assert "direct cause" in printed
    assert expected[-1].name == "raise_group"
    assert "raise_group" in printed
    assert "replay/session" not in printed.replace("tests/unit/replay/session", "")


@pytest.mark.parametrize(
    ("error", "printed"),
    [
        (None, ""),
        (SystemExit(2), ""),
        (SystemExit("words"), "words\n"),
        (WorkflowError("it waits", hint="do not"), "workflow: it waits\n  try: do not\n"),
    ],
)
def test_what_python_says_in_a_line_is_said_in_a_line(capsys, error, printed):
    print_failure(error)

    assert capsys.readouterr().err == printed
