"""Asks a model about one or more topics, in parallel, with the real SDK.

ritornello record -- python assistant.py tides knots
ritornello export last -o runs/tides.ritornello
"""

import asyncio
import sys

from anthropic import AsyncAnthropic

SYSTEM = "You explain one word of the sea to a beginner, in one sentence."


async def explain(client: AsyncAnthropic, topic: str) -> str:
    message = await client.messages.create(
        model="claude-haiku-4-5",
        max_tokens=100,
        system=SYSTEM,
        messages=[{"role": "user", "content": f"What are {topic}?"}],
    )
    return "".join(block.text for block in message.content if block.type == "text")


async def main(topics: list[str]) -> None:
    async with AsyncAnthropic() as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(explain(client, topic), name=topic) for topic in topics]
    for topic, task in zip(topics, tasks, strict=True):
        print(f"{topic}: {task.result()}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["tides"]))
