"""Five questions at once; prints which is answered when."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import os

import anthropic


async def ask(client, number):
    messages = [{"role": "user", "content": f"question {number}"}]
    await client.messages.create(model="m", max_tokens=32, messages=messages)
    print(number)


async def main():
    async with anthropic.AsyncAnthropic(base_url=os.environ["BASE_URL"]) as client:
        await asyncio.gather(*[ask(client, number) for number in range(5)])


asyncio.run(main())
