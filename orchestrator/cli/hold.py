"""`ritornello hold`: keep a run from being erased, and let go of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import emit, emit_json, inert, instant, say
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.erasure.standing import standing_of
from replay.errors import UsageError
from replay.events.workspace_kinds import HoldPlaced, HoldReleased
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace

__all__ = ["main"]

_WORDS_MAX: Final = 1000


def hold(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN|last", help="A run id or the beginning of one, or `last`."),
    ],
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; it goes on record.")] = None,
    authority: Annotated[
        str | None, typer.Option("--authority", help="Who decided, or by which right; on record.")
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="End all holds on the run.")] = False,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> int:
    """Keep a run as it is: nothing is erased from it until its holds are released.

    Without a reason it shows the holds in force. Each hold and release is a record of
    the workspace log and travels in bundles. It binds this command, not whoever may
    write the disk.

    Examples:
      ritornello hold last --reason "case 7" --authority "legal department"
      ritornello hold last --json
      ritornello hold last --release --reason "case closed" --authority "legal department"
    """
    if Path(run).suffix == BUNDLE_SUFFIX:
        raise UsageError("a bundle is a copy, and nobody erases from it", where=run)
    if (reason is None) != (authority is None) or (release and reason is None):
        what = " --release" if release else ""
        raise UsageError(
            f"a {'release' if release else 'hold'} takes both --reason and --authority",
            where=f"run {run}",
            hint=f"`ritornello hold {run}{what} --reason WHY --authority WHO`",
        )
    for words in (reason, authority):
        if words is not None and (not words.strip() or len(words) > _WORDS_MAX):
            raise UsageError(f"reason and authority take 1 to {_WORDS_MAX} characters")
    place = Workspace.open(workspace, create=False)
    name = place.run_directory(run).name
    if release and not standing_of(place.payloads(), name).holds:
        raise UsageError("there is no hold on this run", where=f"run {name}")
    if reason is not None and authority is not None:
        kind = HoldReleased if release else HoldPlaced
        place.enter(kind(run=name, reason=reason, authority=authority), time.time_ns() // 1000)
    holds = standing_of(place.payloads(), name).holds
    if as_json:
        emit_json("hold", {"run": name, "holds": [msgspec.to_builtins(each) for each in holds]})
        return ExitCode.OK
    for each in holds:
        emit(
            f"held since {instant(each.since_us)}: {inert(each.reason)} ({inert(each.authority)}),"
            f" workspace record {each.record}"
        )
    say(f"ritornello: run {inert(name)} is {'held' if holds else 'not held'}")
    return ExitCode.OK


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("hold", hold, arguments)
