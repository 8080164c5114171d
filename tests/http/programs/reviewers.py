"""Three named reviewers at once with the anthropic SDK, and a chair who reads what they said.

What is asked stands in ``prompts.json`` beside the program; it imports nothing of the engine's.
"""

import asyncio
import json
from pathlib import Path

import anthropic

PROMPTS = json.loads(Path("prompts.json").read_text())


async def ask(client, text):
    async with client.messages.stream(
        model="a-model", max_tokens=60, messages=[{"role": "user", "content": text}]
    ) as stream:
        return "".join([piece async for piece in stream.text_stream])


async def main():
    async with anthropic.AsyncAnthropic(max_retries=0) as client:
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(ask(client, prompt), name=name)
                for name, prompt in PROMPTS["reviewers"].items()
            }
        for name, task in tasks.items():
            print(f"{name}: {task.result()}")
        if "chair" in PROMPTS:
            said = "\n".join(task.result() for task in tasks.values())
            print("chair:", await ask(client, f"{PROMPTS['chair']}\n{said}"))


asyncio.run(main())
