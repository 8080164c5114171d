"""Plain HTTP with either library: whatever a client may do to a server."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import hashlib
import importlib
import io
import os
import sys

BASE_URL = os.environ["BASE_URL"]
library = importlib.import_module(os.environ["HTTP_LIBRARY"])


async def upload():
    for piece in (b"one ", b"two ", b"three"):
        yield piece


def show(what, response):
    digest = hashlib.sha256(response.content).hexdigest()[:16]
    print(what, response.status_code, response.http_version, len(response.content), digest)


async def main():
    async with library.AsyncClient(base_url=BASE_URL, follow_redirects=True) as client:
        async with client.stream("GET", "/stream") as response:
            async for piece in response.aiter_bytes():
                print("bytes", len(piece), piece[:8])
        async with client.stream("GET", "/stream") as response:
            async for line in response.aiter_lines():
                print("line", line)
                break
        async with client.stream("GET", "/gzip") as response:
            raw = [len(piece) async for piece in response.aiter_raw()]
            print("raw", len(raw) > 1, sum(raw))
        response = await client.get("/gzip")
        print(response.headers["content-encoding"], response.text)
        response = await client.get("/redirect/3")
        print([hop.status_code for hop in response.history], response.url.path, response.text)
        show("head", await client.head("/plain"))
        show("empty", await client.get("/empty"))
        show("no body", await client.delete("/plain"))
        show("not found", await client.get("/nowhere"))
        show("query", await client.get("/plain", params={"key": "not-for-the-log", "q": "ä b"}))
        address = BASE_URL.replace("://", "://someone:a-pass-word@")
        show("basic", await client.get(f"{address}/plain"))
        await client.get("/cookie")
        print("cookies", sorted(client.cookies.keys()))
        show("with cookie", await client.get("/plain"))
        file = ("notes.txt", io.BytesIO(b"la la la" * 100), "text/plain")
        show("multipart", await client.post("/size", files={"file": file}, data={"a": "b"}))
        show("form", await client.post("/size", data={"a": "ä", "b": ["1", "2"]}))
        show("json", await client.post("/size", json={"a": [1, 2.5, None, "\u2028"]}))
        show("chunked", await client.post("/size", content=upload()))
        show("nothing", await client.post("/size", content=b""))
        show("http error", await client.get("/status/503"))
        answers = await asyncio.gather(*[number(client, n) for n in range(20)])
        print("all", answers)


async def number(client, n):
    response = await client.get(f"/number/{n}")
    print(n, "->", response.text)
    return response.text


asyncio.run(main())
sys.stdout.write("end without newline")
