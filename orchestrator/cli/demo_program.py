"""The program that the demo records: three reviewers in parallel, one of them streaming, a join.

An ordinary program with the ordinary SDK: nothing in it knows that it is recorded.
"""

from __future__ import annotations

import asyncio

from anthropic import AsyncAnthropic

__all__ = ["main"]

MODEL = "claude-demo"


async def review(client: AsyncAnthropic, view: str, text: str) -> str:
    """Ask for one reviewer's view and return it."""
    message = await client.messages.create(
        model=MODEL,
        max_tokens=200,
        messages=[{"role": "user", "content": f"As a {view}, review: {text}"}],
    )
    return "".join(block.text for block in message.content if block.type == "text")


async def review_aloud(client: AsyncAnthropic, view: str, text: str) -> str:
    """Ask for one reviewer's view, word by word."""
    async with client.messages.stream(
        model=MODEL,
        max_tokens=200,
        messages=[{"role": "user", "content": f"As a {view}, review: {text}"}],
    ) as stream:
        return "".join([piece async for piece in stream.text_stream])


async def main() -> None:
    """Let three reviewers read at once, then join what they say in the order of their answers."""
    text = "Every release is signed, and the log of its build is public."
    said: list[str] = []
    # The provider of the demo looks at no key, and none is in the environment.
    async with AsyncAnthropic(api_key="none") as client:

        async def listen(view: str, *, aloud: bool) -> None:
            ask = review_aloud if aloud else review
            said.append(f"{view}: {await ask(client, view, text)}")

        async with asyncio.TaskGroup() as group:
            group.create_task(listen("lawyer", aloud=False), name="lawyer")
            group.create_task(listen("engineer", aloud=True), name="engineer")
            group.create_task(listen("editor", aloud=False), name="editor")
        verdict = await review(client, "judge", " / ".join(said))
    print("\n".join([*said, f"judge: {verdict}"]))


if __name__ == "__main__":
    asyncio.run(main())
