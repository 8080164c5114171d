"""`ritornello verify`: check the evidence of a run, or of the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from attestations.errors import AttestationError
from attestations.verdicts import AnchorFact, parse_requirements
from orchestrator.cli.app import AsJson, InWorkspace, run_verb, trouble_of
from orchestrator.cli.batch.several import expanded, worst
from orchestrator.cli.evidence.anchoring import read_anchors
from orchestrator.cli.evidence.keyless_trust import read_keyless_trust
from orchestrator.cli.evidence.proof_report import (
    is_proof,
    verify_proof,
    verify_proof_among,
)
from orchestrator.cli.evidence.receipt_evidence import read_receipts
from orchestrator.cli.evidence.release_report import verify_release_of
from orchestrator.cli.evidence.verdict_report import (
    code_of_verdicts,
    run_fields,
    verdict_fields,
)
from orchestrator.cli.evidence.verdict_text import print_run, print_short, print_workspace
from orchestrator.cli.evidence.verifying import (
    Demands,
    Verified,
    verify_run,
    verify_stored,
    verify_workspace,
)
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.gate.receipts import receipts_admitted
from orchestrator.cli.gate.trust_layers import InPolicy
from orchestrator.cli.terminal import emit, emit_json, inert, say
from replay.errors import ReplayError, UsageError
from replay.log.named_heads import named_heads
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace, WorkspaceCheck

__all__ = ["main", "with_directory"]


def verify(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|BUNDLE|PROOF|DIR|last]...",
            help="What to check; a directory is the bundles below it. Without any, the workspace"
            " log.",
            show_default=False,
        ),
    ] = None,
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    every: Annotated[
        bool, typer.Option("--all", help="Check the workspace log and each run that is there.")
    ] = False,
    require: Annotated[
        list[str] | None,
        typer.Option("--require", metavar="VERDICT=VALUE,...", help="What must hold, besides."),
    ] = None,
    allow_open: Annotated[
        bool, typer.Option("--allow-open", help="Accept a run that has no seal.")
    ] = False,
    pins: Annotated[
        list[Path] | None,
        typer.Option("--pin", metavar="FILE", help="A head known from elsewhere; repeatable."),
    ] = None,
    tsa_roots: Annotated[
        list[Path] | None,
        typer.Option("--tsa-root", metavar="FILE", help="PEM: whom to trust for time stamps."),
    ] = None,
    log_keys: Annotated[
        list[str] | None,
        typer.Option(
            "--log-key",
            metavar="VKEY|FILE",
            help="A key that signs this log's head, as text or in a file.",
        ),
    ] = None,
    witnesses: Annotated[
        list[str] | None,
        typer.Option("--witness", metavar="VKEY|FILE", help="A witness's key; repeatable."),
    ] = None,
    threshold: Annotated[
        int | None,
        typer.Option("--witnesses", metavar="K", help="How many of them are enough; all."),
    ] = None,
    trusted_root: Annotated[
        str,
        typer.Option(
            "--trusted-root",
            metavar="FILE@sha256:HEX",
            help="The Sigstore whose signatures without keys are believed.",
        ),
    ] = "",
    identity: Annotated[
        str, typer.Option("--identity", metavar="SUBJECT", help="Who has to have signed by it.")
    ] = "",
    issuer: Annotated[
        str, typer.Option("--issuer", metavar="URL", help="Who vouched for that identity.")
    ] = "",
    receipts: Annotated[
        list[Path] | None,
        typer.Option(
            "--receipt", metavar="FILE", help="Receipt of a replay of this run; repeatable."
        ),
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="FILE.pub", help="A key that signs statements; repeatable."),
    ] = None,
    layout: Annotated[
        Path | None,
        typer.Option(
            "--layout", metavar="FILE", help="FILE came out of this release chain, by its --link."
        ),
    ] = None,
    links: Annotated[
        list[Path] | None,
        typer.Option("--link", metavar="FILE", help="A step of the release chain; repeatable."),
    ] = None,
    policy: InPolicy = None,
    memory: Annotated[
        bool,
        typer.Option("--memory/--no-memory", help="Compare with heads seen before, and keep."),
    ] = True,
    as_json: AsJson = False,
) -> int:
    """Check the evidence of a run: every record, every part, the tree, the seal, the head.

    Needs no key, no network and none of the program. Four verdicts: integrity ok or
    failed; completeness sealed, open, truncated or gaps; authenticity signed,
    unsigned, untrusted or failed; anchoring none, pinned, timestamped, witnessed or
    conflict. Integrity ok and completeness sealed are required, and what --require
    adds; alternatives have bars between them. A pin, root, key or witness that is
    named must hold. The head of each log is kept in your state directory, and the
    next one must continue it. Without a run it checks the workspace log, and names
    the runs that started and were never sealed or are gone; --workspace may then
    stand without a directory.
    0: what is required holds. 1: something of it is absent. 3: failed, truncated or
    in conflict. Of several, the worst.

    Examples:
      ritornello verify last
      ritornello verify run.ritornello --json
      ritornello verify run.ritornello --pin run.note --require authenticity=signed
      ritornello verify run.ritornello --receipt run.intoto.jsonl --key alice.pub
      ritornello verify last --require "anchoring=timestamped|witnessed" --tsa-root tsa.pem
      ritornello verify --workspace
      ritornello verify --all
      ritornello verify search.zip --layout release.layout --link review.link --key owner.pub
    """
    if every and runs:
        raise UsageError("--all is about every run", hint=f"leave out --all or {runs[0]!r}")
    requirements = parse_requirements(require or [])
    demands = Demands(
        requirements=requirements.accepting("completeness", "open") if allow_open else requirements,
        anchors=read_anchors(
            memory=memory,
            pins=pins or [],
            roots=tsa_roots or [],
            log_keys=log_keys or [],
            witnesses=witnesses or [],
            threshold=threshold,
        ),
        keyless=read_keyless_trust(trusted_root, identity, issuer),
        receipts=read_receipts(receipts or [], keys or [], receipts_admitted(policy)),
    )
    if layout is not None or links:
        others = require or pins or tsa_roots or log_keys or witnesses or trusted_root or receipts
        if layout is None or runs is None or len(runs) != 1 or others:
            raise UsageError(
                "a release chain is of one file", hint="only --link and --key go along"
            )
        named = demands.receipts
        return verify_release_of(Path(runs[0]), layout, links or [], named, as_json=as_json)
    proofs = [name for name in runs or [] if is_proof(name)]
    if proofs and (require or tsa_roots or witnesses or trusted_root or receipts or keys):
        raise UsageError(
            "a proof is of one event",
            where=proofs[0],
            hint="--log-key and --pin are about it; verify runs and bundles in a call of their own",
        )
    if runs and len(runs) == 1 and proofs:
        return verify_proof(runs[0], demands.anchors, as_json=as_json)
    names = expanded(runs or [])
    if every or (names and (names != runs or len(names) > 1)):
        demands = msgspec.structs.replace(demands, pins="none" if every else "any")
    if names and names == runs and len(names) == 1:
        return _verify_run(names[0], workspace, demands, as_json=as_json)
    if names:
        return _verify_several(names, workspace, demands, as_json=as_json)
    place = Workspace.open(workspace, create=False)
    if every:
        return _verify_all(place, demands, as_json=as_json)
    found, verified = verify_workspace(place, demands)
    if as_json:
        emit_json("verify", {"subject": "workspace", **_workspace_fields(found, verified, demands)})
    else:
        print_workspace(found, verified, place.path)
    return _workspace_code(found, verified)


def _verify_all(place: Workspace, demands: Demands, *, as_json: bool) -> int:
    found, workspace = verify_workspace(place, demands)
    codes = [_workspace_code(found, workspace)]
    anchors = [*workspace.anchors]
    results: list[dict[str, object]] = []
    verifieds: list[tuple[str, Verified]] = []
    runs = [run.run for run in place.runs() if run.present]
    named = named_heads(place)
    for name in [*runs, *found.unnamed]:
        try:
            verified = verify_stored(place, place.path / "runs" / name, demands, named)
        except (ReplayError, AttestationError, OSError) as error:
            result = _troubled(f"run {name}", error, codes)
            results.append({**result, "run": name})
            continue
        codes.append(code_of_verdicts(verified))
        results.append({**run_fields(verified, demands), **verified.beside, "run": name})
        verifieds.append((name, verified))
        anchors += verified.anchors
    codes += _unpinned(anchors, demands)
    if as_json:
        about = _workspace_fields(found, workspace, demands)
        emit_json("verify", {"subject": "all", "workspace": about, "runs": results})
    else:
        print_workspace(found, workspace, place.path)
        for name, verified in verifieds:
            print_short(f"run {name}", verified)
    return worst(codes)


def _verify_several(
    names: Sequence[str], workspace: Path, demands: Demands, *, as_json: bool
) -> int:
    codes: list[int] = []
    results: list[dict[str, object]] = []
    anchors: list[AnchorFact] = []
    for name in names:
        try:
            if is_proof(name):
                proof = verify_proof_among(name, demands.anchors)
                anchors += proof.anchors
                codes.append(proof.code)
                results.append({"subject": name, "exit_code": proof.code, **proof.fields})
                if not as_json:
                    emit(f"{inert(name)}: {proof.line}")
                    if proof.unmet:
                        emit(f"required      not so: {', '.join(proof.unmet)}")
                continue
            found = verify_run(name, workspace, demands)
        except (ReplayError, AttestationError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            results.append(_troubled(name, error, codes))
            continue
        anchors += found.anchors
        codes.append(code_of_verdicts(found))
        fields = {"bundle": found.identity, **run_fields(found, demands), **found.beside}
        results.append({"subject": name, "exit_code": codes[-1], **fields})
        if not as_json:
            print_short(name, found)
    codes += _unpinned(anchors, demands)
    answer = worst(codes)
    if as_json:
        emit_json("verify", {"subject": "several", "exit_code": answer, "results": results})
    return answer


def _troubled(
    name: str, error: ReplayError | AttestationError | OSError, codes: list[int]
) -> dict[str, object]:
    """Say what kept one of several from being verified; the others are, all the same."""
    lines, code = trouble_of(error)
    say(*lines)
    codes.append(code)
    return {"subject": name, "exit_code": code, "trouble": lines}


def _unpinned(anchors: Sequence[AnchorFact], demands: Demands) -> list[int]:
    """Say which pins none of several logs is what they pin, and return the code for it."""
    left = demands.anchors.unpinned(anchors)
    for name in left:
        say(f"required      not so: --pin {inert(name)}, which holds for none of these")
    return [ExitCode.DIFFERENT] if left else []


def _verify_run(run: str, workspace: Path, demands: Demands, *, as_json: bool) -> int:
    found = verify_run(run, workspace, demands)
    fields = {"bundle": found.identity, **run_fields(found, demands), **found.beside}
    if as_json:
        emit_json("verify", {"subject": "run" if found.identity is None else "bundle", **fields})
    else:
        print_run(found)
    return code_of_verdicts(found)


def _workspace_code(found: WorkspaceCheck, verified: Verified) -> int:
    code = code_of_verdicts(verified)
    running = [run for run in found.open_runs if run.directory != "locked"]
    if code == ExitCode.OK and (running or found.gone or found.unnamed):
        return ExitCode.DIFFERENT
    return code


def _workspace_fields(
    found: WorkspaceCheck, verified: Verified, demands: Demands
) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(found)
    return {**verdict_fields(verified, demands), **fields}


def with_directory(arguments: Sequence[str]) -> list[str]:
    """Take out a `--workspace` that stands without a directory: it means the usual one."""
    pairs = zip(arguments, [*arguments[1:], "--"], strict=False)
    return [word for word, after in pairs if word != "--workspace" or not after.startswith("--")]


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("verify", verify, with_directory(arguments))
