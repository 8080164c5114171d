"""A chat of some turns with a streaming provider, for tests that look at its text."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import duckdb

from orchestrator.dialects.anthropic import dialect
from orchestrator.testing import Answer, Delivery, Rule, Script, ScriptedProvider, Text
from replay.session.record import record_program

__all__ = ["SENTENCE", "answers_with", "record_chat", "texts_of_a_directory"]

#: It needs escapes in JSON, is wrapped, and is no part of any source file that a run keeps.
SENTENCE = "Her " + '"number" is forty-two —\nand she lives at 12 Café Lane.'

_AT_ONCE = Delivery(latency_ms=0, chunk_latency_ms=0)
_ESCAPE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])')
_DELTA = re.compile(rb'"text_delta","text":"((?:[^"\\]|\\.)*)"')


def answers_with(sentence: str, turns: int, turn: int = 3) -> Script:
    """A script whose answer to one turn holds a sentence, in pieces of four characters."""
    texts = [f"Answer number {n} says this and that." for n in range(turns)]
    texts[turn] = f"Well, then. {sentence} So much for that."
    answers = tuple(
        Answer(blocks=(Text(text),), piece_sizes=(4,), delivery=_AT_ONCE) for text in texts
    )
    return Script(rules=(Rule(answers=answers),))


def record_chat(workspace: Path, turns: int, sentence: str = SENTENCE, entry: str = "chat") -> Path:
    """Record a chat and return its run's directory."""
    from anthropic import AsyncAnthropic

    async def chat(url: str) -> None:
        history: list[dict[str, str]] = []
        async with AsyncAnthropic(api_key="none", base_url=url) as client:
            for turn in range(turns):
                history.append({"role": "user", "content": f"Question number {turn}, please?"})
                async with client.messages.stream(
                    model="m", max_tokens=100, messages=history
                ) as stream:
                    said = "".join([piece async for piece in stream.text_stream])
                history.append({"role": "assistant", "content": said})

    with ScriptedProvider(mode="wild", script=answers_with(sentence, turns)) as provider:
        url = provider.base_url
        run = record_program(
            lambda: asyncio.run(chat(url)), entry=entry, workspace=workspace, dialects=(dialect,)
        )
        run.result()
    return run.directory


def texts_of_a_directory(directory: Path) -> dict[str, str]:
    """Every text below a directory, decoded without any code of ours, by where it stands.

    Files as they are; of each log its rows, one after the other, their JSON strings, and the
    deltas of their streams put together.
    """
    found: dict[str, str] = {}
    for path in sorted(directory.rglob("*")):
        if not path.is_file():
            continue
        if path.suffix == ".duckdb":
            with duckdb.connect(path, read_only=True) as log:
                rows = log.execute(
                    "SELECT data FROM log WHERE data IS NOT NULL ORDER BY seq, ordinal"
                )
                data = b"".join(row[0] for row in rows.fetchall())
            deltas = (match.group(1) for match in _DELTA.finditer(data))
            found[f"{path}: streams"] = "".join(json.loads(b'"' + each + b'"') for each in deltas)
            found[f"{path}: rows"] = data.decode("utf-8", "replace")
            found[f"{path}: row strings"] = _unescaped(found[f"{path}: rows"])
        found[str(path)] = path.read_bytes().decode("utf-8", "replace")
        found[f"{path}: strings"] = _unescaped(found[str(path)])
    return found


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: json.loads(f'"{match.group()}"'), text)
