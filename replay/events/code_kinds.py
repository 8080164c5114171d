"""The kind of a program's own source: what ran, as it lay on disk when the run ended."""

from __future__ import annotations

from typing import Literal

import msgspec

from replay.events.kind_base import Names, Pairs, PayloadBase

__all__ = ["CodeLoaded", "SourceFile", "SourceState"]

#: ``kept``: the text is in the body. Else why it is not: git would ignore the file, it holds what
#: looks like a secret, it is too large, or it could not be read.
SourceState = Literal["kept", "ignored", "secret", "large", "unreadable"]


class SourceFile(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One file: path, state, bytes, and of a large one the keyed BLAKE3, else empty."""

    path: str
    state: SourceState
    size: int
    digest: str


class CodeLoaded(PayloadBase, frozen=True, tag="CodeLoaded"):
    """The program's own source files; the texts of the kept ones follow the head, in order.

    Libraries are named by version. A run that was killed has no such record.

    Attributes:
        files: sorted by path, which is relative to the run's directory where the file lies below.
        distributions: (name, version) of the installed distributions that were loaded.
        late: paths written after the run began: what is here may not be what ran.
        omitted: how many files more there were than a record names.
    """

    files: tuple[SourceFile, ...]
    distributions: Pairs
    late: Names = ()
    omitted: int = 0
