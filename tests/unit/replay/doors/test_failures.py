"""Exceptions taken apart and put together; the closed form is hostile input when it is read."""

from __future__ import annotations

import json
import sys
import types

import httpx
import httpx2
import msgspec
import pytest

from replay.doors.failures import OutsideError, failure_of, rebuild
from replay.events.kinds import Failure


def _round_trip(error):
    return rebuild(failure_of(error))


def _failure(path, arguments="[]", **fields):
    return Failure(type=path, arguments=msgspec.Raw(arguments.encode()), **fields)


class WordingError(Exception):
    """Words its message itself, so its arguments are not what it was called with."""

    def __init__(self, code):
        super().__init__(f"code {code}")
        self.code = code


class ChoosyError(Exception):
    """Cannot be called with what it keeps."""

    def __init__(self, *, status):
        super().__init__("refused", status)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad", 3, 2.5, None, True),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
        httpx.ReadTimeout("slow"),
        httpx2.ConnectError("All connection attempts failed"),
        WordingError(5),
        KeyError("ключ \ud800".encode("utf-8", "replace").decode()),
    ],
)
def test_an_exception_of_plain_arguments_comes_back_as_it_was(error):
    again = _round_trip(error)

    assert type(again) is type(error)
    assert again.args == error.args
    assert str(again) == str(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(object),
        ValueError(b"bytes"),
        json.JSONDecodeError("Expecting value", "doc", 0),
        ChoosyError(status=4),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        type("LocalError", (Exception,), {"__module__": __name__})("gone"),
        ExceptionGroup("several", [ValueError("one")]),
    ],
)
def test_one_that_cannot_be_rebuilt_keeps_its_name_and_message(error):
    again = _round_trip(error)

    assert type(again) is OutsideError
    assert str(again) == f"{type(error).__qualname__}: {error}"


def test_the_chain_comes_back():
    try:
        try:
            try:
                raise OSError(5, "disk")
            except OSError as low:
                raise ValueError("middle") from low
        except ValueError:
            raise KeyError("top")  # noqa: B904
    except KeyError as error:
        again = _round_trip(error)

    assert type(again.__context__) is ValueError
    assert type(again.__context__.__cause__) is OSError
    assert again.__context__.__cause__.args == (5, "disk")


def test_a_chain_longer_than_the_limit_is_cut():
    error = ValueError(0)
    for number in range(1, 50):
        later = ValueError(number)
        later.__cause__ = error
        error = later
    again, length = _round_trip(error), 0
    while again is not None:
        again, length = again.__cause__, length + 1

    assert length == 9


@pytest.mark.parametrize(
    "path",
    [
        "no.such.module:Error",
        "builtins:eval",
        "builtins:SystemExit",
        "builtins:KeyboardInterrupt",
        "builtins:BaseException",
        "asyncio.exceptions:CancelledError",
        "builtins:dict",
        "builtins:Exception.__init__",
        "os:system",
        "subprocess:Popen",
        "sys:modules",
        "json:decoder.os",
        ":",
        "",
        "builtins",
        "builtins:",
        "builtins:.",
        "builtins:Exception.",
        "replay.recording.divergence:Diverged",
    ],
)
@pytest.mark.parametrize("arguments", ["[]", '["id"]', '["id",1,2,3,4,5]'])
def test_nothing_but_an_exception_class_is_called(path, arguments):
    again = rebuild(_failure(path, arguments))

    assert type(again) is OutsideError
    assert path in str(again)


@pytest.mark.parametrize(
    "arguments",
    ["{}", "null", "[{}]", "[[1]]", '"text"', "[1e400]", '["\\ud800"]', "[" * 2000, "", "[1"],
)
def test_arguments_that_are_not_a_plain_list_are_not_used(arguments):
    again = rebuild(_failure("builtins:ValueError", arguments))

    assert type(again) in {OutsideError, ValueError}
    assert type(again) is OutsideError or all(type(a) in {str, float} for a in again.args)


def test_a_constructor_that_raises_is_survived(monkeypatch):
    class TrapError(Exception):
        def __init__(self, *arguments):
            raise ZeroDivisionError

    monkeypatch.setattr(sys.modules[__name__], "TrapError", TrapError, raising=False)

    assert type(rebuild(_failure(f"{__name__}:TrapError"))) is OutsideError


def test_no_module_is_imported_and_no_lazy_one_is_asked(monkeypatch):
    lazy = types.ModuleType("lazy_one")
    asked: list[str] = []
    vars(lazy)["__getattr__"] = asked.append
    monkeypatch.setitem(sys.modules, "lazy_one", lazy)
    before = set(sys.modules)

    rebuild(_failure("lazy_one:Anything"))
    rebuild(_failure("this:Zen"))
    rebuild(_failure("antigravity:webbrowser"))

    assert asked == []
    assert set(sys.modules) == before


def test_long_hostile_arguments_are_shown_shortened():
    assert len(str(rebuild(_failure("nowhere:E", json.dumps(["x" * 100_000]))))) < 600
