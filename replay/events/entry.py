"""A record as it travels between recorder, store and reader: bytes first, fields beside them."""

from __future__ import annotations

from typing import Literal

import msgspec

from replay.events.header import Header

__all__ = ["Entry", "Part", "PartState"]

#: ``present``: the bytes are here. The other three are holes, counted and never confused:
#: ``erased`` on request, ``withheld`` from an export, ``missing`` for no stated reason.
PartState = Literal["present", "erased", "withheld", "missing"]


class Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The smallest unit of a payload that is stored, committed to and erased once.

    Attributes:
        ordinal: position among the distinct parts of the run, from 0.
        salt: 16 bytes, or empty for a part declared public; empty as well when erased.
        commitment: 32 bytes.
        size: bytes of ``data``, also when they are gone.
        data: the exact bytes; None in every state but ``present``.
        state: why the data are absent, if they are.
    """

    ordinal: int
    salt: bytes
    commitment: bytes
    size: int
    data: bytes | None
    state: PartState = "present"


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record and what it is the first to bring.

    Attributes:
        header: the decoded fields, for typed columns and folds.
        raw: the header bytes, which are the evidence.
        parts: ordinals of the payload's parts, in order, repeats allowed.
        brought: parts that no earlier record had, ascending ordinals.
        place: where in the user's program, for people; beside the log and hashed nowhere.
    """

    header: Header
    raw: bytes
    parts: tuple[int, ...]
    brought: tuple[Part, ...]
    place: str | None = None
