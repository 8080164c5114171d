"""The heads that this verifier has seen, one for each log, outside of any workspace.

The one invariant: a head is followed only by one that was shown to continue it. Of two that cannot
both be true the first stays, and the other is kept beside it, byte for byte, as evidence.

Layout below the directory: ``heads/<digest of the origin>/head`` is the note last seen,
``seen/<size>`` one that it continues, ``conflicts/<digest of the note>`` one that contradicts it,
``lock`` the file that is locked. The last head alone shows that a log does not continue it; the
earlier ones tell a shorter log that is an old copy from one that was forged, where a fork departs,
and what was seen before a key was revoked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from bisect import bisect_left
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
_EARLIER_MAX: Final = 64
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
        common: of a contradiction, the last head seen before that the log at hand continues; None
            if there is none.
    """

    comparison: Comparison | None
    known: Checkpoint | None
    kept: Path | None
    trouble: str = ""
    contradicted: bool = False
    common: Checkpoint | None = None


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

    def heads(self, origin: str) -> tuple[Checkpoint, ...]:
        """Return the heads that were seen of a log and are kept, each continued by the next.

        Raises:
            StateError: what is kept is not a head of that log.
        """
        last = self.known(origin)
        if last is None:
            return ()
        return (*(each for _, each in _earlier(self._place(origin), origin)), last)

    def see(
        self,
        now: Checkpoint,
        note: bytes,
        prefix_root: Callable[[int], bytes],
        *,
        begun: Checkpoint | None = None,
    ) -> Sighting:
        """Compare a head with the one last seen of its log, and keep what follows from it.

        Args:
            now: the head, computed from the records at hand.
            note: its note, as it is to be kept.
            prefix_root: computes the root over the first so many records at hand.
            begun: the head that was known before the records were read. Another verifier may have
                kept a longer one since, of a log that grows; a log that continues this one is then
                no shorter than what was known.

        Raises:
            StateError: what is kept cannot be read, or stays locked.
        """
        place = self._place(now.origin)
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(place / "lock"):
                return self._settle(place, now, note, prefix_root, begun)
        except OSError as error:
            # Who cannot keep a head can still compare with one that was kept.
            known = _read(place / "head", now.origin)
            compared = None if known is None else compare(now, known, prefix_root)
            return Sighting(compared, known, None, error.strerror or str(error))

    def _settle(
        self,
        place: Path,
        now: Checkpoint,
        note: bytes,
        prefix_root: Callable[[int], bytes],
        begun: Checkpoint | None,
    ) -> Sighting:
        head = place / "head"
        known = _read(head, now.origin)
        if known is None:
            write_whole(head, note)
            return Sighting(None, None, head)
        compared = compare(now, known, prefix_root)
        if compared == "shorter" and begun is not None and begun.size < known.size:
            known, compared = begun, compare(now, begun, prefix_root)
        conflicts = place / "conflicts"
        if compared in {"same", "grown"}:
            if compared == "grown" and known is not begun:
                _keep_earlier(place, known, head.read_bytes())
                write_whole(head, note)
            contradicted = _contradicts(conflicts, now, prefix_root)
            return Sighting(compared, known, head, contradicted=contradicted)
        compared, known, common, kept = _against_earlier(place, now, known, compared, prefix_root)
        if kept is not None:
            return Sighting(compared, known, kept, common=common)
        conflicts.mkdir(mode=0o700, exist_ok=True)
        evidence = conflicts / sha256(note).hexdigest()
        if not evidence.exists():
            if sum(1 for _ in conflicts.iterdir()) >= _CONFLICTS_MAX:
                trouble = f"{_CONFLICTS_MAX} heads that contradict it are kept already"
                return Sighting(compared, known, None, trouble, common=common)
            write_whole(evidence, note)
        return Sighting(compared, known, evidence, common=common)

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


def _earlier(place: Path, origin: str) -> list[tuple[Path, Checkpoint]]:
    """Return the heads that the last one continues, by size."""
    try:
        paths = sorted(path for path in (place / "seen").iterdir() if path.name.isdigit())
    except FileNotFoundError:
        return []
    found = ((path, _read(path, origin)) for path in paths)
    return [(path, each) for path, each in found if each is not None]


def _keep_earlier(place: Path, known: Checkpoint, note: bytes) -> None:
    """Keep a head that is about to be followed; of too many one leaves where they are dense."""
    earlier = _earlier(place, known.origin)
    if len(earlier) >= _EARLIER_MAX:
        sizes = [*(each.size for _, each in earlier), known.size]
        # The first and the last stay, and the rest are spread over the sizes between them.
        thin = min(range(1, len(earlier)), key=lambda at: (sizes[at + 1] - sizes[at - 1], at))
        earlier[thin][0].unlink()
    (place / "seen").mkdir(mode=0o700, exist_ok=True)
    write_whole(place / "seen" / f"{known.size:019}", note)


def _against_earlier(
    place: Path,
    now: Checkpoint,
    known: Checkpoint,
    compared: Comparison,
    prefix_root: Callable[[int], bytes],
) -> tuple[Comparison, Checkpoint, Checkpoint | None, Path | None]:
    """Say what the earlier heads tell of a log that does not continue the last one.

    Returns:
        What it is, against which head, the last one that it continues, and where it is kept if it
        is that very one.

    Complexity: a prefix of the log for each doubling of the number of earlier heads.
    """
    earlier = [each for each in _earlier(place, now.origin) if each[1].size <= now.size]

    def departs(each: tuple[Path, Checkpoint]) -> bool:
        return compare(now, each[1], prefix_root) == "fork"

    # Each continues the one before, so from the first that is not continued on none is.
    first = bisect_left(earlier, True, key=departs)
    path, common = earlier[first - 1] if first else (None, None)
    if first < len(earlier):
        return "fork", earlier[first][1], common, None
    return compared, known, common, path if common == now else None


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
