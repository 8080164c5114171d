"""Ollama's client, which is built on httpx, asynchronous and synchronous."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import os

import ollama

HOST = os.environ["BASE_URL"]


def says(prompt):
    return [{"role": "user", "content": prompt}]


async def ask(client, prompt):
    answer = await client.chat(model="m", messages=says(prompt))
    print(prompt, "->", answer.message.content, answer.total_duration)
    return answer.message.content


async def sing(client, voice):
    async for piece in await client.chat(model="m", messages=says(voice), stream=True):
        print(voice, repr(piece.message.content))


async def main():
    client = ollama.AsyncClient(host=HOST)
    print(await asyncio.gather(*[ask(client, f"question {n}") for n in range(5)]))
    await asyncio.gather(*[sing(client, f"voice {n}") for n in range(3)])
    try:
        await ask(client, "server error")
    except ollama.ResponseError as error:
        print("refused", error.status_code, error)


asyncio.run(main())
client = ollama.Client(host=HOST)
for piece in client.chat(model="m", messages=says("slowly"), stream=True):
    print(repr(piece.message.content))
print(client.chat(model="m", messages=says("at once")).message.content)
try:
    client.chat(model="m", messages=says("rate limited"))
except ollama.ResponseError as error:
    print("refused", error.status_code, error)
try:
    ollama.Client(host=os.environ["CLOSED_URL"]).list()
except ConnectionError as error:
    print(type(error).__name__)
