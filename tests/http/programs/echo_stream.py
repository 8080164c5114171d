"""A chat that prints the answer as it streams, and once more when it is whole."""

import os

import anthropic

BASE_URL = os.environ["BASE_URL"]


async def main():
    async with (
        anthropic.AsyncAnthropic(base_url=BASE_URL) as client,
        client.messages.stream(
            model="m", max_tokens=256, messages=[{"role": "user", "content": "Who am I?"}]
        ) as stream,
    ):
        async for text in stream.text_stream:
            print(text, end="", flush=True)
        whole = await stream.get_final_text()
    print()
    print(whole)
    return whole
