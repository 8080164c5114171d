"""Ways out of a process, each tried for real while the guard is up."""

from __future__ import annotations

import asyncio
import ctypes
import functools
import multiprocessing
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request

import pytest

from replay.errors import HermeticError
from replay.guard.process import ProcessGuard, origin_of

DEAD = ("127.0.0.1", 9)


def _udp(method, *arguments):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        getattr(udp, method)(*arguments)


def _tcp(method, *arguments):
    with socket.socket() as tcp:
        getattr(tcp, method)(*arguments)


def _unix():
    with socket.socket(socket.AF_UNIX) as unix:
        unix.connect("/nowhere")


async def _subprocess():
    await asyncio.create_subprocess_exec("true")


WAYS = {
    "asyncio subprocess": lambda: asyncio.run(_subprocess()),
    "bind": lambda: _tcp("bind", ("127.0.0.1", 0)),
    "connect": lambda: _tcp("connect", DEAD),
    "ctypes": lambda: ctypes.CDLL(None).connect,
    "connect_ex": lambda: _tcp("connect_ex", DEAD),
    "create_connection": lambda: socket.create_connection(DEAD, 1),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "fork": os.fork,
    "getaddrinfo": lambda: socket.getaddrinfo("localhost", 80),
    "gethostbyaddr": lambda: socket.gethostbyaddr("127.0.0.1"),
    "gethostbyname": lambda: socket.gethostbyname("localhost"),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex("localhost"),
    "getnameinfo": lambda: socket.getnameinfo(DEAD, 0),
    "multiprocessing fork": lambda: multiprocessing.get_context("fork").Process(target=int).start(),
    "multiprocessing spawn": (
        lambda: multiprocessing.get_context("spawn").Process(target=int).start()
    ),
    "popen": lambda: os.popen("true"),
    "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "run": lambda: subprocess.run(["true"], check=False),
    "sendmsg": lambda: _udp("sendmsg", [b"x"], [], 0, DEAD),
    "sendto": lambda: _udp("sendto", b"x", DEAD),
    "spawnv": lambda: os.spawnv(os.P_WAIT, "/bin/true", ["true"]),
    "kill": lambda: os.kill(os.getppid(), 0),
    "socket": socket.socket,
    "system": lambda: os.system("true"),
    "unix socket": _unix,
    "urlopen": lambda: urllib.request.urlopen("http://127.0.0.1:9/", timeout=1),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_way_out_is_refused_and_counted(way):
    guard = ProcessGuard()

    with pytest.raises(HermeticError), guard:
        WAYS[way]()
    assert (guard.refused, len(guard.attempts)) == (1, 1)
    assert "test_process.py" in guard.attempts[0].place
    assert guard.cause == guard.attempts[0]


def test_what_a_library_tries_while_it_is_imported_is_no_cause(tmp_path, monkeypatch):
    """As urllib3 does, to learn whether there is IPv6."""
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "probing_library.py").write_text(
        "import socket\ntry:\n    socket.socket().bind(('127.0.0.1', 0))\n"
        "except Exception:\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    with ProcessGuard() as guard:
        import probing_library  # noqa: F401 - what it does at import is the matter

    assert guard.refused == 1
    assert guard.cause is None


def test_threads_of_others_are_none_of_its_business(tmp_path):
    with ProcessGuard(lambda: "other") as guard:
        (tmp_path / "made").write_text("x")
        socket.socket().close()

    assert guard.refused == 0


def test_the_engine_may_start_threads_and_nothing_else(tmp_path):
    with ProcessGuard(lambda: "engine"):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        with pytest.raises(HermeticError):
            socket.socket()


def test_sockets_that_were_connected_before_lead_out_too():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        with client, accepted:
            with ProcessGuard(), pytest.raises(HermeticError):
                client.sendall(b"x")
            client.sendall(b"y")

            assert accepted.recv(2) == b"y"


def test_files_are_written_where_they_may_be_and_nowhere_else(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.write_text("kept")
    with ProcessGuard(writable=(str(inside),)) as guard:
        (inside / "made").write_text("x")
        (inside / "made").rename(inside / "moved")
        shutil.rmtree(inside)
        for write in (
            lambda: outside.write_text("x"),
            outside.unlink,
            lambda: os.truncate(outside, 0),
            lambda: inside.symlink_to(outside),
            lambda: sqlite3.connect(outside),
        ):
            with pytest.raises(HermeticError):
                write()

    assert outside.read_text() == "kept"
    assert guard.refused == 5


def test_python_goes_without_keeping_bytecode(tmp_path, monkeypatch):
    (tmp_path / "module_without_cache.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with ProcessGuard() as guard:
        import module_without_cache

    assert module_without_cache.x == 1
    assert guard.refused == 0
    assert [path.name for path in tmp_path.iterdir()] == ["module_without_cache.py"]


def test_what_is_patched_is_put_back():
    import _posixsubprocess

    before = (_posixsubprocess.fork_exec, dict(vars(socket.socket)))
    with ProcessGuard():
        assert _posixsubprocess.fork_exec is not before[0]

    assert (_posixsubprocess.fork_exec, dict(vars(socket.socket))) == before


def test_nothing_is_refused_once_the_guard_is_down():
    with ProcessGuard():
        pass

    assert subprocess.run(["true"], check=False).returncode == 0
    assert socket.getaddrinfo("127.0.0.1", 80)


def test_of_two_guards_the_second_goes_on_when_the_first_is_gone():
    first, second = ProcessGuard(), ProcessGuard()
    with second:
        with first:
            pass
        with pytest.raises(HermeticError):
            socket.gethostbyname("localhost")

    assert (first.refused, second.refused) == (0, 1)


def test_reading_files_and_local_socket_pairs_are_no_ways_out(tmp_path):
    (tmp_path / "file").write_text("here")
    with ProcessGuard() as guard:
        left, right = socket.socketpair()
        with left, right:
            left.send(b"x")
            assert right.recv(1) == b"x"
        assert (tmp_path / "file").read_text() == "here"

    assert guard.refused == 0


@pytest.mark.parametrize(("name", "probing"), [("__main__", False), ("a_library", True)])
def test_a_program_without_a_file_is_told_from_a_library_that_is_imported(name, probing):
    program = compile("found = origin_of(_getframe())", "<string>", "exec")
    scope = {"__name__": name, "origin_of": origin_of, "_getframe": sys._getframe}
    loader = compile("act()", "<frozen importlib._bootstrap>", "exec")
    act = functools.partial(exec, program, scope)

    # On a thread of its own, since above it stands no frame of a test.
    thread = threading.Thread(target=exec, args=(loader, {"act": act}))
    thread.start()
    thread.join()

    assert scope["found"] == ("", probing)
