"""What an erasure would do, in one workspace, before anything is done.

The one invariant: planning changes no byte. Copies of the run (forks, kept replays) are known by
the commitments that they share with it, and are part of the plan; other runs that hold the same
words are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from replay.bundle.attached import ATTACHED_NAME
from replay.erasure.passages import AnyOf, Passages
from replay.erasure.planned import ErasurePlan, RunPlan, Wanted
from replay.erasure.search import Found, Readings, search_run
from replay.erasure.selection import Selected, select
from replay.erasure.standing import standing_of
from replay.erasure.views import views_of
from replay.errors import ErasureError, IntegrityError, LogError
from replay.events.kinds import role_of
from replay.events.workspace_kinds import RunRegistered
from replay.log.duckdb_schema import LOG_NAME
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import RunCheck, check
from replay.log.head import HEAD_NAME, read_head
from replay.log.journal import JOURNAL_NAME
from replay.log.lock import LOCK_NAME
from replay.log.stored_run import StoredRun
from replay.log.workspace import Workspace
from replay.log.workspace_check import directories_in

__all__ = ["CATALOGUE_NAME", "plan_erasure", "refuse_held"]

CATALOGUE_NAME: Final = "catalog.duckdb"
_OF_A_RUN: Final = frozenset(
    {ATTACHED_NAME, HEAD_NAME, JOURNAL_NAME, LOCK_NAME, LOG_NAME, f"{LOG_NAME}.wal"}
)
_OF_THE_WORKSPACE: Final = frozenset(
    {"head", "runs", "replays", "workspace.log", ".gitignore", CATALOGUE_NAME}
)
_WINDOW_BYTES: Final = 64 << 20
#: What stands across the end of a window is found in the next one.
_OVERLAP_BYTES: Final = 1 << 20


def plan_erasure(
    place: Workspace, run: str, wanted: Wanted, readings: Readings | None = None
) -> ErasurePlan:
    """Say what would be erased.

    Args:
        place: the workspace.
        run: name of a sealed run in it.
        wanted: what is to go, and why.
        readings: reads exchanges of vendors.

    Raises:
        ErasureError: the run is held or not sealed, an input that stays would bring the words
            back, or a file or record that nothing here may rewrite holds them.
        IntegrityError: a run cannot be read.
        LogError: a run is in use.
        NotFoundError: there is no such run or record.
    """
    directory = place.run_directory(run)
    first, selected = _named(place, directory, wanted, readings)
    passages = selected.passages
    for text in (wanted.reason, wanted.authority):
        if any(each.stand_in(text) for each in passages):
            raise ErasureError("reason and authority go on record: they must not hold the words")
    streams = selected.found.streams
    gone = frozenset(streams.commitments[n] for n in first.parts)
    plans, elsewhere, unread = [first], [], []
    for name in directories_in(place.path / "runs"):
        other = place.path / "runs" / name
        if other == directory or not (other / LOG_NAME).is_file():
            continue
        try:
            copy, also = _copied(other, gone, passages, first.run)
        except (IntegrityError, LogError):
            unread.append(name)  # in use, or damaged
            continue
        if copy is not None:
            plans.append(copy)
        elif also:
            elsewhere.append(name)
    refuse_held(place, plans)
    _refuse_foreign(place, passages)
    plans, workspace_parts, named = _in_the_log(place, plans, passages)
    payloads = place.payloads()
    return ErasurePlan(
        runs=tuple(plans),
        replays=tuple(_kept_replays(place, gone, passages)),
        catalogue=(place.path / CATALOGUE_NAME).exists(),
        exports=tuple(name for plan in plans for name in standing_of(payloads, plan.run).exports),
        elsewhere=tuple(dict.fromkeys([*elsewhere, *named])),
        workspace_parts=workspace_parts,
        unread=tuple(unread),
        passages=passages,
    )


def _named(
    place: Workspace, directory: Path, wanted: Wanted, readings: Readings | None
) -> tuple[RunPlan, Selected]:
    store = StoredRun.of(place, directory)
    try:
        root, size = _sealed(store.check(), directory)
        selected = select(store, wanted.events, wanted.passages, readings)
    finally:
        store.close()
    plan = _plan(directory, selected.found, selected.parts, selected.places, root, size)
    files = tuple(_side_files(directory, selected.passages))
    return msgspec.structs.replace(plan, files=files, left=selected.left), selected


def _sealed(checked: RunCheck, directory: Path) -> tuple[str, int]:
    if checked.integrity != "ok":
        raise IntegrityError(
            f"the run does not hold: {checked.findings[0].message}",
            where=str(directory),
            hint="`ritornello verify` names everything that is wrong",
        )
    if checked.completeness != "sealed":
        raise ErasureError(
            f"only a sealed run can be erased from, and this one is {checked.completeness}",
            where=directory.name,
            hint="let it end; `ritornello resume` lets one go on that stopped",
        )
    return checked.root, checked.events


def _plan(
    directory: Path,
    found: Found,
    parts: Sequence[int],
    places: Sequence[int],
    root: str,
    size: int,
    copy_of: str | None = None,
) -> RunPlan:
    streams = found.streams
    events = tuple(sorted({streams.brought_by[n] for n in parts}))
    listed = msgspec.structs.replace(found, parts=dict.fromkeys(parts, ()))
    return RunPlan(
        run=directory.name,
        directory=directory,
        copy_of=copy_of,
        size=size,
        root=root,
        parts=tuple(parts),
        events=events,
        inputs=tuple(seq for seq in events if role_of(streams.kinds[seq]) != "derived"),
        records=dict(sorted(listed.listing().items())),
        size_bytes=sum(streams.sizes.get(n, 0) for n in parts),
        stops_at=events[0] if events else None,
        places=tuple(places),
        files=(),
        unread=found.unread,
        limits=found.limits,
    )


def _copied(
    directory: Path, gone: frozenset[bytes], passages: Sequence[Passages], run: str
) -> tuple[RunPlan | None, bool]:
    """Plan for a run if it is a copy, and say whether it holds the words."""
    store = DuckDBStore.open(directory)
    try:
        found = search_run(store, AnyOf(passages))
        streams = found.streams
        shared = {n for n in streams.sizes if streams.commitments[n] in gone}
        if not shared:
            return None, bool(found.parts) or any(_holding(directory, passages))
        root, size = _sealed(check(store, head=read_head(directory)), directory)
    finally:
        store.close()
    parts = sorted(shared | found.parts.keys())
    plan = _plan(directory, found, parts, found.places, root, size, copy_of=run)
    return msgspec.structs.replace(plan, files=tuple(_side_files(directory, passages))), True


def _kept_replays(
    place: Workspace, gone: frozenset[bytes], passages: Sequence[Passages]
) -> Iterator[Path]:
    """Yield the kept replays that hold a copy of a part, or the words."""
    replays = place.path / "replays"
    for name in directories_in(replays):
        if not (replays / name / LOG_NAME).is_file():
            continue
        store = DuckDBStore.open(replays / name, compare_head=False)
        try:
            found = search_run(store, AnyOf(passages))
        finally:
            store.close()
        streams = found.streams
        if found.parts or any(streams.commitments[n] in gone for n in streams.sizes):
            yield replays / name


def _side_files(directory: Path, passages: Sequence[Passages]) -> Iterator[str]:
    """Yield what goes from a run's directory: files that hold the words, and all scratch space."""
    scratch = [name for name in ("erasing", "tmp") if (directory / name).exists()]
    yield from sorted({*scratch, *_holding(directory, passages)})


def _holding(directory: Path, passages: Sequence[Passages]) -> Iterator[str]:
    """Yield what beside the store of a run holds the words."""
    for path in sorted(directory.iterdir()):
        ours = path.name in _OF_A_RUN and path.name != ATTACHED_NAME
        if not ours and any(_holds(file, passages) for file in _files_of(path)):
            yield path.name


def refuse_held(place: Workspace, plans: Sequence[RunPlan]) -> None:
    """Refuse where the workspace log names a hold on one of the runs.

    Raises:
        ErasureError: it does; names the hold.
    """
    payloads = place.payloads()
    for plan in plans:
        for hold in standing_of(payloads, plan.run).holds:
            raise ErasureError(
                f"the run is held: {hold.reason}",
                where=f"run {plan.run}, workspace record {hold.record}, by {hold.authority}",
                hint=f"a hold beats an erasure; `ritornello hold {plan.run} --release --reason WHY"
                " --authority WHO` ends it",
            )


def _in_the_log(
    place: Workspace, plans: list[RunPlan], passages: Sequence[Passages]
) -> tuple[list[RunPlan], tuple[int, ...], list[str]]:
    """Find command lines in the workspace's own log that hold the words.

    Returns:
        The plans, with the records that go; the parts of that log; other runs that hold the words.

    Raises:
        ErasureError: a record that is none of a command line holds them.
    """
    holders = place.holders(lambda data: _stands_in(data, passages))
    entered = {
        header.seq: payload.run
        for header, payload in place.payloads()
        if isinstance(payload, RunRegistered)
    }
    ours = {plan.run for plan in plans}
    elsewhere = []
    for seq in holders.values():
        if seq not in entered:
            raise ErasureError(
                "the workspace's own log holds the words, and not in a command line",
                where=f"workspace record {seq}",
                hint="export the runs that are to stay, and delete the workspace",
            )
        if entered[seq] not in ours:
            elsewhere.append(entered[seq])
    plans = [
        msgspec.structs.replace(
            plan,
            registered=tuple(
                dict.fromkeys(seq for seq in holders.values() if entered[seq] == plan.run)
            ),
        )
        for plan in plans
    ]
    parts = tuple(part for part, seq in holders.items() if entered[seq] in ours)
    return plans, parts, elsewhere


def _refuse_foreign(place: Workspace, passages: Sequence[Passages]) -> None:
    """Refuse where a file that is none of the workspace's, nor of a run, holds the words."""
    strange = [
        path
        for path in sorted(place.path.iterdir())
        if path.name not in _OF_THE_WORKSPACE and not path.name.startswith(CATALOGUE_NAME)
    ]
    for area in ("runs", "replays"):
        known = {
            name
            for name in directories_in(place.path / area)
            if (place.path / area / name / LOG_NAME).is_file()
        }
        found = sorted((place.path / area).iterdir()) if (place.path / area).is_dir() else []
        strange += [path for path in found if path.name not in known]
    for path in strange:
        for file in _files_of(path):
            if _holds(file, passages):
                raise ErasureError(
                    "a file that is none of the workspace's holds the words",
                    where=str(file),
                    hint="remove it first",
                )


def _files_of(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    return [file for file in found if file.is_file()]


def _holds(file: Path, passages: Sequence[Passages]) -> bool:
    with file.open("rb") as stream:
        data = stream.read(_WINDOW_BYTES)
        while data:
            if _stands_in(data, passages):
                return True
            more = stream.read(_WINDOW_BYTES)
            data = data[-_OVERLAP_BYTES:] + more if more else b""
    return False


def _stands_in(data: bytes, passages: Sequence[Passages]) -> bool:
    finder = AnyOf(passages)
    return any(True for view in views_of(data) for _ in finder.spans(view.data))
