"""Three questions, one after the other."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import os

import anthropic


async def ask(client, prompt):
    answer = await client.messages.create(
        model="m", max_tokens=32, messages=[{"role": "user", "content": prompt}]
    )
    print(answer.content[0].text)


async def main():
    client = anthropic.AsyncAnthropic(base_url=os.environ["BASE_URL"])
    await ask(client, "the first question")
    await ask(client, "the second question")
    await ask(client, "the third question")
    await client.close()


asyncio.run(main())
