"""Carries an erasure out: a fresh store, a record of who and why, the old store gone.

The one invariant: the record is durable before the old store goes, so there is no hole without a
reason; and copies go before the run that was named, so that an erasure which was interrupted can
be asked for again in the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from replay.erasure.passages import AnyOf
from replay.erasure.plan import CATALOGUE_NAME, refuse_held
from replay.erasure.planned import ErasurePlan, RunPlan, Wanted
from replay.erasure.rewriting import FRESH_NAME, discard, put_in_place, write_without
from replay.erasure.search import search_run
from replay.errors import ErasureError
from replay.events.workspace_kinds import RunErased
from replay.log.duckdb_store import DuckDBStore
from replay.log.lock import RunLock
from replay.log.workspace import Workspace

__all__ = ["carry_out"]


def carry_out(
    place: Workspace,
    plan: ErasurePlan,
    wanted: Wanted,
    now_us: Callable[[], int],
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Erase what a plan names.

    Args:
        place: the workspace.
        plan: as it was made in this workspace.
        wanted: reason and authority, for the record.
        now_us: claimed time in microseconds since the Unix epoch.
        tell: is told of each step when it is done.

    Raises:
        ErasureError: a run changed since, is held by now, or still holds the words without the
            parts.
        LogError: a run is in use, or the disk refuses; each run is as it was or erased, and the
            same erasure can be asked for again.
    """
    refuse_held(place, plan.runs)
    for path in plan.replays:
        lock = RunLock.exclusive(path)
        try:
            discard(path)
        finally:
            lock.release()
        tell(f"kept replay {path.name} removed")
    if plan.catalogue:
        for name in sorted(each.name for each in place.path.glob(f"{CATALOGUE_NAME}*")):
            discard(place.path / name)
        tell("catalogue removed")
    for run in reversed(plan.runs):
        lock = RunLock.exclusive(run.directory)
        try:
            _erase(place, run, plan, wanted, now_us, tell, lock)
        finally:
            lock.release()


def _erase(
    place: Workspace,
    run: RunPlan,
    plan: ErasurePlan,
    wanted: Wanted,
    now_us: Callable[[], int],
    tell: Callable[[str], None],
    lock: RunLock,
) -> None:
    fresh: Path | None = None
    try:
        if run.parts or run.places:
            fresh = write_without(run.directory, lock, run.parts, run.places, run.root)
            _look_again(fresh, run, plan)
            tell(f"run {run.run}: new store written")
        refuse_held(place, [run])  # writing the store took a while
        if run.parts or run.registered:
            place.enter(_record(run, wanted), now_us())
            tell(f"run {run.run}: on record")
        if plan.workspace_parts and run is plan.runs[0]:
            place.erase_records(frozenset(plan.workspace_parts))
            tell("workspace log written anew")
    except BaseException:
        discard(run.directory / FRESH_NAME)
        raise
    if fresh is not None:
        put_in_place(fresh, run.directory)
        tell(f"run {run.run}: old store replaced")
    for name in run.files:
        discard(run.directory / name)
        tell(f"run {run.run}: {name} removed")


def _record(run: RunPlan, wanted: Wanted) -> RunErased:
    return RunErased(
        run=run.run,
        size=run.size,
        root=run.root,
        parts=run.parts,
        events=run.events,
        reason=wanted.reason,
        authority=wanted.authority,
        registered=run.registered,
    )


def _look_again(fresh: Path, run: RunPlan, plan: ErasurePlan) -> None:
    """Look for the words in the new store: what is left now is left for good."""
    store = DuckDBStore.open(fresh)
    try:
        found = search_run(store, AnyOf(plan.passages))
    finally:
        store.close()
    streams = found.streams
    still = sorted({streams.brought_by[n] for n in found.parts} - set(run.left))
    if still:
        raise ErasureError(
            "the run would still hold the words",
            where=f"run {run.run}, event {still[0]}",
            hint="it changed since the plan was made; plan again",
        )
