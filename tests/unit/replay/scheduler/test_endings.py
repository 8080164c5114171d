"""How programs end: stalls, interrupts, exceptions nobody handles, divergence and its tear-down."""

import asyncio
import threading
import time

import pytest

from replay.doors.effects import effect
from replay.errors import WorkflowError
from replay.scheduler.ports import Halted
from tests.support.reruns import identical, rerun, rerun_program


@effect
async def answer(value: str) -> str:
    return value


class Text:
    """What a program says, so that another one can differ in nothing else."""

    now = "recorded"

    def change(self, main):
        def changed():
            self.now = "changed"
            return main()

        return changed


_HAPPENED = []


@effect
def happen(what: str) -> None:
    _HAPPENED.append(what)


def test_a_program_that_waits_for_nothing_fails_and_its_replay_is_identical(tmp_path):
    async def main():
        print(await answer("asked"))
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            print("never")

    found = rerun(main, tmp_path)
    assert isinstance(found.recording.error, WorkflowError)
    assert found.recording.reason == "failed"
    assert found.report.verdict == "identical", found.report
    assert found.live == found.again == "asked\n"


def test_a_stall_in_a_worker_thread_is_the_programs(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()

        def work():
            try:
                asyncio.run_coroutine_threadsafe(asyncio.Event().wait(), loop).result()
            except Exception:
                print("not its business")

        await asyncio.to_thread(work)

    before = threading.active_count()
    found = rerun(main, tmp_path)
    assert isinstance(found.recording.error, WorkflowError)
    assert found.report.verdict == "identical", found.report
    assert found.live == ""
    assert threading.active_count() <= before + 1  # the thread of effects may have come


def test_a_replay_that_waits_where_the_recording_went_on_names_what_is_missing(tmp_path):
    text = Text()

    async def main():
        await answer("one")
        if text.now == "changed":
            await asyncio.get_running_loop().create_future()
        await answer("two")

    found = rerun(main, tmp_path, changed=text.change(main))
    assert found.report.verdict == "diverged"
    divergence = found.report.divergence
    assert (divergence.category, divergence.recorded_kind) == ("missing", "EffectStarted")


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(), SystemExit(3), RuntimeError("x")]
)
def test_what_a_task_raises_ends_the_run_as_it_would_end_the_process(error, tmp_path):
    async def child():
        await asyncio.sleep(0)
        raise error

    async def main():
        task = asyncio.create_task(child())
        try:
            await asyncio.sleep(0.01)
            await task
        finally:
            print("unwound")

    found = rerun(main, tmp_path)
    assert found.report.verdict == "identical", found.report
    assert found.live == found.again == "unwound\n"
    kind = type(error)
    assert isinstance(found.recording.error, kind)
    expected = {KeyboardInterrupt: "cancelled", RuntimeError: "failed"}
    code = getattr(error, "code", None)
    assert found.recording.reason == expected.get(kind, "failed" if code else "completed")


def test_an_exception_in_a_callback_goes_to_the_handler_and_the_program_goes_on(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: print(repr(context["exception"])))
        loop.call_soon(lambda: 1 / 0)
        loop.call_later(0.001, [].pop)
        await asyncio.sleep(0.002)

    assert identical(main, tmp_path).lines == [
        "ZeroDivisionError('division by zero')",
        "IndexError('pop from empty list')",
    ]


def test_an_exception_that_nobody_fetched_is_reported_as_asyncio_does(tmp_path):
    async def main():
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: print(context["message"])
        )

        async def fail():
            raise ValueError

        task = asyncio.create_task(fail())
        await asyncio.sleep(0.001)
        del task
        fetched = asyncio.create_task(fail())
        await asyncio.wait([fetched])
        fetched.exception()
        del fetched

    assert identical(main, tmp_path).lines == ["Task exception was never retrieved"]


def test_generators_left_open_are_closed_at_the_end_in_order(tmp_path):
    async def main():
        async def numbers(name):
            try:
                yield name
            finally:
                await asyncio.sleep(0)
                print("closed", name)

        kept = [numbers(name) for name in "abc"]
        for generator in kept:
            await anext(generator)
        async for _ in numbers("dropped"):
            break
        await asyncio.sleep(0.001)
        main.kept = kept

    assert identical(main, tmp_path).lines == ["closed dropped", "closed a", "closed b", "closed c"]


def test_threads_still_at_work_are_waited_for_as_asyncio_run_does(tmp_path):
    async def main():
        def work():
            time.sleep(0.01)
            print("worked")

        asyncio.get_running_loop().run_in_executor(None, work)
        print("leaving")

    assert identical(main, tmp_path).lines == ["leaving", "worked"]


def test_two_loops_one_after_the_other_are_one_run(tmp_path):
    async def part(name):
        print(await answer(name))
        return name

    def program():
        return asyncio.run(part("one")) + asyncio.run(part("two"))

    found = rerun_program(program, tmp_path)
    assert found.report.verdict == "identical", found.report
    assert found.recording.result() == "onetwo"


def test_threads_call_back_into_the_loop_and_wait_also_nested_and_in_vain(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()

        async def inner(depth):
            if depth:
                return await asyncio.to_thread(outer, depth - 1)
            return await answer("deep")

        def outer(depth):
            return asyncio.run_coroutine_threadsafe(inner(depth), loop).result() + str(depth)

        print(await asyncio.to_thread(outer, 3))

        def in_vain():
            waiting = asyncio.run_coroutine_threadsafe(asyncio.sleep(60), loop)
            try:
                waiting.result(0.002)
            except TimeoutError:
                print("gave up")
                waiting.cancel()

        await asyncio.to_thread(in_vain)

    assert identical(main, tmp_path).lines == ["deep0123", "gave up"]


def test_after_a_divergence_nothing_happens_and_coroutines_close_in_order_of_creation(tmp_path):
    closed = []
    text = Text()

    async def main():
        async def wait(number):
            try:
                await asyncio.sleep(60)
            except BaseException as error:
                closed.append((number, type(error).__name__))
                raise
            finally:
                happen(f"cleanup {number}")
                print("cleanup")

        tasks = [asyncio.create_task(wait(number)) for number in range(4)]
        await asyncio.sleep(0)
        try:
            await answer(text.now)
        except Exception:
            print("swallowed")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    found = rerun(main, tmp_path, changed=text.change(main))
    assert found.report.verdict == "diverged"
    assert found.report.divergence.replayed_kind == "EffectStarted"
    assert found.report.live_effects == 0
    assert "cleanup" in found.live
    assert "swallowed" not in found.again
    assert "cleanup" not in found.again
    # Once each live, cancelled; then each closed by the tear-down.
    assert closed[:4] == [(number, "CancelledError") for number in range(4)]
    assert [number for number, _ in closed[4:]] == [0, 1, 2, 3]
    # Those of the recording happened; the replay's clean-up must not.
    assert [f"cleanup {number}" for number in range(4)] == _HAPPENED


def test_a_program_that_swallows_the_halt_is_diverged_all_the_same(tmp_path):
    text = Text()
    caught = []

    async def main():
        try:
            await answer(text.now)
        except BaseException as error:
            caught.append(isinstance(error, Halted))
        return "fine"

    found = rerun(main, tmp_path, changed=text.change(main))
    assert found.report.verdict == "diverged"
    assert found.report.divergence.replayed_kind == "EffectStarted"
    assert caught == [True]


def test_threads_are_let_go_after_a_divergence(tmp_path):
    text = Text()

    async def main():
        loop = asyncio.get_running_loop()

        def work():
            time.sleep(60 if text.now == "changed" else 0.001)
            asyncio.run_coroutine_threadsafe(answer("x"), loop).result()

        waiting = [asyncio.ensure_future(asyncio.to_thread(work)) for _ in range(3)]
        await asyncio.sleep(0)
        await answer(text.now)
        await asyncio.gather(*waiting)

    before = threading.enumerate()
    found = rerun(main, tmp_path, changed=text.change(main))
    assert found.report.verdict == "diverged"
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive() and "worker" in thread.name]
