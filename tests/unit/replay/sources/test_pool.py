"""The pool of daemon threads: bounded, reused, and what happens to what is called."""

import asyncio
import threading

import pytest

from replay.sources.pool import DaemonPool


def test_as_many_calls_as_allowed_are_under_way_at_once():
    pool = DaemonPool("test", threads_max=20)
    together = threading.Barrier(20)

    futures = [pool.submit(together.wait, 30) for _ in range(20)]

    assert sorted(future.result() for future in futures) == list(range(20))


def test_more_calls_wait_in_line_for_the_threads_there_are():
    pool = DaemonPool("test", threads_max=2)
    names = set()

    def call(number):
        names.add(threading.current_thread().name)
        return number

    futures = [pool.submit(call, number) for number in range(50)]

    assert [future.result() for future in futures] == list(range(50))
    assert names <= {"test-1", "test-2"}


def test_an_error_belongs_to_whoever_waits():
    with pytest.raises(SystemExit):
        DaemonPool("test").submit(lambda: exec_exit()).result()


def exec_exit():
    raise SystemExit(3)


def test_an_event_loop_takes_it_as_its_own_and_waits_for_no_thread():
    async def main():
        asyncio.get_running_loop().set_default_executor(pool)
        threading_loop = asyncio.get_running_loop()
        threading_loop.run_in_executor(None, forever.wait)
        return await threading_loop.run_in_executor(None, lambda: threading.current_thread().daemon)

    pool, forever = DaemonPool("test"), threading.Event()

    assert asyncio.run(main()) is True
    forever.set()
