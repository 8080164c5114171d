"""Exchanged functions do what the door says under every binding, and are put back exactly."""

import collections
import ctypes
import functools
import gc
import pickle
import sys
import sysconfig
import threading
import time
import tracemalloc
import uuid
from datetime import UTC, datetime

import pytest

from replay.doors.exchanging.functions import (
    ClassMethodExchange,
    ModuleFunctionExchange,
    require_supported,
)
from replay.doors.exchanging.rebinding import AttributeExchange, FunctionExchange
from replay.errors import SetupError

early_time = time.time
early_strftime = time.strftime
early_now = datetime.now
early_uuid1 = uuid.uuid1

# One exchange for each target, as in the process: two on one target would restore each other.
OF_TIME = ModuleFunctionExchange(time.time)
OF_NOW = ClassMethodExchange(datetime, "now")


def words_of(address_of, words):
    return bytes(
        (ctypes.c_char * (words * ctypes.sizeof(ctypes.c_void_p))).from_address(
            id(address_of) + object.__basicsize__
        )
    )


class Put:
    """Puts doors in, and takes them back."""

    def __init__(self):
        self.taken = []

    def __call__(self, exchange, door):
        exchange.put(door)
        self.taken.append(exchange)

    def close(self):
        while self.taken:
            self.taken.pop().take_back()


@pytest.fixture
def put():
    return Put()


def exchanging(test):
    """Takes back at the test's end: pytest itself reads the clock right after it."""

    @functools.wraps(test)
    def body(**given):
        try:
            test(**given)
        finally:
            given["put"].close()

    return body


@exchanging
def test_a_c_function_imported_before_the_exchange_reaches_the_door(put):
    partial = functools.partial(early_time)

    put(OF_TIME, lambda: 7.0)

    assert (early_time(), time.time(), partial()) == (7.0, 7.0, 7.0)
    assert OF_TIME.real() > 1e9


@exchanging
def test_a_call_compiled_before_the_exchange_reaches_the_door(put):
    def hot():
        return time.time()

    for _ in range(1000):  # the interpreter specialises the call
        hot()

    put(OF_TIME, lambda: 7.0)

    assert hot() == 7.0


@exchanging
def test_arguments_are_checked_by_the_interpreter_before_the_door(put):
    put(OF_TIME, lambda *args: args)

    with pytest.raises(TypeError, match="takes no arguments"):
        early_time(1)


@pytest.mark.parametrize(
    ("function", "args"),
    [(time.gmtime, (0,)), (time.strftime, ("%Y", time.gmtime(0))), (sys.intern, ("x",))],
)
@exchanging
def test_each_calling_convention_hands_its_arguments_on(put, function, args):
    exchange = ModuleFunctionExchange(function)

    put(exchange, lambda *given: (given, exchange.real(*given)))

    assert function(*args) == (args, exchange.real(*args))


@exchanging
def test_keywords_reach_the_door(put):
    exchange = ModuleFunctionExchange(sorted)

    put(exchange, lambda *args, **kwargs: (args, kwargs))

    assert sorted([2, 1], reverse=True) == (([2, 1],), {"reverse": True})


@exchanging
def test_a_function_without_keywords_gets_the_convention_that_has_them(put):
    exchange = ModuleFunctionExchange(divmod)  # METH_FASTCALL

    def hot():
        return divmod(7, 2)

    for _ in range(1000):  # the interpreter specialises the call
        hot()
    put(exchange, lambda *args: ("door", *args))
    inside = [hot() for _ in range(1000)]
    exchange.take_back()
    put.taken.clear()

    assert set(inside) == {("door", 7, 2)}
    assert {hot() for _ in range(1000)} == {(3, 1)}
    with pytest.raises(TypeError, match="keyword"):
        divmod(a=7)


def test_what_is_no_function_of_a_module_is_refused():
    with pytest.raises(SetupError, match="not supported"):
        ModuleFunctionExchange([].append)


@exchanging
def test_an_error_of_the_door_is_raised_from_a_c_function(put):
    def door():
        raise KeyError("stop")

    put(OF_TIME, door)

    with pytest.raises(KeyError, match="stop"):
        early_time()


@exchanging
def test_an_exchanged_c_function_keeps_its_name_and_its_pickling(put):
    before = repr(early_time)

    put(OF_TIME, lambda: 7.0)

    assert repr(early_time) == before
    assert pickle.loads(pickle.dumps(early_time)) is early_time
    assert early_time.__doc__
    assert early_time.__module__ == "time"


@exchanging
def test_a_class_method_bound_before_the_exchange_reaches_the_door(put):
    class Later(datetime):
        pass

    bound = Later.now
    put(OF_NOW, lambda cls, *args, **kwargs: (cls, args, kwargs))

    assert early_now() == (datetime, (), {})
    assert bound(UTC) == (Later, (UTC,), {})
    assert Later.now(tz=UTC) == (Later, (), {"tz": UTC})
    assert type(OF_NOW.real(Later)) is Later


class Stop(BaseException):
    """What unwinds a program; no Exception."""


@pytest.mark.parametrize(
    "call",
    [
        early_now,
        lambda: datetime.now(),
        functools.partial(early_now, None),
        lambda: [early_now() for _ in range(3)],
        lambda: list(map(lambda cls: cls.now(), [datetime, datetime])),
        lambda: early_now(tz=None),
        lambda: early_now(*[None]),
    ],
)
@exchanging
def test_an_error_of_the_door_is_raised_at_the_call_of_a_class_method(put, call):
    raised = Stop("stop")
    reached = []

    def door(cls, *args, **kwargs):
        raise raised

    put(OF_NOW, door)

    with pytest.raises(Stop) as caught:
        reached.append(call())

    assert caught.value is raised
    assert reached == []


@exchanging
def test_an_error_behind_c_code_is_raised_when_that_code_is_done(put):
    def door(cls, *args, **kwargs):
        raise Stop

    put(OF_NOW, door)

    def program():
        for _ in range(2):  # a backward jump looks for errors
            collections.defaultdict(early_now)["missing"]

    with pytest.raises(Stop):
        program()


@exchanging
def test_an_error_of_the_door_can_be_caught_around_the_call(put):
    def door(cls, *args, **kwargs):
        raise ValueError("no")

    put(OF_NOW, door)

    def program():
        try:
            return early_now()
        except ValueError as error:
            return str(error)

    assert [program() for _ in range(100)] == ["no"] * 100


@exchanging
def test_an_error_is_the_same_under_a_trace_function(put):
    """Coverage tools and debuggers trace; the error passes the interpreter twice then."""
    raised = ValueError("no")
    events = []

    def door(cls, *args, **kwargs):
        raise raised

    def trace(frame, event, arg):
        events.append((frame.f_code.co_name, event))
        return trace

    def program():
        early_now()

    put(OF_NOW, door)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(ValueError, match="no") as caught:
            program()
    finally:
        sys.settrace(before)

    assert caught.value is raised
    assert ("program", "exception") in events


@exchanging
def test_an_error_goes_to_the_thread_that_called(put):
    other_went_on = []
    entered, leave = threading.Event(), threading.Event()

    def door(cls, *args, **kwargs):
        entered.set()
        leave.wait(10)
        raise Stop

    put(OF_NOW, door)
    caught = []

    def program():
        try:
            early_now()
        except Stop:
            caught.append(threading.current_thread().name)

    thread = threading.Thread(target=program, name="asker")
    thread.start()
    entered.wait(10)
    other_went_on.append(sum(range(1000)))
    leave.set()
    thread.join(10)

    assert caught == ["asker"]
    assert other_went_on == [499500]


@exchanging
def test_a_python_function_bound_before_the_exchange_reaches_the_door(put):
    exchange = FunctionExchange(uuid.uuid1)
    code = uuid.uuid1.__code__

    put(exchange, lambda *args, **kwargs: (args, kwargs))

    assert early_uuid1(1, clock_seq=2) == ((1,), {"clock_seq": 2})
    assert exchange.real(1, 2).node == 1
    assert pickle.loads(pickle.dumps(early_uuid1)) is early_uuid1
    put.close()
    assert uuid.uuid1.__code__ is code


def test_a_closure_is_refused():
    captured = 1

    def closure():
        return captured

    with pytest.raises(SetupError, match="closure"):
        FunctionExchange(closure)


@exchanging
def test_an_exchanged_attribute_is_put_back_as_it_was(put):
    class Owner:
        def method(self):
            return "real"

    before = vars(Owner)["method"]
    bound_through_super = type("Child", (Owner,), {"method": lambda s: super(type(s), s).method()})
    exchange = AttributeExchange(Owner, "method")

    exchange.put(lambda self: "door")

    assert bound_through_super().method() == "door"
    assert exchange.real(Owner()) == "real"
    exchange.take_back()
    assert vars(Owner)["method"] is before


def test_a_thousand_exchanges_restore_every_pointer_and_leak_nothing():
    now = vars(datetime)["now"]
    door = lambda *args, **kwargs: 7.0
    before = words_of(time.time, 5), words_of(now, 5), OF_NOW._definition.entry

    def go(times):
        for _ in range(times):
            OF_TIME.put(door)
            OF_NOW.put(door)
            assert early_time() == early_now() == 7.0
            OF_TIME.take_back()
            OF_NOW.take_back()

    go(10)
    gc.collect()
    stand_in = OF_TIME._stand_ins[door]
    counts = sys.getrefcount(time), sys.getrefcount(door), sys.getrefcount(stand_in)
    tracemalloc.start()
    go(10)
    first, _ = tracemalloc.get_traced_memory()
    go(1000)
    last, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (words_of(time.time, 5), words_of(now, 5), OF_NOW._definition.entry) == before
    after = sys.getrefcount(time), sys.getrefcount(door), sys.getrefcount(stand_in)
    assert after == counts
    assert last - first < 2000


@exchanging
def test_answers_are_not_kept_alive(put):
    answer = object()
    door = lambda *args: answer
    put(OF_TIME, door)
    put(OF_NOW, door)
    early_time(), early_now()
    before = sys.getrefcount(answer)

    for _ in range(100):
        early_time()
        early_now()
        early_now(None)

    assert sys.getrefcount(answer) == before


@exchanging
def test_the_collector_can_walk_an_exchanged_function(put):
    put(OF_TIME, lambda: 7.0)

    gc.collect()

    assert early_time() == 7.0
    assert early_time.__self__ in gc.get_referents(early_time)


def test_another_interpreter_is_refused(monkeypatch):
    monkeypatch.setattr(sys.implementation, "name", "pypy")

    with pytest.raises(SetupError, match="pypy"):
        require_supported()


def test_a_free_threaded_build_is_refused(monkeypatch):
    monkeypatch.setattr(sysconfig, "get_config_var", {"Py_GIL_DISABLED": 1}.get)

    with pytest.raises(SetupError, match="free-threaded"):
        require_supported()
