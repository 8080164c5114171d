"""The world around a program under test: it sees what reaches it, over each way out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

__all__ = ["World"]

_ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
_LATEST_S = 0.25


class World:
    """Listeners on the loopback interface, a directory, shared memory, and a process to be killed.

    Args:
        place: an empty directory of its own.
    """

    def __init__(self, place: Path) -> None:
        self._place = place / "outside"
        self._place.mkdir()
        existing = self._place / "existing"
        existing.write_text("kept")
        existing.chmod(0o600)
        self._shared = f"/ritornello-test-{os.getpid()}-{place.name}"[:200]
        self._reached: list[str] = []
        self._sockets: list[socket.socket] = []
        self._serve("tcp v4", socket.AF_INET, ("127.0.0.1", 0))
        self._serve("tcp v6", socket.AF_INET6, ("::1", 0))
        # A short path: those of Unix sockets have a length limit.
        self._near = tempfile.TemporaryDirectory(dir="/tmp", prefix="ways-")
        self._unix = f"{self._near.name}/unix"
        self._serve("unix", socket.AF_UNIX, self._unix)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._udp.setblocking(False)
        self._victim = subprocess.Popen(["sleep", "60"], start_new_session=True)
        self._before = self._files()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (*self._sockets, self._udp):
            one.close()
        self._victim.send_signal(signal.SIGKILL)
        self._victim.wait()
        self._near.cleanup()
        Path("/dev/shm", self._shared[1:]).unlink(missing_ok=True)

    @property
    def constants(self) -> str:
        """What a program has to know to get here, as source."""
        names = {
            "PLACE": str(self._place),
            "PORT4": self._sockets[0].getsockname()[1],
            "PORT6": self._sockets[1].getsockname()[1],
            "SHARED": self._shared,
            "UDP": self._udp.getsockname()[1],
            "UNIX": self._unix,
            "VICTIM": self._victim.pid,
        }
        return "\n".join(f"{name} = {value!r}" for name, value in names.items())

    def effects(self, *, expected: bool, said: str) -> list[str]:
        """Return what was seen, waiting a little where it should be something.

        Args:
            expected: whether there should be an effect.
            said: what the program printed.
        """
        latest = time.monotonic() + (20 * _LATEST_S if expected else _LATEST_S)
        while not (found := self._seen(said)) and time.monotonic() < latest:
            time.sleep(0.01)
        return found

    def _seen(self, said: str) -> list[str]:
        found = list(self._reached)
        try:
            self._udp.recv(16)
            found.append("udp")
        except BlockingIOError:
            pass
        if self._files() != self._before:
            found.append("files")
        if self._victim.poll() is not None:
            found.append("signal")
        if Path("/dev/shm", self._shared[1:]).exists():
            found.append("shared memory")
        if "got" in said:
            found.append("answer")
        return found

    def _files(self) -> dict[str, tuple[int, bytes]]:
        return {
            path.name: (
                path.lstat().st_mode,
                path.read_bytes() if path.is_file() else b"",
            )
            for path in self._place.iterdir()
        }

    def _serve(self, name: str, family: int, address: tuple[str, int] | str) -> None:
        listener = socket.socket(family)
        listener.bind(address)
        listener.listen()
        self._sockets.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                self._reached.append(name)
                with connection:
                    connection.settimeout(0.2)
                    try:
                        connection.recv(4096)
                        connection.sendall(_ANSWER)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
