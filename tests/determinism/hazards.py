"""Programs whose order an ordinary event loop takes from memory addresses."""

import asyncio
import gc
import random

COUNT = 12


async def group_abort():
    """A TaskGroup aborts its children in the order of a set."""

    async def child(number):
        try:
            await asyncio.sleep(60)
        finally:
            print("aborted", number)

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(COUNT):
                group.create_task(child(number))
            await asyncio.sleep(0)
            raise ValueError
    except* ValueError:
        print("failed")


async def wait_sets():
    """What asyncio.wait returns is iterated in the order of a set."""
    tasks = [asyncio.create_task(asyncio.sleep(0, number)) for number in range(COUNT)]
    done, _ = await asyncio.wait(tasks)
    print([task.result() for task in done])


async def as_completed_starts():
    """as_completed starts its coroutines in the order of a set."""

    async def work(number):
        print("started", number)
        return number

    for future in asyncio.as_completed([work(number) for number in range(COUNT)]):
        print("completed", await future)


async def gather_of_a_set():
    """Tasks kept in a set, as the documentation advises, and gathered from it."""

    async def work(number):
        await asyncio.sleep(0)
        return number

    tasks = {asyncio.create_task(work(number)) for number in range(COUNT)}
    print(await asyncio.gather(*tasks))


async def left_tasks():
    """asyncio.run cancels what is left in the order of a set."""

    async def work(number):
        try:
            await asyncio.sleep(60)
        finally:
            print("cancelled", number)

    for number in range(COUNT):
        _KEPT.append(asyncio.create_task(work(number)))
        # So that numbers given in order of creation collide in a small table.
        for _ in range(number % 3 * 16 + 15):
            asyncio.get_running_loop().create_future()
    await asyncio.sleep(0)


async def left_generators():
    """asyncio.run closes async generators in the order of a set."""

    async def numbers(name):
        try:
            yield name
        finally:
            print("closed", name)

    kept = _KEPT
    kept[:] = [numbers(number) for number in range(COUNT)]
    for generator in kept:
        await anext(generator)


#: Keeps what the last program left alive past its end.
_KEPT: list = []

HAZARDS = (
    group_abort,
    wait_sets,
    as_completed_starts,
    gather_of_a_set,
    left_tasks,
    left_generators,
)


async def many_tasks():
    """Make asyncio's table of all tasks grow."""
    _KEPT.append([asyncio.create_task(asyncio.sleep(60)) for _ in range(500)])
    await asyncio.sleep(0)


def noise(seed: int) -> list:
    """Allocate objects of many sizes and give back some, so that new ones land elsewhere."""
    _KEPT.clear()
    gc.collect()
    rng = random.Random(seed)
    kept = [bytearray(rng.randrange(16, 1500)) for _ in range(rng.randrange(4000))]
    rng.shuffle(kept)
    del kept[: len(kept) // 2]
    return kept
