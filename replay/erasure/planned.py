"""What somebody wants erased, and what that would do: values, shown before anything is done."""

from __future__ import annotations

from pathlib import Path

import msgspec

from replay.erasure.passages import Passages

__all__ = ["ErasurePlan", "RunPlan", "Wanted"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants erased.

    Attributes:
        events: records of the run.
        passages: words, wherever they stand.
        reason, authority: why, and who decided; they go on record and must not hold the words.
    """

    events: tuple[int, ...] = ()
    passages: Passages | None = None
    reason: str
    authority: str


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What would be erased of one run.

    Attributes:
        run: its id.
        directory: where it is kept.
        copy_of: the run that was named, if this one is a copy of it.
        size: number of its records.
        root: hex root over them; it does not change.
        parts: ordinals of the parts that go.
        events: the records that were the first to bring them.
        inputs: those of them that are inputs.
        records: how many records will have a hole, by kind.
        size_bytes: bytes of the parts.
        stops_at: the record before which a replay will stop.
        places: records whose place in the program, kept beside the log, goes.
        files: what else goes from the run's directory, by name.
        left: records that hold the same words and stay.
        unread: requests whose response is in a coding that nothing here undoes.
        limits: records of which a limit kept something from being decoded, and what.
        registered: records of the workspace log that hold the words in the run's command line.
    """

    run: str
    directory: Path
    copy_of: str | None = None
    size: int
    root: str
    parts: tuple[int, ...]
    events: tuple[int, ...]
    inputs: tuple[int, ...]
    records: dict[str, int]
    size_bytes: int
    stops_at: int | None
    places: tuple[int, ...]
    files: tuple[str, ...]
    left: tuple[int, ...] = ()
    unread: tuple[int, ...] = ()
    limits: tuple[tuple[int, str], ...] = ()
    registered: tuple[int, ...] = ()


class ErasurePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure would do.

    Attributes:
        runs: the run that was named, then its copies.
        replays: directories of kept replays that go as a whole.
        catalogue: whether the catalogue of all runs goes; it can be built again.
        exports: bundles of these runs that were written, by name; out of reach.
        elsewhere: other runs of the workspace that hold the same words, and stay.
        unread: other runs of the workspace that are in use or damaged, and were not looked into.
        workspace_parts: parts of the workspace's own log that go: command lines of these runs.
        passages: what was looked for.
    """

    runs: tuple[RunPlan, ...]
    replays: tuple[Path, ...]
    catalogue: bool
    exports: tuple[str, ...]
    elsewhere: tuple[str, ...]
    workspace_parts: tuple[int, ...] = ()
    unread: tuple[str, ...] = ()
    passages: tuple[Passages, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be erased."""
        nothing = all(
            not (run.parts or run.places or run.files or run.registered) for run in self.runs
        )
        return nothing and not self.replays
