"""Model endpoints of other vendors' shapes on the loopback interface, every answer different.

OpenAI's chat completions, responses and embeddings, Gemini's `generateContent`, Ollama's chat: what
the official clients ask for, no more. A prompt that says so is refused once, with 429 or 500.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = ("harbour", "café", "lantern", "東京", "tide", "archive", "🎵", "ledger")
REFUSALS = {"rate limited": 429, "server error": 500}


def _words() -> list[str]:
    return [f"{random.choice(WORDS)}-{os.urandom(2).hex()} " for _ in range(random.randrange(2, 6))]


def _sse(events, last=None):
    pieces = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return pieces if last is None else [*pieces, last]


def _openai_chat(asked):
    """Return the chunks of a chat completion and whether they are a stream."""
    base = {"id": f"chatcmpl-{os.urandom(6).hex()}", "created": 1, "model": asked["model"]}
    used = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    calls = [
        {
            "index": number,
            "id": f"call_{os.urandom(4).hex()}",
            "type": "function",
            "function": {"name": tool["function"]["name"], "arguments": '{"city": "Kyōto"}'},
        }
        for number, tool in enumerate(asked.get("tools", []))
    ]
    if asked["messages"][-1]["role"] == "tool":
        calls = []
    words, reason = _words(), "tool_calls" if calls else "stop"
    if not asked.get("stream"):
        said = {"tool_calls": calls, "content": None} if calls else {"content": "".join(words)}
        choice = {"index": 0, "message": {"role": "assistant"} | said, "finish_reason": reason}
        return [base | {"object": "chat.completion", "choices": [choice], "usage": used}], False
    kind = base | {"object": "chat.completion.chunk"}
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words), {}]
    return [
        kind | {"choices": [{"index": 0, "delta": d, "finish_reason": None if d else reason}]}
        for d in deltas
    ], True


def _openai_response(asked):
    words = _words()
    part = {"type": "output_text", "text": "".join(words), "annotations": [], "logprobs": []}
    item = {"id": f"msg_{os.urandom(6).hex()}", "type": "message", "status": "completed"}
    item |= {"role": "assistant", "content": [part]}
    whole = {"id": f"resp_{os.urandom(6).hex()}", "object": "response", "created_at": 1}
    whole |= {"model": asked["model"], "output": [item], "status": "completed", "tools": []}
    whole |= {"parallel_tool_calls": True, "tool_choice": "auto"}
    if not asked.get("stream"):
        return [whole], False
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    events = [{"type": "response.created", "response": whole | {"output": []}}]
    events.append({"type": "response.output_item.added", "output_index": 0, "item": item})
    events.append({"type": "response.content_part.added", **place, "part": part | {"text": ""}})
    for word in words:
        delta = {"type": "response.output_text.delta", **place, "delta": word, "logprobs": []}
        events.append(delta)
    events.append({"type": "response.completed", "response": whole})
    return [event | {"sequence_number": n} for n, event in enumerate(events)], True


def _gemini(asked, streams):
    del asked
    words = _words()
    parts = words if streams else ["".join(words)]
    return [
        {
            "candidates": [
                {
                    "content": {"role": "model", "parts": [{"text": text}]},
                    "finishReason": "STOP" if text is parts[-1] else None,
                    "index": 0,
                }
            ],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": len(words)},
            "modelVersion": "gemini-scripted",
            "responseId": os.urandom(6).hex(),
        }
        for text in parts
    ], streams


def _ollama(asked):
    words = _words()
    base = {"model": asked["model"], "created_at": "2026-01-01T00:00:00Z"}
    if asked.get("stream") is False:
        words = ["".join(words)]
    said = [base | {"message": {"role": "assistant", "content": w}, "done": False} for w in words]
    said[-1] |= {"done": True, "done_reason": "stop", "total_duration": random.randrange(10**9)}
    return said


class _Handler(BaseHTTPRequestHandler):
    server: _Endpoints
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        self._json(200, {"models": [], "data": [], "object": "list"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append((self.path, self.headers.get("user-agent", "")))
        for words, status in REFUSALS.items():
            if words.encode() in body and self.server.refuses(words):
                self._json(status, {"error": {"message": words, "code": status}}, retry=True)
                return
        time.sleep(random.random() / 60)
        asked = json.loads(body)
        path = self.path.partition("?")[0]
        if path.endswith("/chat/completions"):
            self._answer(*_openai_chat(asked), b"data: [DONE]\n\n")
        elif path.endswith("/responses"):
            self._answer(*_openai_response(asked))
        elif path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": [random.random()] * 4}]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            self._json(200, {"object": "list", "model": "m", "data": data, "usage": usage})
        elif ":" in path:
            self._answer(*_gemini(asked, path.endswith(":streamGenerateContent")))
        elif path == "/api/chat":
            lines = _ollama(asked)
            pieces = [json.dumps(line).encode() + b"\n" for line in lines]
            self._pieces(pieces, "application/x-ndjson")
        else:
            self._json(404, {"error": {"message": path}})

    def _answer(self, events, streams, last=None):
        if streams:
            self._pieces(_sse(events, last), "text/event-stream")
        else:
            self._json(200, events[0])

    def _json(self, status, value, retry=False):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-request-id", f"req_{os.urandom(6).hex()}")
        if retry:
            self.send_header("retry-after-ms", "20")
        self.end_headers()
        self.wfile.write(body)

    def _pieces(self, pieces, content_type):
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            for piece in pieces:
                for part in (piece[: len(piece) // 2], piece[len(piece) // 2 :]):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                time.sleep(random.random() / 200)
            self.wfile.write(b"0\r\n\r\n")


class _Endpoints(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address, handler) -> None:
        super().__init__(address, handler)
        self.seen: list[tuple[str, str]] = []
        self._refused: dict[str, int] = {}
        self._lock = threading.Lock()

    def refuses(self, words: str) -> bool:
        """Say whether this is the first or second of the requests with these words."""
        with self._lock:
            self._refused[words] = count = self._refused.get(words, 0) + 1
        return count <= 2

    def handle_error(self, request, client_address):
        pass  # a client that went away


@contextlib.contextmanager
def endpoints():
    """Yields the URL and the list of (path, user agent) that it received."""
    with _Endpoints(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.seen
        finally:
            server.shutdown()
            thread.join()
