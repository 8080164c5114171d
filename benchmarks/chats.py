"""A long chat with the Anthropic SDK, recorded, and the sizes of what is kept of it.

Text is made of 4,000 made-up words, frequent ones short and rare ones long, as in a language; no
two messages are alike. DEFLATE brings such text to 41 % of its size, English prose to about 38 %.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from orchestrator.cli.export import export_run
from orchestrator.dialects.anthropic import dialect
from orchestrator.testing import Answer, Delivery, Rule, Script, ScriptedProvider, Text
from orchestrator.testing.request_record import RequestRecord
from replay.log.duckdb_schema import LOG_NAME
from replay.log.workspace import Workspace
from replay.session.record import record_program

__all__ = ["ChatSizes", "recorded_chat"]

_SYLLABLES: Final = [a + b for a, b in itertools.product("bdfglmnprstvw", "aeiou")]
_RANKS: Final = range(1, 4001)
_AT_ONCE: Final = Delivery(latency_ms=0, chunk_latency_ms=0)
#: Characters of a token, and of a message of the user's and of the model's in words.
_TOKEN: Final = 4
_ASKED: Final = 29
_ANSWERED: Final = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSizes:
    """Sizes in bytes.

    Attributes:
        unique: text that was said, each message once.
        sent: bodies of all requests, which repeat it.
        log: the run's DuckDB file, sealed.
        bundle: the exported bundle.
        parquet: the log's table as one Parquet file with zstd.
    """

    unique: int
    sent: int
    log: int
    bundle: int
    parquet: int


def recorded_chat(turns: int, directory: Path, *, stream: bool) -> ChatSizes:
    """Record a chat of so many turns, export it, and return the sizes.

    Args:
        turns: questions, each with the whole history before it.
        directory: an empty directory for workspace and bundle.
        stream: whether answers come as streams, a token a chunk.
    """
    choose = random.Random(turns)
    words = ["".join(choose.choices(_SYLLABLES, k=1 + rank.bit_length() // 4)) for rank in _RANKS]
    said = [_message(choose, words, _ASKED) for _ in range(turns)]
    answers = [_message(choose, words, _ANSWERED) for _ in range(turns)]
    scripted = tuple(
        Answer(blocks=(Text(text),), piece_sizes=(_TOKEN,), delivery=_AT_ONCE) for text in answers
    )
    sent: list[int] = []
    rule = Rule(answers=scripted, when=lambda request: _counted(sent, request))
    with ScriptedProvider(mode="wild", script=Script(rules=(rule,))) as provider:
        run = record_program(
            _chatting(provider.base_url, said, stream=stream),
            entry="chat",
            workspace=directory,
            dialects=(dialect,),
        )
        run.result()
    bundle, parquet = directory / "chat.ritornello", directory / "chat.parquet"
    export_run("last", Workspace.open(directory, create=False), bundle)
    log = run.directory / LOG_NAME
    with duckdb.connect(log, read_only=True) as connection:
        connection.execute(f"COPY log TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)")
    return ChatSizes(
        unique=sum(map(len, [*said, *answers])),
        sent=sum(sent),
        log=log.stat().st_size,
        bundle=bundle.stat().st_size,
        parquet=parquet.stat().st_size,
    )


def _counted(sent: list[int], request: RequestRecord) -> bool:
    """Note the size of a request, which every rule here answers."""
    sent.append(len(request.body))
    return True


def _message(choose: random.Random, words: list[str], count: int) -> str:
    return " ".join(choose.choices(words, [1 / (rank + 3) for rank in _RANKS], k=count))


def _chatting(base_url: str, said: list[str], *, stream: bool) -> Callable[[], object]:
    import anthropic

    async def main() -> None:
        history: list[dict[str, str]] = []
        async with anthropic.AsyncAnthropic(
            base_url=base_url, api_key="none", max_retries=0
        ) as client:
            for text in said:
                history.append({"role": "user", "content": text})
                options: dict[str, Any] = {"model": "m", "max_tokens": 1024, "messages": history}
                if stream:
                    async with client.messages.stream(**options) as pieces:
                        answer = "".join([piece async for piece in pieces.text_stream])
                else:
                    message = await client.messages.create(**options)
                    answer = message.content[0].text
                history.append({"role": "assistant", "content": answer})

    return lambda: asyncio.run(main())
