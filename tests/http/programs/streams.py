"""Three interleaved streams, a task group of prompts, and a prompt that is cancelled."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import os

import anthropic


async def stream(client, name):
    prompt = [{"role": "user", "content": f"sing, {name}"}]
    async with client.messages.stream(model="m", max_tokens=64, messages=prompt) as events:
        async for text in events.text_stream:
            print(name, repr(text))
    return (await events.get_final_message()).id


async def ask(client, prompt):
    answer = await client.messages.create(
        model="m", max_tokens=32, messages=[{"role": "user", "content": prompt}]
    )
    print(prompt, "->", answer.content[0].text)
    return answer.id


async def main():
    async with anthropic.AsyncAnthropic(base_url=os.environ["BASE_URL"]) as client:
        print(await asyncio.gather(*[stream(client, f"voice {n}") for n in range(3)]))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(client, f"question {n}")) for n in range(4)]
        print([task.result() for task in tasks])
        try:
            await asyncio.wait_for(ask(client, "slow"), 0.02)
        except TimeoutError:
            print("gave up")


asyncio.run(main())
