"""Ways out of a process, each tried for real while the guard is up."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import subprocess
import urllib.request

import pytest

from replay.errors import HermeticError
from replay.guard.process import ProcessGuard

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
    "system": lambda: os.system("true"),
    "unix socket": _unix,
    "urlopen": lambda: urllib.request.urlopen("http://127.0.0.1:9/", timeout=1),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_way_out_is_refused_and_counted(way):
    guard = ProcessGuard()

    with pytest.raises(HermeticError), guard:
        WAYS[way]()
    assert (guard.refused, guard.let_through) == (1, 0)


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
