# ruff: noqa: ASYNC110
"""Random asynchronous programs: drawn, interpreted, recorded, replayed, and traced.

A program is nested lists of plain data, so that a fresh process can be handed one. Running it
touches everything that the schedule has to order: tasks, timers, locks, queues, cancellation,
effects that take a random real time, worker threads that call back into the loop.
"""

import asyncio
import hashlib
import io
import json
import os
import random
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from replay.doors.effects import effect
from replay.log.duckdb_store import DuckDBStore
from replay.scheduler.core import ACTOR
from replay.scheduler.loop import DeterministicLoop
from replay.session.record import record_program
from replay.session.replay import replay_log

# Bound before any run: an effect's body is outside, where these are the real ones anyway.
_outside_random = random.SystemRandom()


@effect
async def ask(question: str, latency_ms: int) -> int:
    await asyncio.sleep(_outside_random.random() * latency_ms / 1000)
    return _outside_random.randrange(1000)


@effect
def ask_now(question: str, latency_ms: int) -> str:
    time.sleep(_outside_random.random() * latency_ms / 1000)
    return f"{question}:{_outside_random.randrange(1000)}"


@effect
async def refuse(question: str, latency_ms: int) -> int:
    await asyncio.sleep(_outside_random.random() * latency_ms / 1000)
    raise ValueError(question, _outside_random.randrange(1000))


class ChildError(Exception):
    """What a failing child raises."""


# --- drawing ------------------------------------------------------------------------------------

_LEAVES = (
    "sleep", "sleep", "effect", "effect", "effect_fails", "effect_sync", "print", "print", "clock",
    "random", "set", "await_event", "put", "put", "get", "cancel", "join", "thread", "yield",
    "callback", "generator", "stream", "notify",
)  # fmt: skip
_NODES = (
    "task", "task", "gather", "group", "failing_group", "timeout", "wait_for", "as_completed",
    "first", "lock", "lock", "semaphore", "shield", "condition", "spin",
)  # fmt: skip
#: Few distinct numbers, so that deadlines are often equal.
_DELAYS_MS = (0, 0, 1, 2, 2, 5)


def draw_program(rng: random.Random) -> list:
    """Draw a program of about twenty steps."""
    return _block(rng, 3)


def _block(rng: random.Random, depth: int) -> list:
    return [_step(rng, depth) for _ in range(rng.randint(1, 4))]


def _step(rng: random.Random, depth: int) -> list:
    if depth > 0 and rng.random() < 0.55:
        kind = rng.choice(_NODES)
        if kind in {"gather", "group", "failing_group", "as_completed", "first"}:
            blocks = [_block(rng, depth - 1) for _ in range(rng.randint(2, 4))]
            return [kind, rng.choice(_DELAYS_MS), rng.randrange(len(blocks)), blocks]
        if kind == "task":
            return [kind, rng.choice((None, "worker", "other")), _block(rng, depth - 1)]
        if kind == "spin":
            return [kind, rng.randint(1, 4), _block(rng, depth - 1)]
        return [kind, rng.choice(_DELAYS_MS), _block(rng, depth - 1)]
    return [rng.choice(_LEAVES), rng.choice(_DELAYS_MS), rng.randrange(3)]


# --- running ------------------------------------------------------------------------------------


class _World:
    """What the tasks of one program share."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task] = []
        self.lock = asyncio.Lock()
        self.semaphore = asyncio.Semaphore(2)
        self.condition = asyncio.Condition()
        self.events = [asyncio.Event() for _ in range(3)]
        self.queues = [asyncio.Queue(2), asyncio.LifoQueue(), asyncio.PriorityQueue()]
        self.items = 0

    def item(self) -> tuple[int, int]:
        self.items += 1
        return (-self.items % 3, self.items)


def program_of(tree: list):
    """Return the coroutine function that runs a drawn program."""

    async def main() -> int:
        world = _World()
        try:
            await _run(tree, world)
        except ChildError as error:
            print("main:", error)
        finally:
            print("left:", sum(not task.done() for task in world.tasks))
        await asyncio.wait_for(asyncio.gather(*world.tasks, return_exceptions=True), 0.05)
        return world.items

    return main


async def _run(block: list, world: _World) -> int:
    for number, step in enumerate(block):
        await _STEPS[step[0]](step, world, number)
    return len(block)


async def _sleep(step, world, number):
    await asyncio.sleep(step[1] / 1000)


async def _yield(step, world, number):
    await asyncio.sleep(0)


async def _effect(step, world, number):
    print("answer", await ask(f"q{number}", step[1]))


async def _effect_fails(step, world, number):
    try:
        await refuse(f"q{number}", step[1])
    except ValueError as error:
        print("refused", error)


async def _effect_sync(step, world, number):
    if step[2]:
        print("blocking", ask_now(f"s{number}", step[1]))
    else:
        print("thread", await asyncio.to_thread(ask_now, f"s{number}", step[1]))


async def _print(step, world, number):
    print("step", number, step[2])


async def _clock(step, world, number):
    print(
        "clock", time.time() > 0, round(asyncio.get_running_loop().time(), 6), time.monotonic_ns()
    )


async def _random(step, world, number):
    print("random", random.random(), os.urandom(4).hex())


async def _set(step, world, number):
    world.events[step[2]].set()


async def _await_event(step, world, number):
    try:
        await asyncio.wait_for(world.events[step[2]].wait(), 0.003)
        world.events[step[2]].clear()
    except TimeoutError:
        print("no event")


async def _put(step, world, number):
    try:
        await asyncio.wait_for(world.queues[step[2]].put(world.item()), 0.002)
    except TimeoutError:
        print("full")


async def _get(step, world, number):
    try:
        print("got", await asyncio.wait_for(world.queues[step[2]].get(), 0.002))
    except TimeoutError:
        print("empty")


async def _cancel(step, world, number):
    if world.tasks:
        print("cancel", world.tasks[step[2] % len(world.tasks)].cancel())


async def _join(step, world, number):
    task = world.tasks[step[2] % len(world.tasks)] if world.tasks else None
    if task is not None and task is not asyncio.current_task():
        done, _ = await asyncio.wait({task}, timeout=0.002)
        print("joined", len(done))


async def _thread(step, world, number):
    loop = asyncio.get_running_loop()

    def work() -> str:
        time.sleep(step[1] / 1000)
        inner = asyncio.run_coroutine_threadsafe(_run([["effect", 1, 0]], world), loop)
        try:
            count = inner.result(None if step[2] else 0.002)
        except TimeoutError:
            inner.cancel()
            count = -1
        print("in thread", count)
        return f"{number}"

    print("thread", await asyncio.to_thread(work))


async def _callback(step, world, number):
    loop = asyncio.get_running_loop()
    handle = loop.call_later(step[1] / 1000, print, "called", number)
    loop.call_soon(world.events[step[2]].set)
    if step[2] == 2:
        handle.cancel()


async def _stream(step, world, number):
    async for item in _numbers(step[2] + 1):
        print("item", item)


async def _generator(step, world, number):
    async for item in _numbers(4):
        if item == step[2]:
            break  # left suspended: its finalizer closes it


async def _numbers(count):
    try:
        for item in range(count):
            await asyncio.sleep(0)
            yield item
    finally:
        print("closed")


async def _notify(step, world, number):
    async with world.condition:
        world.condition.notify(step[2])


async def _condition(step, world, number):
    async with world.condition:
        try:
            await asyncio.wait_for(world.condition.wait(), 0.002)
        except TimeoutError:
            print("not notified")
    await _run(step[2], world)


async def _task(step, world, number):
    world.tasks.append(asyncio.create_task(_run(step[2], world), name=step[1]))


async def _gather(step, world, number):
    blocks = [_run(block, world) for block in step[3]]
    print("gathered", await asyncio.gather(*blocks, return_exceptions=step[2] % 2 == 0))


async def _group(step, world, number):
    async with asyncio.TaskGroup() as group:
        for index, block in enumerate(step[3]):
            group.create_task(_run(block, world), name=f"g{index}" if step[2] else None)


async def _failing_group(step, world, number):
    async def fail():
        await asyncio.sleep(step[1] / 1000)
        raise ChildError(number)

    try:
        async with asyncio.TaskGroup() as group:
            for index, block in enumerate(step[3]):
                group.create_task(_announced(block, world, index))
                if index == step[2]:
                    group.create_task(fail())
    except* ChildError as failed:
        print("group failed", len(failed.exceptions))


async def _announced(block, world, index):
    try:
        await _run(block, world)
    except asyncio.CancelledError:
        print("aborted", index)
        raise


async def _timeout(step, world, number):
    try:
        async with asyncio.timeout(step[1] / 1000):
            await _run(step[2], world)
    except TimeoutError:
        print("timed out")


async def _wait_for(step, world, number):
    try:
        print("in time", await asyncio.wait_for(_run(step[2], world), step[1] / 1000))
    except TimeoutError:
        print("late")


async def _as_completed(step, world, number):
    for future in asyncio.as_completed([_run(block, world) for block in step[3]]):
        print("completed", await future)


async def _first(step, world, number):
    tasks = {asyncio.create_task(_run(block, world)) for block in step[3]}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    print("first", len(done), sorted(task.result() for task in done if not task.cancelled()))
    for task in pending:
        task.cancel()


async def _lock(step, world, number):
    async with world.lock:
        await asyncio.sleep(step[1] / 1000)
        print("locked")
    await _run(step[2], world)


async def _semaphore(step, world, number):
    async with world.semaphore:
        await asyncio.sleep(step[1] / 1000)
    await _run(step[2], world)


async def _shield(step, world, number):
    inner = asyncio.ensure_future(_run(step[2], world))
    world.tasks.append(inner)
    try:
        await asyncio.wait_for(asyncio.shield(inner), step[1] / 1000)
    except TimeoutError:
        print("shielded")


async def _spin(step, world, number):
    """Keep the loop from idling until an effect is answered, for thousands of callbacks."""
    questions = [asyncio.create_task(ask(f"spin{n}", 3)) for n in range(step[1])]
    while not all(question.done() for question in questions):
        await asyncio.sleep(0)
    print("spun", [question.result() for question in questions])
    await _run(step[2], world)


_STEPS = {
    name.removeprefix("_"): function
    for name, function in list(globals().items())
    if name.startswith("_") and asyncio.iscoroutinefunction(function)
}


# --- recording, replaying, tracing --------------------------------------------------------------


@contextmanager
def tracing():
    """Digest each callback put in line: whose it is, what it is, and at what loop time."""
    digest = hashlib.sha256()
    steps = []
    soon, enqueue = DeterministicLoop.call_soon, DeterministicLoop.enqueue

    def note(loop, callback, context):
        actor = context.get(ACTOR)
        path = () if actor is None else actor.path()
        name = getattr(callback, "__qualname__", type(callback).__qualname__)
        line = f"{path} {name} {loop.scheduler.now} {loop.scheduler.ran}"
        steps.append(line)
        digest.update(line.encode())

    def call_soon(self, callback, *args, context=None):
        handle = soon(self, callback, *args, context=context)
        note(self, callback, handle._context)
        return handle

    def enqueue_timer(self, handle):
        note(self, handle._callback, handle._context)
        enqueue(self, handle)

    DeterministicLoop.call_soon, DeterministicLoop.enqueue = call_soon, enqueue_timer
    try:
        yield lambda: (digest.hexdigest(), len(steps), steps)
    finally:
        DeterministicLoop.call_soon, DeterministicLoop.enqueue = soon, enqueue


@contextmanager
def captured():
    """Take standard output as bytes, whatever stands there."""
    before, buffer = sys.stdout, io.BytesIO()
    sys.stdout = text = io.TextIOWrapper(buffer, "utf-8", write_through=True)
    try:
        yield buffer
    finally:
        sys.stdout = before
        text.detach()  # or its end would close the buffer


def record_tree(tree: list, workspace) -> dict:
    """Record a drawn program; return what a replay must give again."""
    main = program_of(tree)
    with captured() as out, tracing() as trace:
        recording = record_program(
            lambda: asyncio.run(main()), workspace=workspace, entry="drawn", dialects=()
        )
    digest, count, steps = trace()
    return {
        "directory": str(recording.directory),
        "tree": tree,
        "root": recording.root,
        "events": recording.events,
        "stdout": out.getvalue().decode(),
        "trace": digest,
        "callbacks": count,
        "steps": steps,
        "error": repr(recording.error),
    }


def replay_tree(recorded: dict) -> dict:
    """Replay a drawn program from its directory."""
    main = program_of(recorded["tree"])
    store = DuckDBStore.open(Path(recorded["directory"]), read_only=True)
    try:
        with captured() as out, tracing() as trace:
            report = replay_log(store, lambda: asyncio.run(main()), dialects=())
    finally:
        store.close()
    digest, count, steps = trace()
    return {
        "verdict": report.verdict,
        "root": report.root_replayed,
        "events": report.events,
        "stdout": out.getvalue().decode(),
        "trace": digest,
        "callbacks": count,
        "steps": steps,
        "live_effects": report.live_effects,
        "divergence": repr(report.divergence),
        "notes": report.notes,
    }


COMPARED = ("root", "events", "stdout", "trace", "callbacks")


def difference(recorded: dict, replayed: dict) -> str:
    """Say where a replay is not what was recorded; empty if it is."""
    wrong = [name for name in COMPARED if recorded[name] != replayed[name]]
    if replayed["verdict"] == "identical" and not replayed["live_effects"] and not wrong:
        return ""
    first = next(
        (
            (number, *pair)
            for number, pair in enumerate(zip(recorded["steps"], replayed["steps"], strict=False))
            if pair[0] != pair[1]
        ),
        None,
    )
    return (
        f"{replayed['verdict']} {wrong} first other step {first} {replayed['divergence']} "
        f"{replayed['notes']} of {json.dumps(recorded['tree'])}"
    )
