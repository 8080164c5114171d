"""The heads that this verifier has seen, one for each log, outside of any workspace.

The one invariant: a head is followed only by one that was shown to continue it. Of two that cannot
both be true the first stays, and the other is kept beside it, byte for byte, as evidence.

Layout below the directory: ``heads/<digest of the origin>/head`` is the note last seen,
``conflicts/<digest of the note>`` a note that contradicts it, ``lock`` the file that is locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from attestations.anchors.comparing import Comparison, compare
from attestations.errors import StateError
from attestations.whole_files import write_whole
from replay.errors import ProofError
from replay.tree import Checkpoint, parse_checkpoint

__all__ = ["HeadMemory", "Sighting"]

_NOTE_SIZE_MAX: Final = 256 * 1024
_CONFLICTS_MAX: Final = 32
_LOCK_TRIES: Final = 200
_LOCK_PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Sighting:
    """What came of seeing a head.

    Args:
        comparison: with the head that was known; None if none was.
        known: that head.
        kept: the file that the head, or the evidence against it, now stands in; None if it could
            not be written.
        trouble: why it could not; empty otherwise.
        contradicted: whether a head that cannot be true beside this one was shown here, and kept.
    """

    comparison: Comparison | None
    known: Checkpoint | None
    kept: Path | None
    trouble: str = ""
    contradicted: bool = False


class HeadMemory:
    """What one verifier has seen.

    Args:
        directory: its own; made when the first head is kept.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def known(self, origin: str) -> Checkpoint | None:
        """Return the head last seen of a log, None if none was.

        Raises:
            StateError: what is kept is not a head of that log.
        """
        return _read(self._place(origin) / "head", origin)

    def see(self, now: Checkpoint, note: bytes, prefix_root: Callable[[int], bytes]) -> Sighting:
        """Compare a head with the one last seen of its log, and keep what follows from it.

        Args:
            now: the head, computed from the records at hand.
            note: its note, as it is to be kept.
            prefix_root: computes the root over the first so many records at hand.

        Raises:
            StateError: what is kept cannot be read, or stays locked.
        """
        place = self._place(now.origin)
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(place / "lock"):
                return self._settle(place, now, note, prefix_root)
        except OSError as error:
            # Who cannot keep a head can still compare with one that was kept.
            known = _read(place / "head", now.origin)
            compared = None if known is None else compare(now, known, prefix_root)
            return Sighting(compared, known, None, error.strerror or str(error))

    def _settle(
        self, place: Path, now: Checkpoint, note: bytes, prefix_root: Callable[[int], bytes]
    ) -> Sighting:
        head = place / "head"
        known = _read(head, now.origin)
        if known is None:
            write_whole(head, note)
            return Sighting(None, None, head)
        compared = compare(now, known, prefix_root)
        conflicts = place / "conflicts"
        if compared in {"same", "grown"}:
            if compared == "grown":
                write_whole(head, note)
            contradicted = _contradicts(conflicts, now, prefix_root)
            return Sighting(compared, known, head, contradicted=contradicted)
        conflicts.mkdir(mode=0o700, exist_ok=True)
        evidence = conflicts / sha256(note).hexdigest()
        if not evidence.exists():
            if sum(1 for _ in conflicts.iterdir()) >= _CONFLICTS_MAX:
                trouble = f"{_CONFLICTS_MAX} heads that contradict it are kept already"
                return Sighting(compared, known, None, trouble)
            write_whole(evidence, note)
        return Sighting(compared, known, evidence)

    def _place(self, origin: str) -> Path:
        return self._directory / "heads" / sha256(origin.encode()).hexdigest()


def _read(path: Path, origin: str) -> Checkpoint | None:
    try:
        with path.open("rb") as file:
            data = file.read(_NOTE_SIZE_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateError(f"a head cannot be read: {error.strerror}", where=str(path)) from error
    try:
        checkpoint, _ = parse_checkpoint(data)
    except ProofError as error:
        raise _damaged(error.message, path) from None
    if checkpoint.origin != origin:
        raise _damaged("it is the head of another log", path)
    return checkpoint


def _damaged(message: str, path: Path) -> StateError:
    return StateError(
        f"what this verifier kept is damaged: {message}",
        where=str(path),
        hint="restore it from a backup, or remove it and lose what it knew; --no-memory does"
        " without",
    )


def _contradicts(conflicts: Path, now: Checkpoint, prefix_root: Callable[[int], bytes]) -> bool:
    """Whether a head that is kept as evidence is no earlier head of the log at hand."""
    try:
        kept = sorted(path for path in conflicts.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return False
    heads = (_read(path, now.origin) for path in kept)
    return any(
        head is not None and compare(now, head, prefix_root) in {"shorter", "fork"}
        for head in heads
    )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of one log's place; two verifiers of one log wait for each other.

    Raises:
        StateError: somebody holds it for longer than anybody should.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_S)
            else:
                break
        else:
            raise StateError(
                "another verifier of the same log does not come to an end",
                where=str(path),
                hint="wait for it, or leave this one's memory out with --no-memory",
            )
        yield
    finally:
        os.close(descriptor)
