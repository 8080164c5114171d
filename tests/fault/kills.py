"""A recording of 200 effects in a process of its own, killed, and what the world saw of it.

Run as a module it is that process. Arguments: workspace, address of the provider, descriptor for
what effects do, write point or nothing, calls that go well before, and when to die at the next one:
before, during or after it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ["EFFECTS", "Left", "Provider", "bytes_of", "killed"]

ROOT = Path(__file__).parents[2]
EFFECTS = 200
#: One in so many effects is a request to the provider.
REQUEST_EVERY = 20


@dataclass(frozen=True)
class Left:
    """What a killed recording left, and what was seen of it before.

    Attributes:
        workspace: its workspace directory.
        directory: the directory of its run.
        status: how its process ended, as ``subprocess`` says it.
        effects: numbers of the effects whose bodies ran.
        requests: numbers of the requests that came to the provider.
        output: bytes of its standard output.
    """

    workspace: Path
    directory: Path
    status: int
    effects: tuple[int, ...]
    requests: tuple[int, ...]
    output: bytes


class Provider(ThreadingHTTPServer):
    """A provider on the loopback interface that writes down what it is asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Asked)
        self.requests = []
        self.address = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Provider

    def log_message(self, *_):
        pass

    def do_POST(self):
        number = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(number)
        answer = json.dumps(number * 3).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def bytes_of(directory):
    """Names, bytes, modes and times of everything below a directory."""
    return {
        str(path.relative_to(directory)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mode,
            path.stat().st_mtime_ns,
        )
        for path in sorted(directory.rglob("*"))
    }


def killed(workspace, provider, *, after=None, point="", skip=0, when="before", early=False):
    """Record until the process is killed; say what is left.

    Args:
        workspace: an absent directory.
        provider: a running :class:`Provider`.
        after: kill once so many effects were seen; None to wait for the process to do it itself.
        point: a write point of :mod:`tests.fault.failing` at which it does.
        skip: calls at that point that go well before.
        when: before, during or after the next one.
        early: whether the writer says that records are durable when they are not, for a twin.
    """
    asked = len(provider.requests)
    incoming, outgoing = os.pipe()
    arguments = (workspace, provider.address, outgoing, point, skip, when, int(early))
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.fault.kills", *map(str, arguments)],
        cwd=ROOT,
        pass_fds=(outgoing,),
        stdout=subprocess.PIPE,
    )
    os.close(outgoing)
    output = []
    assert child.stdout is not None
    reading = threading.Thread(target=lambda out: output.append(out.read()), args=(child.stdout,))
    reading.start()
    effects = []
    with child, os.fdopen(incoming) as lines:
        for line in lines:
            effects.append(int(line))
            if after is not None and len(effects) >= after:
                child.send_signal(signal.SIGKILL)
        child.wait()
        reading.join()
    (directory,) = (workspace / "runs").iterdir()
    return Left(
        workspace=workspace,
        directory=directory,
        status=child.returncode,
        effects=tuple(effects),
        requests=tuple(provider.requests[asked:]),
        output=output[0],
    )


# --- in the process that is killed --------------------------------------------------------------


def _put(name, value):
    module, _, attribute = name.rpartition(".")
    setattr(importlib.import_module(module), attribute, value)


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _die_soon():
    time.sleep(0.0002)
    _die()


def _deadly(point, skip, when):
    """A disk at which a call is the process's last."""
    from tests.fault.failing import Disk

    class Deadly(Disk):
        def at(self, name, call, error):
            self.passed.append(name)
            if name != point or self.passed.count(name) <= skip:
                return call()
            if when == "before":
                _die()
            if when == "during":
                # DuckDB and the disk work without the interpreter's lock.
                threading.Thread(target=_die_soon).start()
            result = call()
            _die()
            return result

    return Deadly()


def _main(workspace, address, seen, point, skip, when, early):
    import httpx

    from replay.doors.effects import effect
    from replay.log.writer import Writer
    from replay.session.record import record_program
    from tests.fault.failing import on_disk

    if point:
        on_disk(_deadly(point, skip, when), _put)
        if "commit" in point or point == "journal: cut":
            # With more room the database would take all when the run ends.
            _put("replay.log.journal.JOURNAL_ROWS_MAX", 0 if "seal" in point else 6)
        if "checkpoint" in point:
            _put("replay.log.duckdb_store.CHECKPOINT_WAL_BYTES", 1)
    if early == "1":
        setattr(Writer, "after", lambda self, seq, callback: callback())  # noqa: B010
        (Writer.__init__.__kwdefaults__ or {})["linger_ms"] = 600_000

    @effect(name="look up")
    def look_up(number):
        os.write(seen, b"%d\n" % number)
        return number * 2

    def program():
        with httpx.Client() as client:
            for number in range(EFFECTS):
                if number % REQUEST_EVERY:
                    value = look_up(number)
                else:
                    value = client.post(address, json=number).json()
                print(f"{number} gave {value}")

    record_program(program, workspace=workspace, entry="t", dialects=())


if __name__ == "__main__":
    _, _workspace, _address, _seen, _point, _skip, _when, _early = sys.argv
    _main(_workspace, _address, int(_seen), _point, int(_skip), _when, _early)
