"""Google's client for Gemini, asynchronous and synchronous, with retries."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import os

import httpx2
from google import genai
from google.genai import errors, types

retries = types.HttpRetryOptions(
    attempts=4, initial_delay=0.01, max_delay=0.05, http_status_codes=[429, 500]
)
client = genai.Client(
    api_key=os.environ["GEMINI_API_KEY"],
    http_options=types.HttpOptions(
        base_url=os.environ["BASE_URL"],
        retry_options=retries,
        # Whether or not aiohttp is installed, which this SDK prefers.
        httpx_async_client=httpx2.AsyncClient(),
    ),
)
MODEL = "gemini-2.5-flash"


async def ask(prompt):
    answer = await client.aio.models.generate_content(model=MODEL, contents=prompt)
    print(prompt, "->", answer.text)
    return answer.response_id


async def sing(voice):
    async for piece in await client.aio.models.generate_content_stream(model=MODEL, contents=voice):
        print(voice, repr(piece.text))


async def main():
    print(await asyncio.gather(*[ask(f"question {n}") for n in range(5)]))
    await asyncio.gather(*[sing(f"voice {n}") for n in range(3)])
    await ask("rate limited")


asyncio.run(main())
for piece in client.models.generate_content_stream(model=MODEL, contents="slowly"):
    print(repr(piece.text))
print(client.models.generate_content(model=MODEL, contents="server error").text)
chat = client.chats.create(model=MODEL)
print([chat.send_message(line).text for line in ("hello", "and again")])
try:
    client.files.get(name="files/none")
except errors.APIError as error:
    print(type(error).__name__, error.code)
except Exception as error:
    print(type(error).__name__)
