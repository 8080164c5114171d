"""The kinds about a program's own code: whether it was let in, and what ran, as it lay on disk."""

from __future__ import annotations

from typing import Literal

import msgspec

from replay.events.kind_base import Names, Pairs, PayloadBase

__all__ = ["AdmissionDecided", "CodeLoaded", "SourceFile", "SourceState"]

#: ``kept``: the text is in the body. Else why it is not: git would ignore the file, it holds what
#: looks like a secret, it is too large, or it could not be read.
SourceState = Literal["kept", "ignored", "secret", "large", "unreadable"]


class SourceFile(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One file: path, state, bytes, and of a large one the keyed BLAKE3, else empty."""

    path: str
    state: SourceState
    size: int
    digest: str


class AdmissionDecided(PayloadBase, frozen=True, tag="AdmissionDecided"):
    """Policies were asked whether the program may run, before any of it did.

    Without policies there is none. A replay takes it from the record, as it takes what the world
    said, and whoever replays decides anew.

    Attributes:
        subject: the kind of artifact: ``code``.
        name: what was to run.
        digest: hex SHA-256 of its bytes where a verified statement named it; else empty.
        verdict: ``allow``; a run that is denied has no record.
        judged: what the policies came to: ``deny`` where they only look on.
        mode: ``required`` where they decide, ``observe`` where they look on.
        policies: hex SHA-256 of each policy that was asked, ascending.
        reasons: (code, sentence), sorted.
    """

    subject: str
    name: str
    digest: str
    verdict: str
    judged: str
    mode: str
    policies: Names
    reasons: Pairs


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
