"""A cassette of vcrpy, taken into the workspace as a run that was observed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final

from orchestrator.cli.gate.admission import Admission
from orchestrator.cli.incoming import incoming
from orchestrator.cli.terminal import counted, emit_json, inert, say
from replay.errors import HermeticError, NotFoundError
from replay.interop.observed_run import ObservedRun, observe_cassette
from replay.interop.vcr_cassette import CASSETTE_BYTES_MAX
from replay.log.duckdb_store import DuckDBStore
from replay.log.head import head_writer
from replay.log.workspace import Workspace
from replay.session.extensions import load_dialects

__all__ = ["CASSETTE_SUFFIXES", "import_cassette"]

CASSETTE_SUFFIXES: Final = frozenset({".json", ".yaml", ".yml"})
_AT_ONCE: Final = 500
_NOTHING: Final = Admission()


def import_cassette(
    file: Path, workspace: Path, admission: Admission = _NOTHING, *, as_json: bool
) -> int:
    """Take a cassette into the workspace; it is marked as observed and never replays.

    Raises:
        NotFoundError: there is no such file.
        IntegrityError: it is no cassette.
        UsageError: it was imported already.
        HermeticError: it is no longer what was admitted.
    """
    if not file.is_file():
        raise NotFoundError("no such cassette", where=str(file))
    with file.open("rb") as opened:
        data = opened.read(CASSETTE_BYTES_MAX + 1)
    found = observe_cassette(
        data, name=file.name, dialects=load_dialects(), entropy=_drawn_from(data)
    )
    if any(each.artifact.digest != found.digest for each in admission.decisions):
        raise HermeticError(
            "the cassette is no longer the one that was admitted",
            where=str(file),
            hint="somebody changed the file in between; nothing was imported",
        )
    directory = _stored(found, workspace, admission)
    if as_json:
        emit_json(
            "import",
            {
                "run": found.run,
                "bundle": None,
                "events": len(found.entries),
                "root": found.root.hex(),
                "sealed": True,
                "directory": str(directory),
                "observed": True,
                "exchanges": found.exchanges,
                "read_by_a_dialect": found.read,
                "secrets_replaced": found.secrets,
                **admission.fields(),
            },
        )
        return 0
    say(
        f"ritornello: run {found.run}, observed and not replay-verified: "
        f"{counted(found.exchanges, 'exchange')} from {inert(file.name)}, {found.read} of them read"
        f" by a dialect, {counted(found.secrets, 'secret')} replaced"
    )
    return 0


def _drawn_from(data: bytes) -> Callable[[int], bytes]:
    """Return random bytes that follow from a file: who imports it again has the same records.

    Otherwise two imports would be one run with two roots, and one of them would seem to be forged.
    Whoever could guess these bytes has the file; the digest in the record is another one.
    """
    key = hashlib.blake2b(data, person=b"cassette-chance").digest()
    numbers = count()
    return lambda size: hashlib.shake_256(key + next(numbers).to_bytes(8)).digest(size)


def _stored(found: ObservedRun, workspace: Path, admission: Admission) -> Path:
    """Write a run into the workspace, as one that came from elsewhere."""
    place = Workspace.open(workspace)
    size = len(found.entries)
    with incoming(place, found.run, size, found.root, found.digest, admission) as directory:
        store = DuckDBStore.create(directory)
        try:
            for first in range(0, size, _AT_ONCE):
                store.append(found.entries[first : first + _AT_ONCE])
        finally:
            store.close()
        head_writer(directory, found.run)(size, found.root)
    return directory
