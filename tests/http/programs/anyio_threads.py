"""anyio's worker threads, from which synchronous code asks a provider and calls back."""

# Written as a user would.
# mypy: ignore-errors

import os
import random
import time

import anthropic
import anyio
from anyio import from_thread, to_thread

client = anthropic.Anthropic(base_url=os.environ["BASE_URL"])
others = anthropic.AsyncAnthropic(base_url=os.environ["BASE_URL"])


def says(prompt):
    return [{"role": "user", "content": prompt}]


async def ask(prompt):
    answer = await others.messages.create(model="m", max_tokens=32, messages=says(prompt))
    return answer.content[0].text


def work(number):
    time.sleep(0.001 * random.randrange(4))
    answer = client.messages.create(model="m", max_tokens=32, messages=says(f"thread {number}"))
    again = from_thread.run(ask, f"from thread {number}")
    print(number, answer.content[0].text, "|", again)
    return answer.id


async def main():
    limiter = anyio.CapacityLimiter(3)
    ids = {}

    async def one(number):
        ids[number] = await to_thread.run_sync(work, number, limiter=limiter)

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(one, number)
    print(list(ids.items()))
    with anyio.move_on_after(0.02) as scope:
        await to_thread.run_sync(time.sleep, 0.05, abandon_on_cancel=True)
    print("gave up" if scope.cancelled_caught else "waited")


anyio.run(main)
