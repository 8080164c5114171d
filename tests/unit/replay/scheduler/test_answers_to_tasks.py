"""An answer for a task may enter while a worker thread is the one that looks for inputs."""

import asyncio
import threading

from replay import effect
from replay.session.record import record_program


@effect
async def ask(number: int) -> int:
    await asyncio.sleep(0.03)
    return number


def test_a_task_goes_on_while_a_thread_waits_for_it(tmp_path):
    async def main():
        done = threading.Event()
        waiting = asyncio.create_task(asyncio.to_thread(done.wait))
        await asyncio.sleep(0)
        answer = await ask(1)
        done.set()
        return answer, await waiting

    recording = record_program(
        lambda: asyncio.run(main()), workspace=tmp_path, entry="t", dialects=()
    )

    assert recording.result() == (1, True)


def test_a_task_goes_on_while_every_thread_waits_for_it(tmp_path):
    def work(loop, number):
        return asyncio.run_coroutine_threadsafe(ask(number), loop).result()

    async def main():
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*[asyncio.to_thread(work, loop, n) for n in range(4)])

    recording = record_program(
        lambda: asyncio.run(main()), workspace=tmp_path, entry="t", dialects=()
    )

    assert recording.result() == [0, 1, 2, 3]
