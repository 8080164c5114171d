"""`ritornello pin`: write the head of a run, or of the workspace log, as a small text file."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from attestations.anchors import write_pin
from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.evidence.heads import head_of_run, head_of_workspace
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import counted, emit_json, inert, say
from orchestrator.cli.verify import with_directory
from replay.errors import UsageError
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace

__all__ = ["main"]


def pin(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|BUNDLE|last]",
            help="What to pin; without it, the workspace log.",
            show_default=False,
        ),
    ] = None,
    *,
    write: Annotated[Path, typer.Option("--write", metavar="FILE", help="The file to write.")],
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> int:
    """Write the head of a run as a file to keep where whoever has the run cannot reach.

    It is a checkpoint note: origin, size and root, three lines of text, with the
    signatures that the run has. In a git repository, its history says when. `verify
    --pin FILE` demands that what it checks is that head, or continues it. A pin of the
    same log is put forward by a later one; one of another log, or one that the run
    contradicts, stays as it is: 3.

    Examples:
      ritornello pin last --write pins/letters.note
      ritornello pin run.ritornello --write run.note
      ritornello pin --workspace --write workspace.note
    """
    if not write.parent.is_dir():
        raise UsageError("there is no such directory", where=str(write.parent))
    with contextlib.ExitStack() as stack:
        if run is None:
            head = head_of_workspace(Workspace.open(workspace, create=False))
        else:
            head = stack.enter_context(head_of_run(run, workspace))
        now = head.checkpoint
        before = write_pin(write, now, now.note(head.signatures), head.prefix_root)
    if as_json:
        emit_json(
            "pin",
            {
                "file": str(write),
                "origin": now.origin,
                "size": now.size,
                "root": now.root.hex(),
                "sealed": head.sealed,
                "formerly": None if before is None else before.size,
            },
        )
    else:
        since = "" if before is None else f", formerly {before.size}"
        say(
            f"ritornello: {inert(str(write))} pins {counted(now.size, 'record')} of"
            f" {now.origin}{since}",
            f"            root {now.root.hex()}",
        )
        if not head.sealed:
            say("  note: the run has no seal; pin it again when it has")
    return ExitCode.OK


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("pin", pin, with_directory(arguments))
