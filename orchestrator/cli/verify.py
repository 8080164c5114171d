"""`ritornello verify`: check the evidence of a run, or of the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb, trouble_of
from orchestrator.cli.beside import beside_fields, beside_lines
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.several import expanded, worst
from orchestrator.cli.terminal import emit, emit_json, inert, paint, say
from replay.bundle.reader import BundleReader
from replay.errors import IntegrityError, NotFoundError, ReplayError, UsageError
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import Holes, RunCheck, check
from replay.log.head import read_head
from replay.log.record_check import Finding
from replay.log.workspace import Workspace, WorkspaceCheck
from replay.session.api import BUNDLE_SUFFIX
from replay.session.record import DEFAULT_WORKSPACE

__all__ = ["main", "with_directory"]


def verify(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|BUNDLE|DIR|last]...",
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
    as_json: AsJson = False,
) -> int:
    """Check the evidence of a run: every record, every part, the tree, the seal, the head.

    Needs no key, no network and none of the program. Without a run it checks the
    workspace log, and names the runs that started and were never sealed or are
    gone; --workspace may then stand without a directory.
    0: all holds. 1: it holds but is not complete. 3: damaged or tampered. Of
    several, the worst.

    Examples:
      ritornello verify last
      ritornello verify run.ritornello --json
      ritornello verify --workspace
      ritornello verify --all
    """
    if every and runs:
        raise UsageError("--all is about every run", hint=f"leave out --all or {runs[0]!r}")
    names = expanded(runs or [])
    if names and names == runs and len(names) == 1:
        return _verify_run(names[0], workspace, as_json=as_json)
    if names:
        return _verify_several(names, workspace, as_json=as_json)
    place = Workspace.open(workspace, create=False)
    found = place.verify()
    if not every:
        code = _workspace_code(found)
        if as_json:
            emit_json("verify", {"subject": "workspace", **msgspec.to_builtins(found)})
        else:
            _print_workspace(found, place.path)
        return code
    return _verify_all(place, found, as_json=as_json)


def _verify_all(place: Workspace, found: WorkspaceCheck, *, as_json: bool) -> int:
    codes = [_workspace_code(found)]
    results: list[dict[str, object]] = []
    runs = [run.run for run in place.runs() if run.present]
    for name in [*runs, *found.unnamed]:
        checked = _check_stored(place.path / "runs" / name)
        codes.append(_run_code(checked))
        results.append({"run": name, **_run_fields(checked)})
    if as_json:
        workspace: dict[str, object] = msgspec.to_builtins(found)
        emit_json("verify", {"subject": "all", "workspace": workspace, "runs": results})
    else:
        _print_workspace(found, place.path)
        for result in results:
            emit(
                f"run {inert(str(result['run']))}: integrity {result['integrity']}, completeness"
                f" {result['completeness']}, {result['events']} events"
            )
    return max(codes)


def _verify_several(names: Sequence[str], workspace: Path, *, as_json: bool) -> int:
    codes: list[int] = []
    results: list[dict[str, object]] = []
    for name in names:
        try:
            found = _checked(name, workspace)
        except (ReplayError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            lines, code = trouble_of(error)
            say(*lines)
            codes.append(code)
            results.append({"subject": name, "exit_code": code, "trouble": lines})
            continue
        checked = found.run
        codes.append(_run_code(checked))
        fields = {"bundle": found.identity, **_run_fields(checked), **found.beside}
        results.append({"subject": name, "exit_code": codes[-1], **fields})
        if not as_json:
            emit(
                f"{inert(name)}: integrity {checked.integrity}, completeness"
                f" {checked.completeness}, {checked.events} events"
            )
            _print_findings(checked.findings[:1], len(checked.findings[1:]) + checked.omitted)
    answer = worst(codes)
    if as_json:
        emit_json("verify", {"subject": "several", "exit_code": answer, "results": results})
    return answer


def _verify_run(run: str, workspace: Path, *, as_json: bool) -> int:
    found = _checked(run, workspace)
    fields = {"bundle": found.identity, **_run_fields(found.run), **found.beside}
    if as_json:
        emit_json("verify", {"subject": "run" if found.identity is None else "bundle", **fields})
    else:
        _print_run(found)
    return _run_code(found.run)


class _Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: of a bundle also its identity and what lies beside its run."""

    run: RunCheck
    identity: str | None = None
    beside: dict[str, object] = {}
    beside_lines: tuple[str, ...] = ()


def _checked(run: str, workspace: Path) -> _Checked:
    """Check a bundle, or a run of the workspace."""
    if Path(run).suffix == BUNDLE_SUFFIX:
        if not Path(run).is_file():
            raise NotFoundError("no such bundle", where=run)
        return _check_bundle(Path(run))
    place = Workspace.open(workspace, create=False)
    return _Checked(run=_check_stored(place.run_directory(run)))


def _check_stored(directory: Path) -> RunCheck:
    """Check a run of the workspace; what cannot be opened is a finding too."""
    try:
        head = read_head(directory)
        store = DuckDBStore.open(directory, read_only=True, compare_head=False)
    except IntegrityError as error:
        return _unreadable(error)
    try:
        return check(store, head=head)
    finally:
        store.close()


def _check_bundle(path: Path) -> _Checked:
    try:
        with BundleReader.open(path) as reader:
            return _Checked(
                run=check(reader, head=reader.checkpoint),
                identity=reader.identity,
                beside=beside_fields(reader),
                beside_lines=tuple(beside_lines(reader, 14)),
            )
    except IntegrityError as error:
        return _Checked(run=_unreadable(error), identity="")


def _unreadable(error: IntegrityError) -> RunCheck:
    where = f" ({error.where})" if error.where else ""
    finding = Finding(code=error.code, seq=None, message=error.message + where)
    return RunCheck(
        integrity="failed",
        completeness="gaps",
        events=0,
        root="",
        run=None,
        inputs=0,
        derived=0,
        unknown_kinds=0,
        holes=Holes(),
        head="absent",
        findings=(finding,),
    )


def _run_fields(checked: RunCheck) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(checked)
    # No signer and no anchor is known to this version: said, and not left to be guessed.
    return {**fields, "authenticity": "unsigned", "anchoring": "none"}


def _run_code(checked: RunCheck) -> int:
    if checked.integrity != "ok":
        return ExitCode.DAMAGED
    return ExitCode.OK if checked.completeness == "sealed" else ExitCode.DIFFERENT


def _workspace_code(found: WorkspaceCheck) -> int:
    if found.integrity != "ok":
        return ExitCode.DAMAGED
    running = [run for run in found.open_runs if run.directory != "locked"]
    return ExitCode.DIFFERENT if running or found.gone or found.unnamed else ExitCode.OK


def _print_run(found: _Checked) -> None:
    checked, identity = found.run, found.identity
    good = checked.integrity == "ok"
    holes = checked.holes
    if identity is not None:
        emit(f"bundle        {identity or '-'}")
    emit(f"run           {inert(checked.run or '-')}")
    emit(f"integrity     {paint(checked.integrity, 'green' if good else 'red')}")
    emit(f"completeness  {checked.completeness}")
    if checked.observed:
        emit("evidence      observed, not replay-verified")
    emit("authenticity  unsigned")
    emit("anchoring     none")
    emit(f"events        {checked.events} ({checked.inputs} inputs, {checked.derived} derived)")
    emit(f"root          {checked.root or '-'}")
    emit(f"head          {checked.head}")
    emit(f"holes         {holes.erased} erased, {holes.withheld} withheld, {holes.missing} missing")
    if checked.unknown_kinds:
        emit(f"unknown kinds {checked.unknown_kinds} records")
    for line in found.beside_lines:
        emit(line)
    _print_findings(checked.findings, checked.omitted)


def _print_workspace(found: WorkspaceCheck, path: Path) -> None:
    emit(f"workspace     {inert(str(path))}")
    emit(f"integrity     {paint(found.integrity, 'green' if found.integrity == 'ok' else 'red')}")
    emit(f"records       {found.events}")
    emit(f"root          {found.root}")
    emit(f"head          {found.head}")
    for run in found.open_runs:
        what = {
            "present": "started and was never sealed",
            "gone": "started, was never sealed, and its directory is gone",
            "locked": "is being recorded",
        }[run.directory]
        emit(f"run {inert(run.run)} {what}")
    for name in found.gone:
        emit(f"run {inert(name)} was recorded, and its directory is gone")
    for name in found.unnamed:
        emit(f"directory {inert(name)} is named by no record")
    _print_findings(found.findings, 0)


def _print_findings(findings: tuple[Finding, ...], omitted: int) -> None:
    for finding in findings:
        where = "" if finding.seq is None else f" at event {finding.seq}"
        emit(f"finding       {finding.code}{where}: {inert(finding.message, 300)}")
    if omitted:
        emit(f"              and {omitted} more")


def with_directory(arguments: Sequence[str]) -> list[str]:
    """Take out a `--workspace` that stands without a directory: it means the usual one."""
    pairs = zip(arguments, [*arguments[1:], "--"], strict=False)
    return [word for word, after in pairs if word != "--workspace" or not after.startswith("--")]


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("verify", verify, with_directory(arguments))
