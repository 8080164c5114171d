"""A plain HTTP server on the loopback interface, every answer of which differs."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        self.server.seen.append((self.command, self.path, list(self.headers.items())))
        path, _, _ = self.path.partition("?")
        parts = path.strip("/").split("/")
        token = os.urandom(8).hex()
        if parts[0] == "stream":
            self._chunks([f"{token} line {n}\n".encode() * 40 for n in range(6)])
        elif parts[0] == "gzip":
            packed = gzip.compress(f"packed {token} ".encode() + os.urandom(40).hex().encode())
            pieces = [packed[at : at + 17] for at in range(0, len(packed), 17)]
            self._chunks(pieces, ("content-encoding", "gzip"))
        elif parts[0] == "redirect":
            left = int(parts[1])
            target = f"/redirect/{left - 1}" if left else "/plain"
            self._answer(302, b"", ("location", target))
        elif parts[0] == "empty":
            self.send_response(204)
            self.end_headers()
        elif parts[0] == "cookie":
            self._answer(200, b"", ("set-cookie", f"session={token}{token}; Path=/; HttpOnly"))
        elif parts[0] == "number":
            time.sleep(random.random() / 50)
            self._answer(200, f"{parts[1]} {token}".encode())
        elif parts[0] == "status":
            self._answer(int(parts[1]), token.encode())
        elif parts[0] == "slow":
            time.sleep(0.3)
            with contextlib.suppress(OSError):
                self._answer(200, token.encode())
        elif parts[0] == "reset":
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(token.encode())
            self.close_connection = True
        elif parts[0] == "plain":
            self._answer(200, token.encode())
        else:
            self._answer(404, token.encode())

    do_HEAD = do_DELETE = do_GET

    def do_POST(self):
        self.server.seen.append((self.command, self.path, list(self.headers.items())))
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(200, f"{len(body)} {os.urandom(4).hex()}".encode())

    def _answer(self, status, body, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _chunks(self, pieces, *headers):
        self.send_response(200)
        for name, value in (*headers, ("transfer-encoding", "chunked")):
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                time.sleep(random.random() / 200)
            self.wfile.write(b"0\r\n\r\n")


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address, handler) -> None:
        super().__init__(address, handler)
        self.seen: list[tuple[str, str, list[tuple[str, str]]]] = []

    def handle_error(self, request, client_address):
        pass  # a client that went away


@contextlib.contextmanager
def raw_server(certificate=None):
    """Yields the URL and the list of (method, path, headers) that it received.

    With a certificate and its key, a file, it speaks TLS at the same address.
    """
    with _Server(("127.0.0.1", 0), _Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.seen
        finally:
            server.shutdown()
            thread.join()
