"""Time stamps of a run of the workspace, kept in the run's directory until it is exported.

The one invariant: a time stamp lies under the digest of the checkpoint that it was asked for. One
that an earlier head of a run got stays there, and is not taken for the head that the run has now.

Layout: ``RUN/time-stamps/<SHA-256 of the checkpoint's body>/<SHA-256 of the reply>.tsr``.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from attestations.whole_files import read_regular, write_whole
from replay.bundle.statements import TIME_STAMP, Statement
from replay.tree import Checkpoint

__all__ = ["keep_time_stamp", "kept_time_stamps"]

_DIRECTORY: Final = "time-stamps"
_SUFFIX: Final = ".tsr"
_REPLY_SIZE_MAX: Final = 64 * 1024
_KEPT_MAX: Final = 100


def keep_time_stamp(run: Path, checkpoint: Checkpoint, reply: bytes) -> Path:
    """Keep a reply in a run's directory, durably.

    Raises:
        OSError: the disk refuses; nothing is left behind.
    """
    directory = _directory(run, checkpoint)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / (sha256(reply).hexdigest() + _SUFFIX)
    write_whole(path, reply)
    return path


def kept_time_stamps(run: Path, checkpoint: Checkpoint) -> tuple[Statement, ...]:
    """Return the time stamps of a run's head, as statements for a bundle, by name of their file.

    Raises:
        OSError: one cannot be read.
    """
    directory = _directory(run, checkpoint)
    if not directory.is_dir():
        return ()
    found = sorted(path for path in directory.iterdir() if path.suffix == _SUFFIX)[:_KEPT_MAX]
    replies = [read_regular(path, _REPLY_SIZE_MAX + 1) for path in found]
    return tuple(Statement(media_type=TIME_STAMP, data=reply) for reply in replies if reply)


def _directory(run: Path, checkpoint: Checkpoint) -> Path:
    return run / _DIRECTORY / sha256(checkpoint.body()).hexdigest()
