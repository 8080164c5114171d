"""A service that records: uvicorn and starlette on the loopback interface, many runs at once.

Arguments: the workspace. Prints its port, then a line at each tick. What runs is `answer`; all else
is the service, which no run may see or disturb.
"""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import contextlib
import contextvars
import gc
import os
import random
import socket
import sys
import threading
import time
import uuid

import anthropic
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

import replay

WHO = contextvars.ContextVar("who", default="nobody")


@replay.effect
def look_up(word: str) -> str:
    time.sleep(0.02)
    return f"{word}, looked up by a thread"


@replay.workflow
async def answer(marker: str) -> dict:
    print("begin", marker, WHO.get())
    drawn = [random.random(), random.gauss(0, 1), random.getrandbits(40)]
    os.environ["MARKER"] = marker
    async with anthropic.AsyncAnthropic(base_url=os.environ["BASE_URL"], api_key="none") as client:
        message = await client.messages.create(
            model="m", max_tokens=16, messages=[{"role": "user", "content": f"sing {marker}"}]
        )
    await asyncio.sleep(random.uniform(0, 0.02))
    drawn += [random.choice(range(10**9)), random.gauss(0, 1)]
    looked = look_up(marker)
    print("end", marker)
    return {
        "marker": os.environ["MARKER"],
        "who": WHO.get(),
        "drawn": drawn,
        "time_ns": time.time_ns(),
        "uuid": str(uuid.uuid4()),
        "thread": threading.current_thread().name,
        "message": message.id,
        "looked": looked,
    }


class Ticker:
    """The service's own task, with the service's own time and randomness."""

    def __init__(self):
        self.drawn = []
        self.times = []
        self.markers = set()

    async def run(self):
        while True:
            self.drawn.append([random.random(), random.gauss(0, 1)])
            self.times.append(time.time())
            self.markers.add(os.environ.get("MARKER"))
            print("tick")
            await asyncio.sleep(0.005)


ticker = Ticker()


async def run(request):
    WHO.set("the service")
    before = len(ticker.times)
    recording = await answer.record(request.query_params["marker"], workspace=sys.argv[1])
    return JSONResponse(
        {
            "run": recording.run_id,
            "result": recording.result(),
            "root": recording.root,
            "ticks_meanwhile": len(ticker.times) - before,
            "who": WHO.get(),
        }
    )


async def replay_(request):
    report = await answer.replay(request.query_params["run"], workspace=sys.argv[1])
    return JSONResponse({"verdict": report.verdict, "root": report.root_replayed})


async def state(_):
    return JSONResponse(
        {
            "drawn": ticker.drawn,
            "times": ticker.times,
            "collects": gc.isenabled(),
            "markers": list(ticker.markers),
            "stdout": type(sys.stdout).__name__,
        }
    )


async def warm_up():
    """Answer once, unrecorded: libraries keep for the process what they find at their first use."""
    with contextlib.redirect_stdout(None):
        await answer("warm up")
    del os.environ["MARKER"]


@contextlib.asynccontextmanager
async def lifespan(_):
    await warm_up()
    random.seed(42)
    task = asyncio.create_task(ticker.run())
    yield
    task.cancel()


routes = [Route("/run", run), Route("/replay", replay_), Route("/state", state)]
if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    print("port", listening.getsockname()[1], flush=True)
    application = Starlette(routes=routes, lifespan=lifespan)
    uvicorn.Server(uvicorn.Config(application, log_level="warning")).run(sockets=[listening])
