"""Brings a bundle to its place: whole, on disk and read back, or not at all.

The one invariant: a file appears under its target name only when it is complete, on disk and
verified by our own reader.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from replay.bundle.manifest import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    Manifest,
    encode_manifest,
    identity_of,
)
from replay.bundle.reader import BundleReader
from replay.bundle.spool import Spool
from replay.bundle.verification import Verified
from replay.tree.note import Checkpoint

__all__ = ["BundleSummary", "publish"]


class BundleSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was written.

    Attributes:
        path: the bundle.
        identity: hex SHA-256 of its manifest.
        size_bytes: size of the file.
        manifest: what it lists.
        verified: what reading it back found.
    """

    path: Path
    identity: str
    size_bytes: int
    manifest: Manifest
    verified: Verified


def publish(
    spool: Spool,
    target: Path,
    *,
    checkpoint: Checkpoint,
    sealed: bool,
    engine: str,
    before: Callable[[str], None] | None = None,
) -> BundleSummary:
    """Write the manifest over what was spooled, and all of it to ``target``.

    Args:
        spool: the members.
        target: the file to write.
        checkpoint: of the run.
        sealed: whether the run ends with its seal.
        engine: version of the engine that writes.
        before: is told the bundle's identity once it holds, before it appears; if it raises, no
            bundle appears.

    Raises:
        BundleError: what was written does not hold; nothing has appeared.
        OSError: the file cannot be written; nothing is left behind.
    """
    manifest = Manifest(
        engine=engine,
        format=FORMAT_VERSION,
        kind="run",
        members=spool.members(),
        origin=checkpoint.origin,
        root=checkpoint.root.hex(),
        sealed=sealed,
        size=checkpoint.size,
    )
    raw = encode_manifest(manifest)
    spool.pack(MANIFEST_NAME, raw)
    identity = identity_of(raw)
    verified, size_bytes = _publish(spool, target, identity, before)
    return BundleSummary(
        path=target,
        identity=identity,
        size_bytes=size_bytes,
        manifest=manifest,
        verified=verified,
    )


def _publish(
    spool: Spool, target: Path, identity: str, before: Callable[[str], None] | None
) -> tuple[Verified, int]:
    """Assemble beside the target, sync, verify, tell, rename, sync the directory."""
    descriptor, name = tempfile.mkstemp(
        dir=target.parent, prefix=f".{target.name}.", suffix=".partial"
    )
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            spool.assemble(out)
            out.flush()
            os.fsync(out.fileno())
            size_bytes = out.tell()
        with BundleReader.open(partial, verify=False) as written:
            verified = written.verify()
        if before is not None:
            before(identity)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)
    return verified, size_bytes


def _sync_directory(path: Path) -> None:
    if os.name != "posix":  # elsewhere a directory cannot be opened, and renaming is journaled
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
