"""What differs between Python minors, each where it exists."""

import asyncio
import sys

import pytest

from replay.doors.effects import effect
from tests.support.reruns import identical, rerun


@effect
async def answer(value: str) -> str:
    return value


async def _work(name):
    print(await answer(name))
    return name


def test_names_reach_a_task_and_its_label_however_they_were_given(tmp_path):
    async def main():
        async with asyncio.TaskGroup() as group:
            one = group.create_task(_work("one"), name="named")
            two = group.create_task(_work("two"))
        late = asyncio.create_task(_work("three"))
        late.set_name("late")
        await late
        print(one.get_name(), two.get_name().startswith("Task-"), late.get_name())

    found = identical(main, tmp_path)
    assert found.lines[-1] == "named True late"
    spawned = b"".join(
        part.data for e in found.entries if e.header.kind == "TaskSpawned" for part in e.brought
    )
    for label in (b'"named"', b'"_work"', b'"late"'):
        assert label in spawned


def test_a_task_factory_of_the_program_is_asked(tmp_path):
    async def main():
        from replay.scheduler.tasks import Task

        loop = asyncio.get_running_loop()

        def factory(loop, coroutine, **options):
            print("made")
            return Task(coroutine, loop=loop, **options)

        loop.set_task_factory(factory)
        await asyncio.create_task(_work("x"), name="x")

    assert identical(main, tmp_path).lines == ["made", "x"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks_run_at_once_and_are_recorded_in_order(tmp_path):
    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

        async def at_once(name):
            print("in", name)
            return name

        tasks = [asyncio.create_task(at_once(name)) for name in "ab"]
        print("out", [task.done() for task in tasks])
        print(await asyncio.gather(*tasks, _work("waits")))

    found = identical(main, tmp_path)
    assert found.lines[:3] == ["in a", "in b", "out [True, True]"]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the asynchronous form came with 3.13")
def test_as_completed_can_be_iterated_asynchronously(tmp_path):
    async def main():
        tasks = [asyncio.create_task(_work(name)) for name in "abc"]
        async for task in asyncio.as_completed(tasks):
            print(task in tasks, await task)

    assert [line[:4] for line in identical(main, tmp_path).lines if " " in line] == ["True"] * 3


@pytest.mark.skipif(sys.version_info < (3, 13), reason="queues shut down since 3.13")
def test_a_queue_that_is_shut_down_wakes_its_takers(tmp_path):
    async def main():
        queue = asyncio.Queue()

        async def take():
            try:
                while True:
                    print(await queue.get())
            except asyncio.QueueShutDown:
                print("over")

        tasks = [asyncio.create_task(take()) for _ in range(2)]
        await queue.put("item")
        await asyncio.sleep(0)
        queue.shutdown()
        await asyncio.gather(*tasks)

    assert identical(main, tmp_path).lines == ["item", "over", "over"]


def test_a_task_without_a_name_is_labelled_by_what_it_runs(tmp_path):
    name = "_work"

    async def main():
        await asyncio.create_task(_work("x"), name=name)

    async def unnamed():
        await asyncio.create_task(_work("x"))

    unnamed.__qualname__ = main.__qualname__
    # The name is that of the coroutine function anyway, so nothing differs.
    assert rerun(main, tmp_path, changed=unnamed).report.verdict == "identical"
