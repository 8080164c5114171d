"""`ritornello anchor`: have the head of a run stamped with a time by somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from attestations.anchors import read_roots, request_time_stamp, verify_time_stamp
from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.evidence.heads import head_of_run
from orchestrator.cli.evidence.kept_time_stamps import keep_time_stamp
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import counted, emit_json, inert, say
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.rewriting import rewrite_bundle
from replay.bundle.statements import TIME_STAMP, Statement
from replay.errors import UsageError
from replay.log.workspace import WORKSPACE_NAME

__all__ = ["main"]


def anchor(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN|BUNDLE|last", help="A run of the workspace, or a bundle."),
    ],
    *,
    tsa: Annotated[
        str, typer.Option("--tsa", metavar="URL", help="A time stamping service (RFC 3161).")
    ],
    tsa_roots: Annotated[
        list[Path] | None,
        typer.Option("--tsa-root", metavar="FILE", help="PEM: refuse the time stamp of others."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="FILE.ritornello", help="Write the bundle anew, to FILE."),
    ] = None,
    workspace: InWorkspace = Path(WORKSPACE_NAME),
    as_json: AsJson = False,
) -> int:
    """Have the head of a run stamped: proof that it was there at a time, by another's clock.

    The service gets a SHA-256 of the run's checkpoint and nothing else. A bundle is
    written again with the time stamp beside the run, its root the same; a run of the
    workspace keeps it in its directory, and takes it along when it is exported. `verify
    --tsa-root FILE` verifies it without the network.
    3: the run does not hold, or the time stamp is of another. 7: the service gave none;
    nothing was written.

    Examples:
      ritornello anchor last --tsa https://freetsa.org/tsr
      ritornello anchor run.ritornello --tsa https://freetsa.org/tsr --tsa-root freetsa.pem
      ritornello anchor run.ritornello --tsa https://freetsa.org/tsr --into stamped.ritornello
    """
    bundle = Path(run) if Path(run).suffix == BUNDLE_SUFFIX else None
    if into is not None:
        if bundle is None:
            raise UsageError("--into is about a bundle", hint="leave it out, or export the run")
        if into.suffix != BUNDLE_SUFFIX:
            raise UsageError(f"a bundle's name ends in {BUNDLE_SUFFIX}", where=str(into))
        if into.exists() and not into.samefile(bundle):
            raise UsageError("the file is there already", where=str(into), hint="take another name")
    roots = tuple(dict.fromkeys(root for path in tsa_roots or () for root in read_roots(path)))
    with head_of_run(run, workspace) as head:
        now, sealed, directory = head.checkpoint, head.sealed, head.directory
    reply = request_time_stamp(tsa, now.body())
    stamp = verify_time_stamp(reply, now.body(), roots) if roots else None
    if bundle is not None:
        target = bundle if into is None else into
        rewrite_bundle(bundle, target, statements=[Statement(media_type=TIME_STAMP, data=reply)])
    else:
        assert directory is not None, "what is no bundle is a run of the workspace"
        target = keep_time_stamp(directory, now, reply)
    if as_json:
        emit_json(
            "anchor",
            {
                "file": str(target),
                "origin": now.origin,
                "size": now.size,
                "root": now.root.hex(),
                "sealed": sealed,
                "size_bytes": len(reply),
                "time": None if stamp is None else stamp.time.isoformat(),
            },
        )
        return ExitCode.OK
    when = "not verified: add --tsa-root" if stamp is None else f"there at {stamp.time.isoformat()}"
    say(f"ritornello: {inert(str(target))}: {counted(now.size, 'record')} stamped, {when}")
    if not sealed:
        say("  note: the run has no seal; the time stamp is for what is there now")
    return ExitCode.OK


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("anchor", anchor, arguments)
