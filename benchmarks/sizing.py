"""What a long chat takes on disk, where each request repeats the whole history.

Workload: 200 turns with the Anthropic SDK, 95 KB of text that is said once, 10 MB that is sent; not
streamed, and streamed a token of four characters a chunk. Then 1,000 turns, not streamed.

Expectation, before the number: each turn makes eight records. A header costs 58 bytes in a bundle
(32 of them the commitment, which nothing can shrink), a part 48 for salt and commitment and some 10
for its frame: eight of each and ten more bytes of lists are 0.95 KB a turn. The text comes three
times (answer, response, next request), of which DEFLATE sees two as copies: 0.5 KB. 290 KB. A
streamed token is an event of 130 bytes, of which 7 are left: 0.8 KB more a turn, 450 KB.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from benchmarks.chats import ChatSizes, recorded_chat
from benchmarks.measuring import Bound, Figure, at_most
from benchmarks.programs import work_directory

__all__ = ["TINY", "figures"]

TINY = {"turns": 3, "many": 6}


def figures(turns: int = 200, many: int = 1_000) -> list[Figure]:
    """Measure a chat not streamed, streamed, and a longer one."""
    if importlib.util.find_spec("anthropic") is None:
        sys.stderr.write("the SDK is not installed: not measured\n")
        return []
    with work_directory() as directory:
        plain = _chat(turns, directory / "plain", stream=False)
        streamed = _chat(turns, directory / "streamed", stream=True)
        longer = _chat(many, directory / "longer", stream=False)
    text = f"{turns} turns, {plain.unique / 1e3:.0f} KB said, {plain.sent / 1e6:.1f} MB sent"
    return [
        _size(f"{text}: bundle", plain.bundle, at_most(300)),
        _size("the same: log, sealed", plain.log),
        _size("the same: log as Parquet with zstd", plain.parquet),
        _size("the same, a token a chunk: bundle", streamed.bundle, at_most(600)),
        _size("the same, a token a chunk: log, sealed", streamed.log),
        _size("the same, a token a chunk: log as Parquet with zstd", streamed.parquet),
        Figure(
            what=f"{many} turns: bundle, in bundles of {turns}, each turn",
            unit="",
            samples=[longer.bundle / many * turns / plain.bundle],
            target=at_most(1.1),
        ),
    ]


def _chat(turns: int, directory: Path, *, stream: bool) -> ChatSizes:
    directory.mkdir()
    return recorded_chat(turns, directory, stream=stream)


def _size(what: str, size_bytes: int, target: Bound | None = None) -> Figure:
    return Figure(what=what, unit="KB", samples=[size_bytes / 1e3], target=target)
