"""What a launched child says, heard on a thread of its own."""

from __future__ import annotations

import contextlib
import os
import threading

import msgspec

from replay.session.messages import Answer

__all__ = ["ChildAnswers"]


class ChildAnswers:
    """Reads what the child says, on a thread: a grandchild may keep the pipe open for long."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: list[Answer] = []
        self._heard = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def first(self, timeout_s: float) -> Answer | None:
        """Return the first thing said, None if that is nothing yet."""
        self._heard.wait(timeout_s)
        return self._lines[0] if self._lines else None

    def wait(self) -> list[Answer]:
        """Return what was said; the child has ended."""
        self._thread.join(timeout=30)
        return list(self._lines)

    def _read(self) -> None:
        decoder: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)
        # What is no answer of ours ends the talk: the program may have found the pipe.
        with (
            os.fdopen(self._descriptor, "rb") as lines,
            contextlib.suppress(msgspec.MsgspecError),
        ):
            for line in lines:
                self._lines.append(decoder.decode(line))
                self._heard.set()
