"""The writer against the memory store, held at the door where a test needs to look inside."""

from __future__ import annotations

import os
import threading
import time

import pytest

from replay.errors import LogError
from replay.events.kinds import OutputWritten
from replay.log.memory import MemoryStore
from replay.log.writer import Writer
from replay.tree.leaf import event_leaf
from replay.tree.merkle import root_of
from tests.contract.entries import Chain, chain


class GatedStore(MemoryStore):
    """A memory store whose appends wait at a gate and can be made to fail."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.batches = []
        self.error = None

    def append(self, entries):
        self.entered.release()
        self.gate.acquire()
        if self.error is not None:
            raise self.error
        self.batches.append(len(entries))
        super().append(entries)


def test_everything_submitted_is_durable_after_a_flush():
    store, entries = MemoryStore(), chain(50)
    writer = Writer(store)

    for entry in entries:
        writer.submit(entry)
    writer.flush()

    assert entries == list(store.entries())
    assert writer.durable == 50
    assert writer.pending_bytes == 0
    writer.close()


def test_close_makes_durable_what_was_submitted_and_may_be_called_twice():
    store, entries = MemoryStore(), chain(20)
    writer = Writer(store)

    for entry in entries:
        writer.submit(entry)
    writer.close()
    writer.close()

    assert entries == list(store.entries())
    with pytest.raises(LogError, match="closed"):
        writer.submit(entries[0])
    with pytest.raises(LogError, match="closed"):
        writer.after(20, lambda: None)


def test_what_gathers_during_a_commit_shares_the_next_one():
    store, entries = GatedStore(), chain(101)
    writer = Writer(store)

    writer.submit(entries[0])
    store.entered.acquire()
    for entry in entries[1:]:
        writer.submit(entry)
    store.gate.release(2)
    writer.flush()

    assert store.batches == [1, 100]
    writer.close()


def test_records_that_nobody_waits_for_share_the_commit_of_the_first_that_somebody_waits_for():
    store, entries, done = GatedStore(), chain(7), threading.Event()
    store.gate.release(10)
    writer = Writer(store, linger_ms=600_000)

    for entry in entries[:6]:
        writer.submit(entry)
    writer.after(5, done.set)
    assert done.wait(30)

    assert store.batches == [6]
    writer.submit(entries[6])
    writer.close()
    assert store.batches == [6, 1]


def test_a_record_that_nobody_waits_for_is_committed_after_the_linger():
    store = GatedStore()
    writer = Writer(store, linger_ms=1)

    writer.submit(chain(1)[0])

    assert store.entered.acquire(timeout=30)
    store.gate.release()
    writer.close()


def test_a_callback_runs_on_the_writers_thread_once_its_record_is_durable_and_not_before():
    store, entries = GatedStore(), chain(3)
    writer = Writer(store)
    calls = []
    done = threading.Event()

    def called(seq):
        calls.append((seq, store.size() > seq, threading.current_thread().name))
        if seq == 2:
            done.set()

    writer.submit(entries[0])
    store.entered.acquire()
    writer.after(2, lambda: called(2))
    writer.after(0, lambda: called(0))
    assert calls == []
    store.gate.release()
    writer.submit(entries[1])
    writer.submit(entries[2])
    store.gate.release(2)
    assert done.wait(30)

    assert calls == [(0, True, "ritornello-writer"), (2, True, "ritornello-writer")]
    writer.close()


def test_a_callback_for_a_durable_record_runs_at_once_on_the_caller():
    writer = Writer(MemoryStore())
    writer.submit(chain(1)[0])
    writer.flush()
    calls = []

    writer.after(0, lambda: calls.append(threading.current_thread()))

    assert calls == [threading.current_thread()]
    writer.close()


def test_the_root_and_each_head_cover_durable_records_only():
    store, entries, heads = MemoryStore(), chain(30), []
    writer = Writer(store, on_commit=lambda size, root: heads.append((size, root, store.size())))

    for entry in entries:
        writer.submit(entry)
    writer.close()

    leaves = [event_leaf(entry.raw) for entry in entries]
    assert (30, root_of(leaves)) == writer.root() == heads[-1][:2]
    assert all(root == root_of(leaves[:size]) for size, root, _ in heads)
    assert all(size <= there for size, _, there in heads)
    assert writer.frontier().size == 30


def test_the_head_covers_everything_when_the_end_comes_during_a_commit():
    store, entries, heads = GatedStore(), chain(9), []
    writer = Writer(store, on_commit=lambda size, root: heads.append((size, root)))
    for entry in entries:
        writer.submit(entry)
    ending = threading.Thread(target=writer.close)

    writer.after(0, lambda: None)
    store.entered.acquire()
    ending.start()
    while not writer._queue.qsize():  # the end stands in line while the commit goes on
        time.sleep(0.001)
    store.gate.release(9)
    ending.join()

    assert heads[-1] == (9, root_of([event_leaf(entry.raw) for entry in entries]))


def test_a_head_is_written_although_commits_follow_without_a_pause():
    store, entries, heads = MemoryStore(), chain(400), []
    writer = Writer(store, on_commit=lambda size, _: heads.append(size))

    for entry in entries:
        writer.submit(entry)
        writer.after(entry.header.seq, lambda: None)
    writer.flush()
    writer.close()

    assert heads == sorted(set(heads))
    assert heads[-1] == 400


def test_a_writer_on_a_store_with_records_continues_their_tree():
    store, entries = MemoryStore(), chain(10)
    store.append(entries[:6])
    writer = Writer(store)

    assert writer.durable == 6
    for entry in entries[6:]:
        writer.submit(entry)
    writer.close()

    assert writer.root() == (10, root_of([event_leaf(entry.raw) for entry in entries]))


def test_a_tree_of_another_size_than_the_store_is_refused():
    store = MemoryStore()
    other = Writer(MemoryStore())
    store.append(chain(2))

    with pytest.raises(LogError, match="0 leaves"):
        Writer(store, frontier=other.frontier())
    other.close()


def test_after_a_failed_commit_nothing_is_called_and_everything_is_refused():
    store, entries = GatedStore(), chain(4)
    told: list[LogError] = []
    called: list[int] = []
    writer = Writer(store, on_failure=told.append)
    error = LogError("disk full")

    writer.submit(entries[0])
    store.entered.acquire()
    writer.submit(entries[1])
    writer.after(0, lambda: called.append(0))
    writer.after(1, lambda: called.append(1))
    store.gate.release()
    store.entered.acquire()
    store.error = error
    store.gate.release()
    with pytest.raises(LogError, match="disk full"):
        writer.flush()

    with pytest.raises(LogError, match="disk full"):
        writer.submit(entries[2])
    with pytest.raises(LogError, match="disk full"):
        writer.after(1, lambda: called.append(1))
    writer.after(0, lambda: called.append(0))
    writer.close()
    assert told == [error]
    assert writer.failed is error
    assert called == [0, 0]
    assert writer.durable == 1


def test_a_foreign_exception_in_the_store_fails_the_writer_with_a_log_error():
    store = GatedStore()
    store.error = RuntimeError("unforeseen")
    store.gate.release()
    writer = Writer(store)
    writer.submit(chain(1)[0])

    with pytest.raises(LogError, match="unforeseen") as caught:
        writer.flush()

    assert caught.value.__cause__ is store.error
    writer.close()


def test_a_failed_head_stops_the_writer_although_the_records_are_durable():
    def failing(size, root):
        raise LogError("no head")

    writer = Writer(MemoryStore(), on_commit=failing)
    first, second = chain(2)
    writer.submit(first)
    writer.flush()

    with pytest.raises(LogError, match="no head"):
        writer.close()

    assert writer.durable == 1
    with pytest.raises(LogError, match="no head"):
        writer.submit(second)


def test_close_raises_when_records_were_lost_and_nobody_was_told():
    store = GatedStore()
    store.error = LogError("disk full")
    store.gate.release()
    writer = Writer(store)
    writer.submit(chain(1)[0])

    with pytest.raises(LogError, match="disk full"):
        writer.close()

    writer.close()


def test_pending_bytes_rise_with_each_submission_until_the_commit():
    store, entries = GatedStore(), chain(2)
    writer = Writer(store)

    writer.submit(entries[0])
    one = writer.pending_bytes
    writer.submit(entries[1])
    two = writer.pending_bytes
    store.gate.release(2)
    writer.flush()

    assert 0 < one < two
    assert writer.pending_bytes == 0
    writer.close()


def test_a_very_long_queue_becomes_several_commits():
    store, run = GatedStore(), Chain()
    writer = Writer(store)
    writer.submit(run.next())
    store.entered.acquire()
    for _ in range(40):
        body = run.random.randbytes(1_000_000)
        writer.submit(run.record(OutputWritten(stream="stdout", marks=()), body))
    store.gate.release(100)
    writer.flush()

    assert sum(store.batches) == 41
    assert len(store.batches) >= 3
    writer.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_is_told_that_it_has_no_writer():
    writer = Writer(MemoryStore())
    entry = chain(1)[0]

    child = os.fork()
    if child == 0:
        try:
            writer.submit(entry)
        except LogError:
            os._exit(7)
        os._exit(1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 7
    writer.close()
