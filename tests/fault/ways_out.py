# ruff: noqa: E501 - programs as text
"""Ways out of a process as bodies of a function, each with an effect that somebody else can see.

The names in capitals are those of :class:`tests.fault.world.World`; `blind` gets a function of the C
library without the interpreter noticing.
"""

from __future__ import annotations

import textwrap

__all__ = ["BASE", "WAYS", "program"]

_PROGRAM = '''\
import ctypes, os, sys

{constants}


def blind(name, *kinds):
    """Not by `CDLL.name`: the C library's own `dlsym` raises no audit event."""
    find = ctypes.CDLL(None).dlsym
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]
    return ctypes.CFUNCTYPE(ctypes.c_long, *kinds)(find(None, name))


def address(port):
    import struct

    return struct.pack("=H", 2) + struct.pack("!H", port) + bytes([127, 0, 0, 1]) + bytes(8)


def way():
{body}


if __name__ == "__main__":
    print("before", flush=True)
    try:
        way()
    except Exception as error:
        print(type(error).__name__, error, file=sys.stderr)
    print("after")
'''


def program(body: str, constants: str) -> str:
    """Return a program that prints, tries a way out, swallows what comes of it, and prints."""
    body = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return _PROGRAM.format(constants=constants, body=body)


#: What is recorded; the ways out are what it was changed into.
BASE = "pass"

WAYS: dict[str, str] = {
    # --- sockets ------------------------------------------------------------------------------
    "socket-v4": """
        import socket
        socket.create_connection(("127.0.0.1", PORT4)).sendall(b"x")
    """,
    "socket-v6": """
        import socket
        socket.create_connection(("::1", PORT6)).sendall(b"x")
    """,
    "socket-udp": """
        import socket
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", UDP))
    """,
    "socket-unix": """
        import socket
        with socket.socket(socket.AF_UNIX) as unix:
            unix.connect(UNIX)
            unix.sendall(b"x")
    """,
    "socket-bind": """
        import socket
        socket.socket(socket.AF_UNIX).bind(PLACE + "/bound")
    """,
    "getaddrinfo": """
        import socket
        print("got", socket.getaddrinfo("localhost", 80)[0][4])
    """,
    "gethostbyname": """
        import socket
        print("got", socket.gethostbyname("localhost"))
    """,
    # --- clients ------------------------------------------------------------------------------
    "urllib": """
        import urllib.request
        urllib.request.urlopen(f"http://127.0.0.1:{PORT4}/", timeout=5).read()
    """,
    "http.client": """
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", PORT4, timeout=5)
        connection.request("GET", "/")
        connection.getresponse().read()
    """,
    "requests": """
        import requests
        requests.get(f"http://127.0.0.1:{PORT4}/", timeout=5)
    """,
    "aiohttp": """
        import aiohttp, asyncio
        async def main():
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{PORT4}/") as answer:
                    await answer.read()
        asyncio.run(main())
    """,
    "smtplib": """
        import smtplib
        smtplib.SMTP("127.0.0.1", PORT4, timeout=1)
    """,
    # --- event loops --------------------------------------------------------------------------
    "asyncio-connection": """
        import asyncio
        asyncio.run(asyncio.open_connection("127.0.0.1", PORT4))
    """,
    "selector-loop": """
        import asyncio
        loop = asyncio.SelectorEventLoop()
        loop.run_until_complete(asyncio.open_connection("127.0.0.1", PORT4))
    """,
    "uvloop": """
        import asyncio, uvloop
        loop = uvloop.new_event_loop()
        loop.run_until_complete(asyncio.open_connection("127.0.0.1", PORT4))
    """,
    "asyncio-subprocess": """
        import asyncio
        async def main():
            process = await asyncio.create_subprocess_exec("mkdir", PLACE + "/made")
            await process.wait()
        asyncio.run(main())
    """,
    # --- processes ----------------------------------------------------------------------------
    "subprocess": """
        import subprocess
        subprocess.run(["mkdir", PLACE + "/made"], check=True)
    """,
    "os.system": """
        os.system(f"mkdir {PLACE}/made")
    """,
    "os.popen": """
        os.popen(f"mkdir {PLACE}/made").read()
    """,
    "fork": """
        child = os.fork()
        if not child:
            os.mkdir(PLACE + "/made")
            os._exit(0)
        os.waitpid(child, 0)
    """,
    "exec": """
        os.execvp("mkdir", ["mkdir", PLACE + "/made"])
    """,
    "posix_spawn": """
        os.waitpid(os.posix_spawnp("mkdir", ["mkdir", PLACE + "/made"], {"PATH": "/bin:/usr/bin"}), 0)
    """,
    "pty.fork": """
        import pty
        child, _ = pty.fork()
        if not child:
            os.mkdir(PLACE + "/made")
            os._exit(0)
        os.waitpid(child, 0)
    """,
    "multiprocessing-fork": """
        import multiprocessing
        process = multiprocessing.get_context("fork").Process(target=os.mkdir, args=(PLACE + "/made",))
        process.start()
        process.join()
    """,
    "multiprocessing-spawn": """
        import multiprocessing
        process = multiprocessing.get_context("spawn").Process(target=os.mkdir, args=(PLACE + "/made",))
        process.start()
        process.join()
    """,
    "child-python": """
        import subprocess
        subprocess.run([sys.executable, "-c", f"import os; os.mkdir({PLACE!r} + '/made')"], check=True)
    """,
    # --- signals ------------------------------------------------------------------------------
    "os.kill": """
        os.kill(VICTIM, 9)
    """,
    "os.killpg": """
        os.killpg(VICTIM, 9)
    """,
    "pidfd": """
        import signal
        signal.pidfd_send_signal(os.pidfd_open(VICTIM), 9)
    """,
    # --- threads ------------------------------------------------------------------------------
    "raw-thread": """
        import _thread, time
        def reach():
            import socket
            socket.create_connection(("127.0.0.1", PORT4)).sendall(b"x")
        _thread.start_new_thread(reach, ())
        time.sleep(0.5)
    """,
    # --- files --------------------------------------------------------------------------------
    "open": """
        with open(PLACE + "/made", "w") as file:
            file.write("x")
    """,
    "append": """
        with open(PLACE + "/existing", "a") as file:
            file.write("x")
    """,
    "os.open": """
        os.write(os.open(PLACE + "/made", os.O_WRONLY | os.O_CREAT), b"x")
    """,
    "logging": """
        import logging
        logging.FileHandler(PLACE + "/made")
    """,
    "sqlite3": """
        import sqlite3
        with sqlite3.connect(PLACE + "/made") as database:
            database.execute("create table t (x)")
    """,
    "mmap": """
        import mmap
        with open(PLACE + "/existing", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            memory[0:1] = b"X"
    """,
    "os.mkdir": """
        os.mkdir(PLACE + "/made")
    """,
    "os.mkfifo": """
        os.mkfifo(PLACE + "/made")
    """,
    "os.rename": """
        os.rename(PLACE + "/existing", PLACE + "/renamed")
    """,
    "os.remove": """
        os.remove(PLACE + "/existing")
    """,
    "os.symlink": """
        os.symlink("/", PLACE + "/made")
    """,
    "os.truncate": """
        os.truncate(PLACE + "/existing", 0)
    """,
    "os.chmod": """
        os.chmod(PLACE + "/existing", 0o777)
    """,
    "shutil": """
        import shutil
        shutil.copy(PLACE + "/existing", PLACE + "/made")
    """,
    "shared-memory": """
        import _posixshmem
        _posixshmem.shm_open(SHARED, os.O_CREAT | os.O_RDWR, mode=0o600)
    """,
    # --- C by name ----------------------------------------------------------------------------
    "ctypes-connect": """
        libc = ctypes.CDLL(None)
        one = libc.socket(2, 1, 0)
        libc.connect(one, address(PORT4), 16)
    """,
    "ctypes-system": """
        ctypes.CDLL(None).system(f"mkdir {PLACE}/made".encode())
    """,
    "ctypes-open": """
        libc = ctypes.CDLL(None)
        libc.write(libc.open(f"{PLACE}/made".encode(), 0o101, 0o600), b"x", 1)
    """,
    "ctypes-syscall": """
        ctypes.CDLL(None).syscall(258 if os.uname().machine == "x86_64" else 34, -100, f"{PLACE}/made".encode(), 0o700)
    """,
    # --- C that the interpreter does not see --------------------------------------------------
    "blind-connect": """
        one = blind(b"socket", *[ctypes.c_int] * 3)(2, 1, 0)
        blind(b"connect", ctypes.c_int, ctypes.c_char_p, ctypes.c_int)(one, address(PORT4), 16)
    """,
    "blind-udp": """
        one = blind(b"socket", *[ctypes.c_int] * 3)(2, 2, 0)
        kinds = ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_char_p, ctypes.c_int
        blind(b"sendto", *kinds)(one, b"x", 1, 0, address(UDP), 16)
    """,
    "blind-system": """
        blind(b"system", ctypes.c_char_p)(f"mkdir {PLACE}/made".encode())
    """,
    "blind-open": """
        one = blind(b"open", ctypes.c_char_p, ctypes.c_int, ctypes.c_int)(f"{PLACE}/made".encode(), 0o101, 0o600)
        blind(b"write", ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)(one, b"x", 1)
    """,
    "blind-kill": """
        blind(b"kill", ctypes.c_int, ctypes.c_int)(VICTIM, 9)
    """,
    "blind-chmod": """
        blind(b"chmod", ctypes.c_char_p, ctypes.c_int)(f"{PLACE}/existing".encode(), 0o777)
    """,
    "blind-pthread": """
        def reach(_):
            one = blind(b"socket", *[ctypes.c_int] * 3)(2, 1, 0)
            blind(b"connect", ctypes.c_int, ctypes.c_char_p, ctypes.c_int)(one, address(PORT4), 16)
            return 0
        body = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_void_p)(reach)
        number = ctypes.c_ulong()
        kinds = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
        blind(b"pthread_create", *kinds)(ctypes.addressof(number), None, ctypes.cast(body, ctypes.c_void_p), None)
        blind(b"pthread_join", ctypes.c_ulong, ctypes.c_void_p)(number.value, None)
    """,
    "blind-io_uring": """
        import mmap, struct
        parameters = ctypes.create_string_buffer(120)
        call = blind(b"syscall", *[ctypes.c_long] * 7)
        ring = call(425, 4, ctypes.addressof(parameters), 0, 0, 0, 0)
        if ring < 0:
            raise OSError("there is no io_uring here")
        places = struct.unpack_from("10I", parameters, 40)  # head, tail, ..., array
        both = mmap.mmap(ring, 8192, mmap.MAP_SHARED, offset=0)
        entries = mmap.mmap(ring, 4096, mmap.MAP_SHARED, offset=0x10000000)
        path = ctypes.create_string_buffer(f"{PLACE}/made".encode())
        # IORING_OP_MKDIRAT below the current directory, at an absolute path.
        struct.pack_into("BBHiQQII", entries, 0, 37, 0, 0, -100, 0, ctypes.addressof(path), 0o700, 0)
        struct.pack_into("I", both, places[6], 0)
        struct.pack_into("I", both, places[1], 1)
        call(426, ring, 1, 1, 1, 0, 0)
    """,
}
