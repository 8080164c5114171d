"""What an owned thread reads is answered; every other thread reads the real thing."""

import copy
import functools
import os
import pickle
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from time import monotonic, perf_counter, time_ns
from time import time as early_time

import pytest

from replay.doors.exchanging.functions import ModuleFunctionExchange
from replay.doors.surroundings.answering import ANSWERING
from replay.doors.surroundings.readings import NOT_ANSWERED, Readings
from replay.errors import IntegrityError, SetupError
from tests.support.interpreters import interpreter_of

NOW_NS = 1_700_000_000_123_456_789
early_now = datetime.now
early_utcnow = datetime.utcnow
early_uuid1, early_uuid4 = uuid.uuid1, uuid.uuid4
early_random_seed = random.seed
early_random_urandom = random._urandom


@dataclass
class Stamped:
    at: datetime = field(default_factory=datetime.now)


class Later(datetime):
    """A subclass, made before any exchange."""


class Script:
    """Answers from a table, and notes what was asked."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def answer(self, source, argument, live):
        self.asked.append((source, argument))
        if source in self.answers:
            return self.answers[source]
        if source == "urandom":
            return bytes(range(256))[: int(argument)]
        return NOW_NS if source.endswith("_ns") else live()


class Owned:
    """A lookup by thread, as a scheduler has one."""

    def __init__(self):
        self.runs = {}

    def __call__(self):
        return self.runs.get(threading.get_ident())


@pytest.fixture
def owned():
    lookup = Owned()
    readings = Readings(lookup)
    readings.install()
    yield lookup
    lookup.runs.clear()
    readings.remove()


@pytest.fixture
def run(owned):
    """The run that owns the test's thread inside `in_run`."""
    script = Script()
    script.owned = owned
    return script


def in_run(test):
    """Owns the thread for the test's body only: pytest reads the clock around it."""

    @functools.wraps(test)
    def body(**given):
        given["run"].owned.runs[threading.get_ident()] = given["run"]
        try:
            test(**given)
        finally:
            given["run"].owned.runs.clear()

    return body


def utcnow_quietly(call=early_utcnow):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


@pytest.mark.parametrize(
    "name", ["time", "monotonic", "perf_counter", "process_time", "thread_time"]
)
@in_run
def test_each_clock_asks_for_nanoseconds_once_a_call(run, name):
    seconds = getattr(time, name)()
    nanoseconds = getattr(time, f"{name}_ns")()

    assert (seconds, nanoseconds) == (NOW_NS / 1e9, NOW_NS)
    assert run.asked == [(f"{name}_ns", "")] * 2


@in_run
def test_names_imported_before_the_install_are_answered(run):
    partial = functools.partial(early_time)

    assert early_time() == partial() == NOW_NS / 1e9
    assert time_ns() == NOW_NS
    assert monotonic() == perf_counter() == NOW_NS / 1e9
    assert Stamped().at == early_now() == datetime.now()


@in_run
def test_live_asks_the_real_clock_and_not_the_run_again(run):
    before = time_ns

    class Live(Script):
        def answer(self, source, argument, live):
            self.asked.append((source, argument))
            return live()

    live = Live()
    run.owned.runs[threading.get_ident()] = live

    first, second = before(), before()

    assert NOW_NS < first <= second
    assert live.asked == [("time_ns", "")] * 2


@in_run
def test_clocks_by_number_share_the_sources_of_the_clocks_by_name(run):
    assert time.clock_gettime_ns(time.CLOCK_REALTIME) == NOW_NS
    assert time.clock_gettime(time.CLOCK_MONOTONIC) == NOW_NS / 1e9
    assert time.clock_gettime_ns(time.CLOCK_BOOTTIME) == NOW_NS

    assert run.asked == [
        ("time_ns", ""),
        ("monotonic_ns", ""),
        ("clock_gettime_ns", str(time.CLOCK_BOOTTIME)),
    ]


@in_run
def test_calendar_functions_without_a_moment_take_the_answered_one(run):
    seconds = NOW_NS // 10**9

    assert time.gmtime() == time.gmtime(None) == time.gmtime(seconds)
    assert time.localtime() == time.localtime(None) == time.localtime(seconds)
    assert time.ctime() == time.ctime(None) == time.ctime(seconds) == time.asctime()
    assert time.strftime("%Y-%m-%d") == time.strftime("%Y-%m-%d", time.localtime(seconds))
    assert run.asked == [("time_ns", "")] * 8


@in_run
def test_calendar_functions_with_a_moment_ask_nothing(run):
    moment = time.gmtime(0)

    assert time.asctime(moment) == "Thu Jan  1 00:00:00 1970"
    assert time.strftime("%Y", moment) == "1970"
    assert datetime.fromtimestamp(0, UTC).year == 1970
    assert run.asked == []


@in_run
def test_datetimes_are_answered_from_one_reading_each(run):
    assert early_now(UTC) == datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)
    assert utcnow_quietly() == datetime(2023, 11, 14, 22, 13, 20, 123456)
    assert datetime.now() == datetime.fromtimestamp(NOW_NS // 10**9).replace(microsecond=123456)
    assert datetime.today() == datetime.fromtimestamp(NOW_NS / 1e9)
    assert date.today() == date.fromtimestamp(NOW_NS / 1e9)
    assert run.asked == [("time_ns", "")] * 5


@pytest.mark.parametrize("second", [0, 1, 1_699_999_999, 4_102_444_800, 8_500_000_000])
@pytest.mark.parametrize("microsecond", [0, 1, 499_999, 500_000, 999_999])
@in_run
def test_now_has_exact_microseconds(run, second, microsecond):
    run.answers["time_ns"] = second * 10**9 + microsecond * 1000 + 999

    wanted = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second, microseconds=microsecond)

    assert datetime.now(UTC) == wanted
    assert utcnow_quietly() == wanted.replace(tzinfo=None)


@in_run
def test_a_subclass_of_datetime_keeps_its_class(run):
    for made in (Later.now(), Later.now(UTC), Later.today(), utcnow_quietly(Later.utcnow)):
        assert type(made) is Later
    assert utcnow_quietly(Later.utcnow) == datetime(2023, 11, 14, 22, 13, 20, 123456)


@in_run
def test_now_does_not_ask_a_subclass_for_its_own_conversion(run):
    class Odd(datetime):
        @classmethod
        def fromtimestamp(cls, *args):
            raise AssertionError("the real now does not call this")

    assert type(Odd.now()) is Odd


@in_run
def test_a_time_zone_converts_the_answer(run):
    class Zone(tzinfo):
        def utcoffset(self, at):
            return timedelta(hours=5, minutes=30)

        def dst(self, at):
            return timedelta(0)

    zone = Zone()

    assert datetime.now(tz=zone).tzinfo is zone
    assert datetime.now(zone).hour == 3
    assert datetime.now(None).tzinfo is None
    with pytest.raises(TypeError, match="tzinfo"):
        datetime.now("Europe/Berlin")
    with pytest.raises(TypeError):
        datetime.now(UTC, UTC)


@in_run
def test_classes_keep_their_identity(run):
    now = datetime.now()

    assert type(now) is datetime
    assert isinstance(now, date)
    assert pickle.loads(pickle.dumps(now)) == now == copy.deepcopy(now)
    assert pickle.loads(pickle.dumps(datetime)) is datetime
    assert pickle.loads(pickle.dumps(datetime.now))() == now


@pytest.mark.skipif(sys.version_info < (3, 12), reason="utcnow is deprecated since 3.12")
@in_run
def test_the_deprecation_of_utcnow_names_the_caller(run):
    with pytest.warns(DeprecationWarning, match="utcnow") as caught:
        datetime.utcnow()

    assert caught[0].filename == __file__


@in_run
def test_everything_that_draws_entropy_is_answered(run):
    wanted = bytes(range(16))

    assert os.urandom(16) == early_random_urandom(16) == os.getrandom(16) == wanted
    assert secrets.token_bytes(16) == wanted
    assert secrets.token_hex(16) == wanted.hex()
    assert early_uuid4() == uuid.UUID(bytes=wanted, version=4)
    assert random.SystemRandom().getrandbits(128) == int.from_bytes(wanted, "big")
    assert random.SystemRandom().random() == random.SystemRandom().random()
    assert {source for source, _ in run.asked} == {"urandom"}


@in_run
def test_generators_without_a_seed_take_an_answered_one(run):
    state = random.getstate()
    try:
        wanted = random.Random(int.from_bytes(bytes(range(32)), "big")).random()

        assert random.Random().random() == random.Random(None).random() == wanted
        early_random_seed()
        assert random.random() == wanted
        assert run.asked == [("urandom", "32")] * 3
    finally:
        random.setstate(state)


@in_run
def test_a_given_seed_asks_nothing(run):
    assert random.Random(7).random() == random.Random(7).random()
    assert random.Random("seed").random() == random.Random("seed").random()
    assert run.asked == []


@in_run
def test_a_temporary_name_follows_from_the_answers(run):
    names = [next(tempfile._RandomNameSequence()) for _ in range(2)]

    assert names[0] == names[1]


@in_run
def test_uuid1_is_answered_as_a_whole(run):
    live = early_uuid1()
    run.answers["uuid1"] = str(live)

    again, with_node = uuid.uuid1(), uuid.uuid1(node=1, clock_seq=2)

    assert live == again == with_node
    assert run.asked == [
        ("uuid1", ""),
        ("uuid1", ""),
        ("uuid1", "node=1 clock_seq=2"),
    ]


@pytest.mark.parametrize(
    ("source", "value", "call"),
    [
        ("time_ns", 1.5, early_time),
        ("time_ns", True, early_now),
        ("time_ns", None, time.localtime),
        ("time_ns", "now", date.today),
        ("urandom", b"short", early_uuid4),
        ("urandom", "text", lambda: random.Random()),
        ("uuid1", "no uuid", early_uuid1),
        ("uuid1", "13814000-1dd2-41b2-8000-000000000000", early_uuid1),
        ("uuid1", 5, early_uuid1),
    ],
)
@in_run
def test_an_answer_of_the_wrong_form_is_refused(run, source, value, call):
    run.answers[source] = value

    with pytest.raises(IntegrityError):
        call()


@in_run
def test_an_impossible_moment_is_refused_by_the_calendar(run):
    run.answers["time_ns"] = 10**40

    for call in (early_now, time.localtime, utcnow_quietly, date.today):
        with pytest.raises((OverflowError, ValueError, OSError)):
            call()


@in_run
def test_an_error_of_the_answerer_unwinds_the_program(run):
    class Stop(BaseException):
        pass

    def answer(source, argument, live):
        raise Stop

    run.answer = answer

    for call in (early_time, early_now, early_utcnow, early_uuid1, early_uuid4, random.Random):
        with pytest.raises(Stop), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()


@in_run
def test_a_foreign_thread_reads_the_real_thing(run):
    read = []

    def foreign():
        read.extend((early_time(), early_now(), os.urandom(16), early_uuid4(), early_uuid1()))

    thread = threading.Thread(target=foreign)
    thread.start()
    thread.join(10)

    assert read[0] > NOW_NS / 1e9
    assert read[1].year > 2023
    assert read[2] != bytes(range(16))
    assert read[4].version == 1
    assert run.asked == []


def test_two_runs_in_two_threads_get_their_own_answers(owned):
    other = Owned()
    second = Readings(other)
    second.install()
    both = threading.Barrier(2, timeout=10)
    got = {}

    def program(lookup, script, name):
        lookup.runs[threading.get_ident()] = script
        try:
            for _ in range(50):
                both.wait()
                got.setdefault(name, set()).add((time_ns(), early_now(UTC), uuid.uuid4().int))
        finally:
            del lookup.runs[threading.get_ident()]

    scripts = [Script(time_ns=1_000_000_000, urandom=bytes(16)), Script(urandom=bytes([255] * 16))]
    threads = [
        threading.Thread(target=program, args=(owned, scripts[0], "one")),
        threading.Thread(target=program, args=(other, scripts[1], "two")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    second.remove()

    assert {moment for moment, _, _ in got["one"]} == {1_000_000_000}
    assert {at.year for _, at, _ in got["two"]} == {2023}
    assert len(got["one"]) == len(got["two"]) == 1
    assert got["one"] != got["two"]


def test_installs_nest_and_the_last_remove_restores_everything():
    early = [early_time, os.urandom, time.strftime, time.localtime]
    environment = vars(os.environ)["_data"]
    before = [repr(one.__self__) for one in early], uuid.uuid1.__code__, id(environment)
    script = Script()
    readings, other = Readings(lambda: script), Readings(lambda: None)
    for _ in range(100):
        readings.install()
        readings.install()
        other.install()
        assert time_ns() == NOW_NS
        readings.remove()
        assert time_ns() == NOW_NS
        readings.remove()
        assert time_ns() > NOW_NS
        other.remove()

    assert [repr(one.__self__) for one in early] == before[0]
    assert (uuid.uuid1.__code__, id(vars(os.environ)["_data"])) == before[1:]
    assert ANSWERING.lookups == ()
    with pytest.raises(SetupError):
        readings.remove()


def test_a_function_that_does_not_reach_the_lookup_is_named_and_all_is_restored(monkeypatch):
    other = ModuleFunctionExchange(time.time)  # stands for another tool that replaces functions
    readings = Readings(lambda: None)
    monkeypatch.setattr(ModuleFunctionExchange, "put", lambda self, door: None)
    monkeypatch.setattr(ModuleFunctionExchange, "take_back", lambda self: None)

    with pytest.raises(SetupError, match=r"time\.time_ns does not reach"):
        readings.install()

    assert ANSWERING.lookups == ()
    assert type(vars(os.environ)["_data"]) is dict
    assert early_now() > datetime(2023, 11, 15)
    assert other.real() > 1e9


def test_what_is_not_answered_is_named_with_its_reason():
    assert all(reason for reason in NOT_ANSWERED.values())
    assert list(NOT_ANSWERED) == sorted(NOT_ANSWERED, key=str.lower)


PROGRAM = """
import os, random, secrets, sys, threading, uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from time import localtime, monotonic, strftime, time, time_ns
from replay.doors.surroundings.readings import Readings

class D(datetime): pass

@dataclass
class Stamped:
    at: datetime = field(default_factory=datetime.now)

class Run:
    def answer(self, source, argument, live):
        if source == "urandom": return bytes(int(argument))
        if source == "env": return argument.lower()
        return 1_700_000_000_123_456_789 if source.endswith("_ns") else live()

here, run, early_now = threading.get_ident(), Run(), datetime.now
readings = Readings(lambda: run if threading.get_ident() == here else None)
pointer = repr(time.__self__)
for _ in range(3):
    readings.install()
    assert time() == monotonic() == 1700000000.1234567, time()
    assert early_now(timezone.utc).microsecond == Stamped().at.microsecond == 123456
    assert type(D.now()) is type(D.today()) is D
    assert date.today().year == localtime().tm_year == 2023
    assert strftime("%Y") == "2023"
    assert random.Random().random() == random.Random(0).random()
    assert secrets.token_hex(4) == "00000000" and uuid.uuid4().version == 4
    assert uuid.uuid1().version == 1 and os.environ["ABC"] == os.getenv("ABC") == "abc"
    try:
        early_now("nowhere")
        raise SystemExit("no error")
    except TypeError as error:
        assert "tzinfo" in str(error)
    seen = []
    thread = threading.Thread(target=lambda: seen.append((time_ns(), early_now(), os.urandom(9))))
    thread.start(); thread.join()
    assert seen[0][0] > 1_700_000_001_000_000_000 and seen[0][1].year > 2023
    assert seen[0][2] != bytes(9)
    readings.remove()
assert repr(time.__self__) == pointer and time() > 1_700_000_001
print("answered", *sys.version_info[:2])
"""


@pytest.mark.timeout(400)
@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_each_supported_python_answers(minor):
    done = subprocess.run(
        [interpreter_of(f"3.{minor}"), "-W", "error::RuntimeWarning", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )

    assert (done.stdout, done.stderr) == (f"answered 3 {minor}\n", "")
