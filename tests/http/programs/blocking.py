"""Plain HTTP with either library's synchronous client and no event loop anywhere."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import hashlib
import importlib
import io
import os
import sys
import threading

BASE_URL = os.environ["BASE_URL"]
library = importlib.import_module(os.environ["HTTP_LIBRARY"])


def upload():
    yield from (b"one ", b"two ", b"three")


def show(what, response):
    digest = hashlib.sha256(response.content).hexdigest()[:16]
    print(what, response.status_code, response.http_version, len(response.content), digest)


def describe(error):
    lines = []
    while error is not None and len(lines) < 8:
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}({error})")
        error = error.__cause__ or error.__context__
    return " <- ".join(lines)


def try_to(what, call):
    try:
        show(what, call())
    except Exception as error:
        print(what, "failed:", describe(error), "on", error.request.url.path)


with library.Client(base_url=BASE_URL, follow_redirects=True) as client:
    with client.stream("GET", "/stream") as response:
        for piece in response.iter_bytes():
            print("bytes", len(piece), piece[:8])
    with client.stream("GET", "/stream") as response:
        for line in response.iter_lines():
            print("line", line)
            break
    with client.stream("GET", "/gzip") as response:
        raw = [len(piece) for piece in response.iter_raw()]
        print("raw", len(raw) > 1, sum(raw))
    response = client.get("/gzip")
    print(response.headers["content-encoding"], response.text)
    response = client.get("/redirect/3")
    print([hop.status_code for hop in response.history], response.url.path, response.text)
    show("head", client.head("/plain"))
    show("empty", client.get("/empty"))
    show("no body", client.delete("/plain"))
    show("query", client.get("/plain", params={"key": "not-for-the-log", "q": "ä b"}))
    address = BASE_URL.replace("://", "://someone:a-pass-word@")
    show("basic", client.get(f"{address}/plain"))
    client.get("/cookie")
    print("cookies", sorted(client.cookies.keys()))
    show("with cookie", client.get("/plain"))
    file = ("notes.txt", io.BytesIO(b"la la la" * 100), "text/plain")
    show("multipart", client.post("/size", files={"file": file}, data={"a": "b"}))
    show("form", client.post("/size", data={"a": "ä", "b": ["1", "2"]}))
    show("json", client.post("/size", json={"a": [1, 2.5, None, "\u2028"]}))
    show("chunked", client.post("/size", content=upload()))
    show("http error", client.get("/status/503"))
    try_to("slow", lambda: client.get("/slow", timeout=0.05))
    try_to("cut short", lambda: client.get("/reset"))
    try_to("nobody there", lambda: client.get(os.environ["CLOSED_URL"]))
    try_to("unknown scheme", lambda: client.get("gopher://old/"))

    def number(n):
        answer = client.get(f"/number/{n}").text
        print(n, "->", answer, threading.current_thread() is threading.main_thread())
        return answer

    async def workers():
        loop = asyncio.get_running_loop()
        asked = [asyncio.to_thread(number, n) for n in range(6)]
        asked += [loop.run_in_executor(None, number, n) for n in range(6, 9)]
        print(await asyncio.gather(*asked))
        print("in the loop itself", number(9))

    asyncio.run(workers())

show("without a client", library.get(f"{BASE_URL}/plain"))
sys.stdout.write("end without newline")
