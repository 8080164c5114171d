"""A witness behind HTTP: bounded requests, bounded time, a bounded number of them at once.

The one invariant: who connects costs at most one slot, for at most `_CONNECTION_S` seconds, and
`_READ_MAX` bytes. Nothing of a request but its submission is looked at, and nothing of it
is answered back.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final, TypeAlias

from attestations.witness.deciding import Answer, Witness
from attestations.witness.protocol import ADD_CHECKPOINT, SUBMISSION_SIZE_MAX

__all__ = ["WitnessServer"]

_Request: TypeAlias = "socket.socket | tuple[bytes, socket.socket]"
_Address: TypeAlias = Any  # as the base class leaves it: a tuple or a string, by family

_CONNECTIONS_MAX: Final = 32
_CONNECTION_S: Final = 60.0
_READ_S: Final = 10.0
_READ_MAX: Final = 2 * SUBMISSION_SIZE_MAX
_LENGTH: Final = re.compile(r"[0-9]{1,9}")


class WitnessServer(ThreadingMixIn, TCPServer):
    """Serves one witness until `shutdown` is called.

    Args:
        host: the address to listen on.
        port: its port; 0 takes a free one.
        witness: who answers.
        tell: is told of each answer, in a line that is to be made inert for a terminal.

    Raises:
        OSError: the address cannot be listened on.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 2 * _CONNECTIONS_MAX

    def __init__(
        self, host: str, port: int, witness: Witness, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        self.witness = witness
        self.tell = tell
        self._slots = threading.BoundedSemaphore(_CONNECTIONS_MAX)
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where it answers: what is asked with, less the path."""
        host, port = self.socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def process_request(self, request: _Request, client_address: _Address) -> None:
        """Answer in a thread of its own, if there is a slot; else let the caller come again."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started
            self._slots.release()
            raise

    def process_request_thread(self, request: _Request, client_address: _Address) -> None:
        """Answer, and give the slot back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: _Request, client_address: _Address) -> None:
        """Say that a connection broke; a caller who goes away is no mistake of ours."""
        self.tell(f"a connection broke: {sys.exception() or 'closed'}")


class _Handler(BaseHTTPRequestHandler):
    """One connection, which may carry several requests."""

    server: WitnessServer
    protocol_version = "HTTP/1.1"
    timeout = _READ_S

    def setup(self) -> None:
        super().setup()
        # A byte every few seconds passes each time-out of its own.
        self._ends = threading.Timer(_CONNECTION_S, self._cut)
        self._ends.daemon = True
        self._ends.start()

    def finish(self) -> None:
        self._ends.cancel()
        super().finish()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") is not None or _LENGTH.fullmatch(length) is None:
            self._refuse(411, "the request does not say its length")
            return
        # What is too long by little is read all the same: who still sends hears no answer.
        body = self.rfile.read(int(length)) if int(length) <= _READ_MAX else b""
        if self.path != ADD_CHECKPOINT:
            self._refuse(404, "there is only /add-checkpoint here")
        elif int(length) > SUBMISSION_SIZE_MAX:
            self._refuse(413, f"a submission has at most {SUBMISSION_SIZE_MAX} bytes")
        elif len(body) < int(length):
            self._refuse(400, "the request ended before its length")
        else:
            self._send(self.server.witness.add_checkpoint(body))

    def do_GET(self) -> None:
        known = self.path == ADD_CHECKPOINT
        self._refuse(*((405, "POST it") if known else (404, "there is only /add-checkpoint here")))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request at all, in a line; nothing of it comes back."""
        self._refuse(int(code), "this is no request that a witness answers")

    def version_string(self) -> str:
        return "ritornello-witness"

    def log_message(self, format: str, *args: object) -> None:
        """Leave it to `tell`: the base class would print what the caller sent."""

    def _refuse(self, status: int, message: str) -> None:
        self.close_connection = True  # what of the request was not read is not the next one
        self._send(Answer(status, message.encode() + b"\n"))

    def _send(self, answer: Answer) -> None:
        about = answer.about
        what = "" if about is None else f" {about.origin}, {about.size} records"
        said = "" if answer.status == 200 else f": {answer.body.decode(errors='replace').strip()}"
        self.server.tell(f"{answer.status}{what}{said}")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _cut(self) -> None:
        with contextlib.suppress(OSError):  # it is closed already
            self.connection.shutdown(socket.SHUT_RDWR)
