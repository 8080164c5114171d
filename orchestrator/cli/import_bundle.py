"""`ritornello import`: take a run from a file into the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.gate.admission import Admission, decide_cassette, decide_reader
from orchestrator.cli.gate.decisions import refuse
from orchestrator.cli.gate.trust_layers import InPolicy, trust_here
from orchestrator.cli.import_cassette import CASSETTE_SUFFIXES, import_cassette
from orchestrator.cli.incoming import incoming
from orchestrator.cli.terminal import emit_json, say
from replay.bundle.attached import keep_attached
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.reader import BundleReader
from replay.errors import NotFoundError
from replay.log.duckdb_store import DuckDBStore
from replay.log.head import write_head
from replay.log.seeming import begins_as_zip, seeming
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace

__all__ = ["main"]

_AT_ONCE = 500


def import_bundle(
    bundle: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A bundle, or a cassette of vcrpy (.yaml, .json)."),
    ],
    *,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    policy: InPolicy = None,
    as_json: AsJson = False,
) -> int:
    """Verify a bundle and take its run into the workspace, as one that came from elsewhere.

    A cassette of vcrpy becomes a run too, marked as observed and not replay-verified:
    it can be read, and a replay of it says `incomplete`.

    Examples:
      ritornello import run.ritornello
      ritornello import run.ritornello --workspace /srv/audit --json
      ritornello import tests/cassettes/test_ask.yaml
    """
    trust = trust_here(Path.cwd(), policy)
    if bundle.suffix in CASSETTE_SUFFIXES:
        tape = Admission()
        if trust is not None:
            tape = Admission(decisions=(decide_cassette(trust, bundle),))
            refuse(tape.decisions[0])
        return import_cassette(bundle, workspace, tape, as_json=as_json)
    if not bundle.is_file():
        raise NotFoundError("no such bundle", where=str(bundle), hint="name a file that is there")
    _refuse_no_bundle(bundle)
    with BundleReader.open(bundle) as reader:
        admission = Admission()
        if trust is not None:
            admission = Admission(decisions=(decide_reader(trust, reader, bundle),))
            refuse(admission.decisions[0])
        manifest, verified = reader.manifest, reader.verified
        root = bytes.fromhex(manifest.root)
        place = Workspace.open(workspace)
        taken = incoming(place, reader.run_id, manifest.size, root, reader.identity, admission)
        with taken as directory:
            store = DuckDBStore.create(directory)
            try:
                entries = reader.entries()
                while batch := list(islice(entries, _AT_ONCE)):
                    store.append(batch)
            finally:
                store.close()
            keep_attached(reader, directory)
            write_head(directory, reader.checkpoint)
    if as_json:
        emit_json(
            "import",
            {
                "run": reader.run_id,
                "bundle": reader.identity,
                "events": manifest.size,
                "root": manifest.root,
                "sealed": manifest.sealed,
                "workspace_records": verified.workspace_records if verified else 0,
                "statements": verified.statements if verified else 0,
                "directory": str(directory),
                **admission.fields(),
            },
        )
    else:
        say(*admission.lines())
        say(f"ritornello: run {reader.run_id}, {manifest.size} events, root {manifest.root}")
    return 0


def _refuse_no_bundle(path: Path) -> None:
    """Refuse what is neither called a bundle nor begins as one: nothing of it is damaged."""
    if path.suffix == BUNDLE_SUFFIX or begins_as_zip(path):
        return
    what, hint = seeming(path) or ("", "")
    if what:
        raise NotFoundError(f"this is no bundle: it seems to be {what}", where=str(path), hint=hint)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("import", import_bundle, arguments)
