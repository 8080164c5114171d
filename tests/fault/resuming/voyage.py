"""A program with some 200 effects: questions, streamed answers, clocks, a log file, output.

Arguments: number of questions, number of them asked at once. What it prints and writes is a
function of the provider's answers.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import httpx

URL = os.environ["BASE_URL"]
KEY = os.environ["ANTHROPIC_API_KEY"]


async def ask(client, number):
    question = {
        "model": "m",
        "max_tokens": 30,
        "stream": number % 2 == 0,
        "messages": [{"role": "user", "content": f"question {number}"}],
    }
    headers = {"x-api-key": KEY, "idempotency-key": f"voyage-{number}"}
    async with client.stream(
        "POST", f"{URL}/v1/messages", json=question, headers=headers
    ) as response:
        pieces = [piece async for piece in response.aiter_bytes()]
    return response.status_code, b"".join(pieces)


async def main():
    questions, width = int(sys.argv[1]), int(sys.argv[2])
    before = time.monotonic()
    async with httpx.AsyncClient(timeout=30) as client:
        with Path("log.txt").open("w") as log:  # noqa: ASYNC230 - the program writes as many do
            for first in range(0, questions, width):
                numbers = range(first, min(first + width, questions))
                answers = await asyncio.gather(*(ask(client, number) for number in numbers))
                now = time.monotonic()
                assert now >= before
                before = now
                for number, (status, body) in zip(numbers, answers, strict=True):
                    log.write(f"{number} {len(body)}\n")
                    print(number, status, sum(body), flush=True)
    print("arrived")


asyncio.run(main())
