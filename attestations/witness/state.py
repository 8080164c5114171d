"""What a witness has cosigned: the last head of each log, on disk before it is cosigned.

The one invariant: a witness that has forgotten is none. A state is begun once, for one key, and
whoever opens it must find it: a directory that is not there, or another's, is an error and never an
empty state, also while the witness runs.

Layout below the directory: ``witness`` is the key in text form, and the file that is locked;
``heads/<digest of the origin>`` is the note last cosigned, with the log's signatures.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from attestations.checkpoints import VerifierKey
from attestations.errors import StateError
from attestations.whole_files import read_regular, write_whole
from replay.errors import ProofError
from replay.tree import Checkpoint, parse_checkpoint
from replay.tree.note import MAX_NOTE_SIZE_BYTES

__all__ = ["WitnessState"]

_KEY_FILE: Final = "witness"
_HEADS: Final = "heads"
_UNFINISHED: Final = ".*.new"
_KEY_SIZE_MAX: Final = 1024
_LOCK_TRIES: Final = 500
_LOCK_PAUSE_S: Final = 0.02
_RESTORE: Final = (
    "restore the directory; if it is lost, make another key: one that forgot what it cosigned must"
    " not cosign again"
)


class WitnessState:
    """The state of one witness; any number of threads and processes may use it.

    Args:
        directory: where it lies.
        key: the witness's.
    """

    def __init__(self, directory: Path, key: VerifierKey) -> None:
        self._directory = directory
        self._key = key

    @classmethod
    def begin(cls, directory: Path, key: VerifierKey) -> WitnessState:
        """Begin a state in a directory that is new or empty.

        Raises:
            StateError: something is there.
            OSError: the disk refuses.
        """
        heads = directory / _HEADS
        heads.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = [each.name for each in directory.iterdir() if not each.match(_UNFINISHED)]
        if found != [_HEADS] or any(heads.iterdir()):
            raise StateError(
                "a state cannot begin here: the directory is not empty",
                where=str(directory),
                hint="leave out --new to go on with it, or name another directory",
            )
        for each in (heads, directory, directory.parent):
            _sync(each)
        write_whole(directory / _KEY_FILE, key.text().encode() + b"\n")
        return cls.open(directory, key)

    @classmethod
    def open(cls, directory: Path, key: VerifierKey) -> WitnessState:
        """Open a state that was begun.

        Raises:
            StateError: it is not there, or another key's.
            OSError: it cannot be written.
        """
        state = cls(directory, key)
        with state.held():
            for left in (directory / _HEADS).glob(_UNFINISHED):  # a kill left it; we hold the lock
                left.unlink()
        return state

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the state; only who does may look and follow.

        Raises:
            StateError: it is gone, another key's, or somebody holds it for too long.
        """
        path = self._directory / _KEY_FILE
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            raise StateError(
                "no witness keeps its state here",
                where=str(self._directory),
                hint=f"--new begins one, for a key that has cosigned nothing; else {_RESTORE}",
            ) from None
        try:
            _lock(descriptor, path)
            if os.pread(descriptor, _KEY_SIZE_MAX, 0) != self._key.text().encode() + b"\n":
                raise StateError(
                    "this is the state of another key",
                    where=str(path),
                    hint="each key has a directory of its own",
                )
            if not (self._directory / _HEADS).is_dir():
                raise _damaged("the directory of its heads is gone", self._directory)
            yield
        finally:
            os.close(descriptor)

    def last(self, origin: str) -> Checkpoint | None:
        """Return the head of a log that was cosigned last; None if none was.

        Raises:
            StateError: what is kept is no head of that log.
            OSError: it cannot be read.
        """
        path = self._place(origin)
        try:
            data = read_regular(path, MAX_NOTE_SIZE_BYTES + 1)
        except FileNotFoundError:
            return None
        try:
            checkpoint, _ = parse_checkpoint(data)
        except ProofError as error:
            raise _damaged(error.message, path) from None
        if checkpoint.origin != origin:
            raise _damaged("it is the head of another log", path)
        return checkpoint

    def keep(self, origin: str, note: bytes) -> None:
        """Keep the note of a head in the place of the last one, durably.

        Raises:
            OSError: the disk refuses; the last one stays.
        """
        write_whole(self._place(origin), note)

    def _place(self, origin: str) -> Path:
        return self._directory / _HEADS / sha256(origin.encode()).hexdigest()


def _lock(descriptor: int, path: Path) -> None:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_S)
        else:
            return
    raise StateError(
        "another request to this witness does not come to an end", where=str(path), hint="try again"
    )


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(message: str, path: Path) -> StateError:
    return StateError(f"the witness's state is damaged: {message}", where=str(path), hint=_RESTORE)
