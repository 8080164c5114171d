"""State by store and key: what is there, who wrote it last, which writes are concurrent."""

import msgspec
import pytest

from replay.events.kinds import StateChanged
from replay.projections.fold import fold
from replay.projections.state import State
from tests.support.conversations import records, spawn
from tests.support.recordings import Recording


def change(run, operation, key="n", value=None, *, task=0, version=1, heard=(), **more):
    raw = {} if value is None else {"value": msgspec.Raw(msgspec.json.encode(value))}
    payload = StateChanged(
        store=more.pop("store", "board"),
        key=key,
        operation=operation,
        version=version,
        **raw,
        **more,
    )
    return run.add(payload, task=task, heard=heard)


def state_of(run):
    return fold(State(), records(run))


def test_the_last_write_is_the_value_and_names_its_writer():
    run = Recording()
    change(run, "held", value=1)
    last = change(run, "written", value=[2], version=2)

    (key,) = state_of(run).keys

    assert (key.value, key.version, key.writer, key.present) == ("[2]", 2, last, True)
    assert state_of(run).values("board") == {"n": "[2]"}


def test_offers_and_reads_change_nothing():
    run = Recording()
    change(run, "written", value=1)
    change(run, "offered", value=2)
    read = change(run, "read")
    change(run, "read", None, version=1)

    (key,) = state_of(run).keys

    assert (key.value, key.readers) == ("1", (read,))


def test_a_deleted_key_is_known_but_not_there():
    run = Recording()
    change(run, "written", value=1)
    gone = change(run, "deleted", version=2)

    state = state_of(run)

    assert state.values("board") == {}
    assert (state.keys[0].present, state.keys[0].writer) == (False, gone)


def test_items_make_a_list_and_a_deletion_cuts_it():
    run = Recording()
    for item, value in enumerate("abc"):
        change(run, "written", value=value, item=item)
    change(run, "written", value="B", item=1)
    change(run, "deleted", item=2)
    change(run, "written", value="z", item=9)

    assert state_of(run).values("board") == {"n": '["a","B","z"]'}


def test_stores_of_a_name_are_kept_apart():
    run = Recording()
    change(run, "written", value=1)
    change(run, "written", value=2, ordinal=1)

    state = state_of(run)

    assert (state.values("board"), state.values("board", 1)) == ({"n": "1"}, {"n": "2"})


def test_writes_that_do_not_know_of_each_other_are_concurrent():
    run = Recording()
    one, two = spawn(run), spawn(run, ordinal=1)
    first = change(run, "written", value=1, task=one)
    second = change(run, "written", value=2, task=two)
    third = change(run, "written", value=3, heard=(first, second))

    (key,) = state_of(run).keys

    assert key.concurrent == ((first, second),)
    assert key.latest == (third,)


@pytest.mark.parametrize("operation", ["held", "read", "offered"])
def test_only_writes_and_deletions_are_concurrent(operation):
    run = Recording()
    one, two = spawn(run), spawn(run, ordinal=1)
    change(run, operation, value=1, task=one)
    change(run, "written", value=2, task=two)

    assert state_of(run).keys[0].concurrent == ()


def test_a_deletion_beside_a_write_is_concurrent():
    run = Recording()
    one, two = spawn(run), spawn(run, ordinal=1)
    first = change(run, "deleted", task=one)
    second = change(run, "written", value=2, task=two)

    assert state_of(run).keys[0].concurrent == ((first, second),)


def test_a_write_that_was_handed_over_is_not_concurrent():
    run = Recording()
    one, two = spawn(run), spawn(run, ordinal=1)
    first = change(run, "written", value=1, task=one)
    change(run, "written", value=2, task=two, heard=(first,))

    assert state_of(run).keys[0].concurrent == ()


def test_one_write_may_be_beside_several():
    run = Recording()
    tasks = [spawn(run, ordinal=number) for number in range(3)]
    first, second, third = (change(run, "written", value=t, task=t) for t in tasks)

    assert state_of(run).keys[0].concurrent == ((first, second), (first, third), (second, third))
