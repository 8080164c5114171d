"""Adds to a bundle what others say about its run: statements, and signatures of its checkpoint.

The one invariant: the run stays byte for byte what it was, in the same members. Only what lies
beside it grows, so the root is the same, and what was signed is the same three lines. The new file
is another bundle with another identity; adding nothing gives the same one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from replay.bundle.manifest import CHECKPOINT_NAME
from replay.bundle.publishing import BundleSummary, publish
from replay.bundle.reader import BundleReader
from replay.bundle.spool import Spool
from replay.bundle.statements import Statement
from replay.bundle.writer import write_beside
from replay.tree.note import NoteSignature

__all__ = ["rewrite_bundle"]


def rewrite_bundle(
    source: Path,
    target: Path,
    *,
    statements: Sequence[Statement] = (),
    signatures: Sequence[NoteSignature] = (),
) -> BundleSummary:
    """Write a bundle again with more beside its run.

    Args:
        source: the bundle.
        target: the file to write; may be the source itself.
        statements: to be added to those that are there; what is there already stays once.
        signatures: signature lines to be added to the checkpoint's note; none may be of a key
            whose signature is there, unless it is the same.

    Raises:
        BundleError: the source does not hold, or what is added is not of the form or exceeds a
            limit; nothing is written.
        OSError: a file cannot be read or written; nothing is left behind.

    Complexity: memory for one member and the statements; time of two verifications.
    """
    with (
        BundleReader.open(source) as reader,
        tempfile.TemporaryFile(dir=target.parent) as spool,
    ):
        members = Spool(spool)
        manifest = reader.manifest
        signed = dict.fromkeys((*reader.signatures, *signatures))
        said = dict.fromkeys((*reader.statements(), *statements))
        grown = len(said) > (reader.verified.statements if reader.verified else 0)
        members.add("checkpoint", CHECKPOINT_NAME, reader.checkpoint.note(tuple(signed)))
        for member in manifest.members:
            if member.kind != "checkpoint" and not (grown and member.kind == "statements"):
                members.add(member.kind, member.name, reader.plain(member.name))
        if grown:
            write_beside(members, (), tuple(said))
        return publish(
            members,
            target,
            checkpoint=reader.checkpoint,
            sealed=manifest.sealed,
            engine=manifest.engine,
        )
