"""Who knew of whom: recorded causes against the hand-overs that a program is known to make."""

import asyncio
import itertools

import pytest

from replay.doors.context import current
from replay.events.payload import decode_payload
from replay.log.duckdb_store import DuckDBStore
from replay.projections.clocks import VectorClocks
from replay.session.record import record_program
from tests.determinism.programs import captured


def mark(name):
    """Leave a record of its own."""
    print(name)
    current().recorder.flush()


class Order:
    """The causal order of the marks of a recorded program."""

    def __init__(self, main, workspace):
        with captured():
            recording = record_program(
                lambda: asyncio.run(main()), workspace=workspace, entry="marks", dialects=()
            )
        assert recording.error is None, recording.error
        store = DuckDBStore.open(recording.directory, read_only=True)
        self.entries = list(store.entries())
        store.close()
        builder = VectorClocks().builder(VectorClocks().initial())
        self.seqs = {}
        parts = {part.ordinal: part.data for entry in self.entries for part in entry.brought}
        for entry in self.entries:
            builder.add(entry.header)
            if entry.header.kind == "OutputWritten":
                data = b"".join(parts[ordinal] for ordinal in entry.parts)
                body = decode_payload(entry.header.media, data)[1]
                self.seqs[body.decode().strip()] = entry.header.seq
        self.clocks = builder.state()

    def __call__(self, first, second):
        return self.clocks.order(self.seqs[first], self.seqs[second])


@pytest.fixture
def order_of(tmp_path):
    return lambda main: Order(main, tmp_path)


async def marked(name, *, ticks=1):
    for _ in range(ticks):
        await asyncio.sleep(0)
    mark(name)
    return name


def test_a_child_is_after_its_spawn_and_before_whoever_awaited_it(order_of):
    async def main():
        mark("spawning")
        child = asyncio.create_task(marked("child"))
        other = asyncio.create_task(marked("other"))
        mark("spawned")
        await child
        mark("awaited")
        await other

    order = order_of(main)
    assert order("spawning", "child") == "before"
    assert order("spawned", "child") == "concurrent"
    assert order("child", "other") == "concurrent"
    assert order("child", "awaited") == "before"
    assert order("other", "awaited") == "concurrent"


@pytest.mark.parametrize("how", ["gather", "group", "wait", "as_completed", "timeout"])
def test_a_join_is_after_all_that_it_joined(how, order_of):
    async def join(names):
        if how == "gather":
            await asyncio.gather(*[marked(name, ticks=n) for n, name in enumerate(names)])
        elif how == "group":
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(marked(name))
        elif how == "wait":
            tasks = [asyncio.create_task(marked(name)) for name in names]
            for task in (await asyncio.wait(tasks))[0]:
                task.result()
        elif how == "as_completed":
            for future in asyncio.as_completed([marked(name) for name in names]):
                await future
        else:
            await asyncio.wait_for(asyncio.gather(*map(marked, names)), 5)

    async def main():
        await join(["one", "two", "three"])
        mark("joined")

    order = order_of(main)
    for name in ("one", "two", "three"):
        assert order(name, "joined") == "before"
    assert order("one", "two") == order("two", "three") == "concurrent"


def test_the_first_of_two_completed_is_known_and_the_second_is_not(order_of):
    async def main():
        tasks = [asyncio.create_task(marked("slow", ticks=9)), asyncio.create_task(marked("fast"))]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == ["fast"]
        mark("first")
        await asyncio.wait(pending)

    order = order_of(main)
    assert order("fast", "first") == "before"
    assert order("slow", "first") == "concurrent"


@pytest.mark.parametrize("kind", [asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue])
@pytest.mark.parametrize("blocked", [False, True])
def test_a_taker_is_after_the_giver_of_its_item_and_of_no_other(kind, blocked, order_of):
    async def main():
        queue = kind()

        async def give(number):
            await asyncio.sleep(0.001 * number if blocked else 0)
            mark(f"giving {number}")
            queue.put_nowait((number, "x"))
            mark(f"gave {number}")

        async def take():
            await asyncio.sleep(0 if blocked else 0.002)
            for _ in range(3):
                number, _ = await queue.get()
                mark(f"took {number}")
                await asyncio.sleep(0)

        takers = [asyncio.create_task(take())]
        if not blocked:
            # One taker takes in order; three show that knowledge does not travel by the queue.
            takers[0].cancel()

            async def take_one():
                await asyncio.sleep(0.002)
                number, _ = await queue.get()
                mark(f"took {number}")

            takers = [asyncio.create_task(take_one()) for _ in range(3)]
        await asyncio.gather(*[give(number) for number in range(3)])
        await asyncio.gather(*takers)

    order = order_of(main)
    for number in range(3):
        assert order(f"giving {number}", f"took {number}") == "before"
        assert order(f"gave {number}", f"took {number}") == "concurrent"
        for other in range(3):
            if other != number and not (blocked and other < number):
                assert order(f"giving {other}", f"took {number}") == "concurrent"


def test_an_item_that_nobody_of_the_loop_put_does_not_shift_the_givers_of_others(order_of):
    queue = asyncio.Queue()
    queue.put_nowait("before the run")

    async def main():
        async def take(name):
            await asyncio.sleep(0.003)
            queue.get_nowait()
            mark(name)

        async def give():
            mark("giving")
            queue.put_nowait("from a task")

        await asyncio.gather(take("first"), take("second"), give())

    order = order_of(main)
    assert order("giving", "first") == "concurrent"
    assert order("giving", "second") == "before"


def test_one_object_put_by_two_is_taken_from_each_in_turn(order_of):
    async def main():
        queue = asyncio.Queue()

        async def give(name):
            mark(name)
            queue.put_nowait(None)

        async def take(name):
            await asyncio.sleep(0.003)
            queue.get_nowait()
            mark(name)

        await asyncio.gather(take("first"), take("second"), give("one"), give("two"))

    order = order_of(main)
    assert order("one", "first") == order("two", "second") == "before"
    assert order("two", "first") == order("one", "second") == "concurrent"


def test_the_next_holder_of_a_lock_is_after_the_one_before_but_not_after_its_later_deeds(order_of):
    async def main():
        lock = asyncio.Lock()

        async def hold(name, delay):
            await asyncio.sleep(delay)
            async with lock:
                mark(f"{name} holds")
                await asyncio.sleep(0.001)
            mark(f"{name} left")

        # The third comes when nobody holds it, and still depends on both.
        await asyncio.gather(hold("a", 0), hold("b", 0), hold("c", 0.01))

    order = order_of(main)
    assert order("a holds", "b holds") == order("b holds", "c holds") == "before"
    assert order("a holds", "c holds") == "before"
    assert order("a left", "b holds") == order("b left", "c holds") == "concurrent"


def test_a_semaphore_hands_on_each_token_with_what_its_last_holder_knew(order_of):
    async def main():
        semaphore = asyncio.Semaphore(2)

        async def hold(name, delay, length):
            await asyncio.sleep(delay)
            async with semaphore:
                mark(name)
                await asyncio.sleep(length)

        await asyncio.gather(hold("a", 0, 0.002), hold("b", 0, 0.02), hold("c", 0.001, 0))

    order = order_of(main)
    assert order("a", "b") == order("b", "c") == "concurrent"
    assert order("a", "c") == "before"


@pytest.mark.parametrize("early", [False, True])
def test_who_waits_for_an_event_is_after_who_set_it(early, order_of):
    async def main():
        event = asyncio.Event()

        async def wait():
            await asyncio.sleep(0.003 if early else 0)
            await event.wait()
            mark("saw")

        async def set_it():
            await asyncio.sleep(0.001)
            mark("setting")
            event.set()
            mark("set")

        await asyncio.gather(wait(), set_it())

    order = order_of(main)
    assert order("setting", "saw") == "before"
    assert order("set", "saw") == "concurrent"


def test_a_condition_hands_over_from_who_notified(order_of):
    async def main():
        condition = asyncio.Condition()

        async def wait():
            async with condition:
                await condition.wait()
                mark("woken")

        async def notify():
            await asyncio.sleep(0.001)
            async with condition:
                mark("notifying")
                condition.notify()

        await asyncio.gather(wait(), notify(), marked("bystander"))

    order = order_of(main)
    assert order("notifying", "woken") == "before"
    assert order("bystander", "woken") == "concurrent"


def test_a_future_hands_over_from_who_set_it_also_when_it_was_done_before(order_of):
    async def main():
        early = asyncio.get_running_loop().create_future()

        async def give():
            mark("giving")
            early.set_result(1)
            mark("given")

        async def take():
            await asyncio.sleep(0.002)
            await early
            mark("taken")

        await asyncio.gather(give(), take())

    order = order_of(main)
    assert order("giving", "taken") == "before"
    assert order("given", "taken") == "concurrent"


def test_a_worker_thread_is_after_who_sent_it_and_before_who_waited(order_of):
    async def main():
        loop = asyncio.get_running_loop()
        mark("sending")

        def work():
            mark("working")
            asyncio.run_coroutine_threadsafe(marked("inside"), loop).result()
            mark("worked")

        await asyncio.gather(asyncio.to_thread(work), marked("beside"))
        mark("received")

    order = order_of(main)
    steps = ("sending", "working", "inside", "worked", "received")
    for first, second in itertools.pairwise(steps):
        assert order(first, second) == "before"
    assert order("beside", "working") == "concurrent"


def test_cancellation_hands_over_from_who_cancelled(order_of):
    async def main():
        async def victim():
            try:
                await asyncio.sleep(60)
            finally:
                mark("cancelled")

        async def killer(task):
            await asyncio.sleep(0)
            mark("cancelling")
            task.cancel()

        task = asyncio.create_task(victim())
        await asyncio.gather(killer(task), task, return_exceptions=True)

    order = order_of(main)
    assert order("cancelling", "cancelled") == "before"


def test_lamport_time_is_one_more_than_that_of_the_latest_cause(order_of):
    async def main():
        queue = asyncio.Queue(1)

        async def give():
            for number in range(5):
                await queue.put(number)
                mark(f"put {number}")

        async def take():
            for _ in range(5):
                mark(f"got {await queue.get()}")

        async with asyncio.TaskGroup() as group:
            group.create_task(give())
            group.create_task(take())
            group.create_task(asyncio.to_thread(mark, "thread"))

    entries = order_of(main).entries
    lamports = [entry.header.lamport for entry in entries]
    for entry in entries:
        causes = entry.header.causes
        assert causes == tuple(sorted(set(causes)))
        assert all(cause < entry.header.seq for cause in causes)
        assert entry.header.lamport == 1 + max((lamports[c] for c in causes), default=-1)
