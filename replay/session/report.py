"""The report of a replay: a closed verdict, and what it rests on."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Literal, Self

import msgspec

from replay.recording.divergence import Divergence

__all__ = ["AwaitedAtOnce", "Report", "Verdict"]

#: ``identical``: the replay reached the recorded root. ``diverged``: see the divergence.
#: ``erased``: an input that the program needs is gone. ``incomplete``: the run has no seal, or what
#: would judge it is not there. ``damaged``: the record is not what was written. ``refused``: by
#: policy.
Verdict = Literal["identical", "diverged", "erased", "incomplete", "damaged", "refused"]


class AwaitedAtOnce:
    """What came of a run: awaiting it gives itself."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Self]:
        """Return this object, without waiting."""
        yield from ()
        return self


class Report(AwaitedAtOnce, msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found.

    Attributes:
        verdict: the answer.
        run: id of the recorded run.
        events: records that the replay computed or copied and found equal.
        root_recorded, root_replayed: hex roots; the second is that of the replay's own log.
        live_effects: ways out that stood open in the replay's process when it ended, so effects
            that really happened: always 0, or it is a bug.
        guard: what kept the replay hermetic: ``process`` or ``kernel``.
        refused_attempts: ways out that were tried and refused.
        inputs_taken: records copied from the recording.
        derived_computed: records computed by running the program.
        divergence: the first difference, if there is one.
        notes: whatever else a reader must know, in sentences.
        versions: (name, version) of Python and of the distributions that the replaying process had
            loaded when the program had ended.
        unloadable: why Python could not load the program, where that is what differs: a commit like
            that says nothing about what it would have done.
    """

    verdict: Verdict
    run: str
    events: int
    root_recorded: str
    root_replayed: str
    live_effects: int
    guard: Literal["process", "kernel"]
    inputs_taken: int
    derived_computed: int
    divergence: Divergence | None = None
    notes: tuple[str, ...] = ()
    unloadable: str | None = None
    versions: tuple[tuple[str, str], ...] = ()
    refused_attempts: int = 0
