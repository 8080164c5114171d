"""What lies in a bundle beside its run: records of workspaces, statements, signature lines.

It is listed as it lies there. What of it was verified, the findings of the verdicts say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from orchestrator.cli.terminal import inert
from replay.bundle.reader import BundleReader

__all__ = ["beside_fields", "beside_lines"]

_SHOWN_MAX = 200


def beside_fields(reader: BundleReader) -> dict[str, object]:
    """Return what lies beside the run of a verified bundle, for a report."""
    verified = reader.verified
    types = Counter(statement.media_type for statement in reader.statements())
    return {
        "workspaces": [
            {
                "origin": excerpt.checkpoint.origin,
                "size": excerpt.checkpoint.size,
                "root": excerpt.checkpoint.root.hex(),
                "records": [record.header.kind for record in excerpt.records],
            }
            for excerpt in reader.excerpts()
        ],
        "workspace_records": verified.workspace_records if verified else 0,
        "workspace_holes": verified.workspace_holes if verified else 0,
        "statements": dict(sorted(types.items())),
        "unknown_statements": verified.unknown_statements if verified else 0,
        "note_signatures": [signature.name for signature in reader.signatures],
    }


def beside_lines(reader: BundleReader, width: int) -> Iterator[str]:
    """Yield the same as lines for a person.

    Args:
        reader: the bundle.
        width: columns of the words that the lines begin with.
    """
    for excerpt in reader.excerpts():
        kinds = Counter(record.header.kind for record in excerpt.records)
        said = ", ".join(f"{kind} x{n}" if n > 1 else kind for kind, n in kinds.items())
        where = excerpt.checkpoint.origin.rpartition("/")[2]
        yield f"{'workspace':<{width}}{inert(where)}: {inert(said, _SHOWN_MAX)}"
    types = Counter(statement.media_type for statement in reader.statements())
    for name, count in sorted(types.items()):
        yield f"{'statements':<{width}}{count} of {inert(name)}"
    for signature in reader.signatures:
        yield f"{'signature':<{width}}{inert(signature.name)}"
