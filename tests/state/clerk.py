"""A pydantic-ai program as its users write it: a tool, a second turn, a stream."""

import asyncio

from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

clerk = Agent(TestModel(), name="clerk", instructions="Be short.")


@clerk.tool_plain
def look_up(number: int) -> str:
    return f"file {number}"


async def main() -> None:
    first = await clerk.run("What is in the file?")
    second = await clerk.run("And now?", message_history=first.all_messages())
    print(second.output, len(second.all_messages()))
    async with clerk.run_stream("Once more") as streamed:
        print([text async for text in streamed.stream_text()][-1])
    print(len(streamed.all_messages()), type(streamed.all_messages()).__name__)


asyncio.run(main())
