"""One request, and what came of it."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import os

import httpx2


async def main():
    async with httpx2.AsyncClient() as client:
        response = await client.get(os.environ["BASE_URL"] + "/song")
        print("it says:", response.text)


asyncio.run(main())
