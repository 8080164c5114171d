"""A run reads its own environment; what it writes is visible to it at once and undone later."""

import functools
import os
import subprocess
import sys
import threading

import pytest

from replay.doors.surroundings.readings import Readings
from replay.errors import IntegrityError

environ = os.environ  # bound before any exchange
getenv = os.getenv
get = os.environ.get

NAME = "RITORNELLO_TEST_NAME"
OTHER = "RITORNELLO_TEST_OTHER"


class Recorded:
    """A run that answers from a table: names to values."""

    def __init__(self, **table):
        self.table = table
        self.asked = []

    def answer(self, source, argument, live):
        self.asked.append((source, argument))
        if source not in {"env", "env_names"}:
            return live()
        return sorted(self.table) if source == "env_names" else self.table.get(argument)


class Live:
    """A run that records: answers what is so, once and for all."""

    def __init__(self):
        self.cache = {}

    def answer(self, source, argument, live):
        if (source, argument) not in self.cache:
            self.cache[source, argument] = live()
        return self.cache[source, argument]


class Owner:
    """Gives the run that the test set."""

    def __init__(self):
        self.run: object = None
        self.readings = Readings(self)

    def __call__(self):
        return self.run if threading.current_thread() is threading.main_thread() else None


@pytest.fixture
def owner(monkeypatch):
    monkeypatch.delenv(OTHER, raising=False)
    monkeypatch.setenv(NAME, "real")
    one = Owner()
    one.readings.install()
    yield one
    one.readings.remove()


@pytest.fixture
def run(owner):
    return Recorded(PATH="/recorded", **{NAME: "recorded"})


def in_run(test):
    """Owns the thread for the test's body only: pytest writes to the environment around it."""

    @functools.wraps(test)
    def body(**given):
        given["owner"].run = given.get("run")
        try:
            test(**given)
        finally:
            given["owner"].run = None

    return body


def in_thread(call):
    got = []
    thread = threading.Thread(target=lambda: got.append(call()))
    thread.start()
    thread.join(10)
    return got[0]


def child_reads(name):
    code = f"import os; print(os.environ.get({name!r}))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@in_run
def test_every_way_of_reading_is_answered(owner, run):
    assert environ[NAME] == os.environ[NAME] == get(NAME) == getenv(NAME) == "recorded"
    assert os.environb[NAME.encode()] == os.getenvb(NAME.encode()) == b"recorded"
    assert NAME in environ
    assert set(run.asked) == {("env", NAME)}


@in_run
def test_a_name_that_was_not_there_is_missing(owner, run):
    assert get(OTHER) is None
    assert getenv(OTHER, "default") == "default"
    assert OTHER not in environ
    with pytest.raises(KeyError, match=OTHER):
        environ[OTHER]


@in_run
def test_iteration_length_and_copies_show_the_recorded_names_in_order(owner, run):
    wanted = {"PATH": "/recorded", NAME: "recorded"}

    assert list(environ) == sorted(wanted)
    assert len(environ) == 2
    assert dict(environ) == environ.copy() == wanted
    assert environ | {"X": "y"} == {**wanted, "X": "y"}
    assert repr(environ) == f"environ({{'PATH': '/recorded', '{NAME}': 'recorded'}})"
    assert list(os.environb.items()) == [(b"PATH", b"/recorded"), (NAME.encode(), b"recorded")]
    assert os.get_exec_path() == ["/recorded"]


@in_run
def test_a_foreign_thread_reads_and_writes_the_real_environment(owner, run):
    assert in_thread(lambda: environ[NAME]) == "real"
    assert in_thread(lambda: len(environ)) > 2

    in_thread(lambda: environ.__setitem__(OTHER, "foreign"))

    assert get(OTHER) is None
    assert in_thread(lambda: environ.pop(OTHER)) == "foreign"


@in_run
def test_a_run_sees_what_it_wrote_and_children_inherit_it(owner, run):
    environ[NAME] = "written"
    os.environb[OTHER.encode()] = b"other"

    assert (environ[NAME], getenv(OTHER)) == ("written", "other")
    assert list(environ) == sorted(["PATH", NAME, OTHER])
    assert in_thread(lambda: environ[NAME]) == "written"
    assert (child_reads(NAME), child_reads(OTHER)) == ("written", "other")


@in_run
def test_a_run_deletes_what_only_its_record_has(owner, run):
    run.table[OTHER] = "recorded"

    assert environ.pop(OTHER) == "recorded"
    del environ[NAME]

    assert list(environ) == ["PATH"]
    assert get(NAME) is None
    with pytest.raises(KeyError):
        del environ[NAME]
    assert child_reads(NAME) == "None"


@in_run
def test_setdefault_update_and_clear_act_on_the_answered_environment(owner, run):
    assert environ.setdefault(NAME, "no") == "recorded"
    assert environ.setdefault(OTHER, "yes") == "yes"
    environ.update({"RITORNELLO_TEST_THIRD": "3"})
    assert environ.keys() == {"PATH", NAME, OTHER, "RITORNELLO_TEST_THIRD"}


@in_run
def test_remove_undoes_what_a_run_wrote(owner, run):
    environ[NAME] = "written"
    environ[OTHER] = "written"

    owner.readings.remove()

    try:
        assert (environ[NAME], get(OTHER)) == ("real", None)
        assert (child_reads(NAME), child_reads(OTHER)) == ("real", "None")
        assert type(vars(environ)["_data"]) is dict
        assert vars(environ)["_data"] is vars(os.environb)["_data"]
    finally:
        owner.readings.install()


@in_run
def test_remove_restores_what_a_run_deleted(owner, run):
    del environ[NAME]

    owner.readings.close_run(run)
    owner.run = None

    assert environ[NAME] == child_reads(NAME) == "real"


@in_run
def test_a_foreign_write_after_the_runs_own_stays(owner, run):
    environ[NAME] = "written"
    in_thread(lambda: environ.__setitem__(NAME, "foreign"))

    owner.readings.close_run(run)
    owner.run = None

    assert environ[NAME] == "foreign"


@pytest.mark.parametrize("first_closed", [0, 1])
@in_run
def test_two_runs_do_not_see_each_others_writes(owner, first_closed):
    runs = [Recorded(), Recorded()]
    for number, one in enumerate(runs):
        owner.run = one
        environ[NAME] = f"run {number}"

    for number, one in enumerate(runs):
        owner.run = one
        assert environ[NAME] == f"run {number}"
    owner.readings.close_run(runs[first_closed])
    owner.readings.close_run(runs[1 - first_closed])
    owner.run = None

    assert environ[NAME] == "real"


@in_run
def test_a_live_run_records_what_is_real(owner):
    owner.run = Live()

    assert environ[NAME] == "real"
    in_thread(lambda: environ.__setitem__(NAME, "changed"))
    assert environ[NAME] == "real"
    assert NAME in list(environ)
    assert in_thread(lambda: environ[NAME]) == "changed"


@in_run
def test_bytes_that_are_no_text_survive(owner):
    in_thread(lambda: os.environb.__setitem__(OTHER.encode(), b"\xff"))
    owner.run = Live()

    assert os.environb[OTHER.encode()] == b"\xff"
    assert environ[OTHER] == "\udcff"
    owner.run = None
    del environ[OTHER]


@pytest.mark.parametrize("value", [5, b"bytes", ["list"], True])
@in_run
def test_a_value_of_the_wrong_form_is_refused(owner, run, value):
    run.table[NAME] = value

    with pytest.raises(IntegrityError, match="must be text"):
        environ[NAME]


@pytest.mark.parametrize("names", ["text", [1], None, {"a": 1}])
@in_run
def test_names_of_the_wrong_form_are_refused(owner, run, names):
    run.answer = lambda source, argument, live: names

    with pytest.raises(IntegrityError, match="list of text"):
        list(environ)


@in_run
def test_names_that_are_no_text_keep_the_interpreters_own_error(owner, run):
    with pytest.raises(TypeError, match="str expected"):
        environ[5]
    with pytest.raises(TypeError):
        environ["X"] = 5
