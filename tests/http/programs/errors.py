"""All that goes wrong between a client and a provider, one after the other."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import os

import anthropic
import httpx2

BASE_URL = os.environ["BASE_URL"]


def describe(error):
    """The error and what it was raised from, with messages."""
    lines = []
    while error is not None and len(lines) < 8:
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}({error})")
        error = error.__cause__ or error.__context__
    return " <- ".join(lines)


async def ask(client, prompt, **options):
    messages = [{"role": "user", "content": prompt}]
    try:
        answer = await client.messages.create(
            model="m", max_tokens=32, messages=messages, **options
        )
    except anthropic.APIError as error:
        print(prompt, "failed:", describe(error))
    else:
        print(prompt, "answered:", answer.content[0].text)


async def stream(client, prompt, stop_after=None, close=False):
    messages = [{"role": "user", "content": prompt}]
    seen = 0
    try:
        async with client.messages.stream(model="m", max_tokens=32, messages=messages) as events:
            async for event in events:
                seen += 1
                print(prompt, event.type)
                if seen == stop_after:
                    if close:
                        await events.close()
                    break
    except (anthropic.APIError, httpx2.HTTPError) as error:
        print(prompt, "broke after", seen, describe(error))


async def main():
    client = anthropic.AsyncAnthropic(base_url=BASE_URL, max_retries=2)
    patient = client.with_options(max_retries=0)
    await ask(client, "rate limited")
    await ask(client, "overloaded")
    await ask(client, "server error")
    await ask(patient, "server error for good")
    await ask(client, "reset before head, then fine")
    await ask(patient, "reset before head for good")
    await ask(patient, "reset in body")
    await ask(patient, "too slow", timeout=0.05)
    await stream(patient, "error in stream")
    await stream(patient, "reset in stream")
    await stream(patient, "abandoned", stop_after=4)
    await stream(patient, "closed", stop_after=4, close=True)
    task = asyncio.create_task(stream(patient, "cancelled"))
    done, _ = await asyncio.wait({task}, timeout=0.1)
    print("done" if done else "still going")
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")
    nobody = anthropic.AsyncAnthropic(base_url=os.environ["CLOSED_URL"], max_retries=0)
    await ask(nobody, "connection refused")
    await ask(client, "after all that")
    await client.close()
    await nobody.close()


asyncio.run(main())
