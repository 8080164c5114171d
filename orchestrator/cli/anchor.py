"""`ritornello anchor`: have the head of a run stamped or cosigned by somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from attestations.anchors import (
    TimeStamp,
    read_roots,
    request_time_stamp,
    verify_time_stamp,
)
from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.evidence.cosigning import Cosigned, cosigned, witness_named
from orchestrator.cli.evidence.heads import head_of_run
from orchestrator.cli.evidence.kept_signatures import keep_signatures
from orchestrator.cli.evidence.kept_time_stamps import keep_time_stamp
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.key_verbs.key_use import PassphraseFile
from orchestrator.cli.terminal import counted, emit_json, inert, say
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.rewriting import rewrite_bundle
from replay.bundle.statements import TIME_STAMP, Statement
from replay.errors import UsageError
from replay.log.workspace import DEFAULT_WORKSPACE
from replay.tree import Checkpoint

__all__ = ["main"]


def anchor(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN|BUNDLE|last", help="A run of the workspace, or a bundle."),
    ],
    *,
    tsa: Annotated[
        str, typer.Option("--tsa", metavar="URL", help="A time stamping service (RFC 3161).")
    ] = "",
    tsa_roots: Annotated[
        list[Path] | None,
        typer.Option("--tsa-root", metavar="FILE", help="PEM: refuse the time stamp of others."),
    ] = None,
    witness_url: Annotated[
        str, typer.Option("--witness-url", metavar="URL", help="A witness (C2SP tlog-witness).")
    ] = "",
    witness: Annotated[
        str,
        typer.Option("--witness", metavar="VKEY|FILE", help="Its key: refuse another's answer."),
    ] = "",
    sign: Annotated[
        str,
        typer.Option("--sign", metavar="KEY", help="Sign the head with this log key first."),
    ] = "",
    passphrase_file: PassphraseFile = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="FILE.ritornello", help="Write the bundle anew, to FILE."),
    ] = None,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> int:
    """Have the head of a run stamped with a time, or cosigned by a witness, or both.

    A time stamp is proof that the head was there at a time, by another's clock. A
    witness cosigns a head only if it continues the one that it cosigned last, so nobody
    can show others another version; it wants the head signed by a log key that it knows.
    The service gets a SHA-256 of the run's checkpoint, the witness the checkpoint, and
    where the run grew since, hashes. A bundle is written again with the answer beside
    the run, its root the same; a run of the workspace keeps it in its directory, and
    takes it along when it is exported. `verify --tsa-root FILE` and `verify --witness
    VKEY` verify it without the network.
    3: the run does not hold, the time stamp is of another, or the witness has another
    version of this log. 7: no time stamp or cosignature was given. Nothing was written.

    Examples:
      ritornello anchor last --tsa https://freetsa.org/tsr
      ritornello anchor run.ritornello --tsa https://freetsa.org/tsr --tsa-root freetsa.pem
      ritornello anchor run.ritornello --tsa https://freetsa.org/tsr --into stamped.ritornello
      ritornello anchor last --sign log --witness-url http://127.0.0.1:8461 --witness w1.pub
    """
    bundle = Path(run) if Path(run).suffix == BUNDLE_SUFFIX else None
    _check(bundle, tsa, tsa_roots, witness_url, witness, sign, into)
    roots = tuple(dict.fromkeys(root for path in tsa_roots or () for root in read_roots(path)))
    made: Cosigned | None = None
    with head_of_run(run, workspace) as head:
        now, sealed, directory = head.checkpoint, head.sealed, head.directory
        if witness_url:
            made = cosigned(head, witness_url, witness_named(witness), sign, passphrase_file)
    reply = request_time_stamp(tsa, now.body()) if tsa else None
    stamp = verify_time_stamp(reply, now.body(), roots) if reply is not None and roots else None
    signatures = () if made is None else made.signatures
    if bundle is not None:
        target = bundle if into is None else into
        said = [] if reply is None else [Statement(media_type=TIME_STAMP, data=reply)]
        rewrite_bundle(bundle, target, statements=said, signatures=signatures)
    else:
        assert directory is not None, "what is no bundle is a run of the workspace"
        target = directory
        if signatures:
            target = keep_signatures(directory, now, signatures)
        if reply is not None:
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
                "size_bytes": None if reply is None else len(reply),
                "time": None if stamp is None else stamp.time.isoformat(),
                "cosigned": None if made is None else _instant(made),
            },
        )
        return ExitCode.OK
    _tell(target, now, reply, stamp, made, sealed=sealed)
    return ExitCode.OK


def _check(
    bundle: Path | None,
    tsa: str,
    tsa_roots: list[Path] | None,
    witness_url: str,
    witness: str,
    sign: str,
    into: Path | None,
) -> None:
    if not tsa and not witness_url:
        raise UsageError(
            "nothing says who is to be asked", hint="--tsa URL, or --witness-url URL --witness KEY"
        )
    if tsa_roots and not tsa:
        raise UsageError("--tsa-root is about a time stamp", hint="add --tsa URL")
    if bool(witness_url) != bool(witness):
        raise UsageError(
            "a witness is asked at an address, and believed by its key",
            hint="--witness-url URL --witness VKEY",
        )
    if sign and not witness_url:
        raise UsageError(
            "--sign signs what a witness gets", hint="`attest --checkpoint` signs without one"
        )
    if into is None:
        return
    if bundle is None:
        raise UsageError("--into is about a bundle", hint="leave it out, or export the run")
    if into.suffix != BUNDLE_SUFFIX:
        raise UsageError(f"a bundle's name ends in {BUNDLE_SUFFIX}", where=str(into))
    if into.exists() and not into.samefile(bundle):
        raise UsageError("the file is there already", where=str(into), hint="take another name")


def _tell(
    target: Path,
    now: Checkpoint,
    reply: bytes | None,
    stamp: TimeStamp | None,
    made: Cosigned | None,
    *,
    sealed: bool,
) -> None:
    what = f"ritornello: {inert(str(target))}: {counted(now.size, 'record')}"
    if reply is not None:
        when = "not verified: add --tsa-root"
        if stamp is not None:
            when = f"there at {stamp.time.isoformat()}"
        say(f"{what} stamped, {when}")
    if made is not None:
        already = " before" if made.before else ""
        say(f"{what} cosigned{already}, at {_instant(made)} by the witness's clock")
    if not sealed:
        say("  note: the run has no seal; this is for what is there now")


def _instant(made: Cosigned) -> str:
    try:
        return datetime.fromtimestamp(made.time_s, UTC).isoformat()
    except (OverflowError, ValueError, OSError):  # the format holds more than the calendar
        return f"{made.time_s} s"


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("anchor", anchor, arguments)
