"""Signature lines of a run of the workspace, kept in the run's directory until it is exported.

The one invariant: a line lies under the digest of the checkpoint that it signs, one for each key.
What an earlier head of a run got stays there, and is not taken for the head that the run has now.

Layout: ``RUN/note-signatures/<SHA-256 of the checkpoint's body>/<SHA-256 of the key's name
and id>.line``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from attestations.errors import NoteError
from attestations.whole_files import read_regular, write_whole
from attestations.witness import parse_cosignatures
from replay.errors import ProofError
from replay.tree import Checkpoint, NoteSignature
from replay.tree.note import MAX_SIGNATURES

__all__ = ["keep_signatures", "kept_signatures", "with_more"]

_DIRECTORY: Final = "note-signatures"
_SUFFIX: Final = ".line"
_LINE_SIZE_MAX: Final = 64 * 1024


def keep_signatures(run: Path, checkpoint: Checkpoint, signatures: Iterable[NoteSignature]) -> Path:
    """Keep signature lines in a run's directory, durably; each takes the place of its key's.

    Returns:
        The directory of them.

    Raises:
        OSError: the disk refuses.
    """
    directory = _directory(run, checkpoint)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in signatures:
        named = sha256(each.name.encode() + b"\n" + each.key_id).hexdigest()
        write_whole(directory / (named + _SUFFIX), each.line())
    return directory


def kept_signatures(run: Path, checkpoint: Checkpoint) -> tuple[NoteSignature, ...]:
    """Return the signature lines of a run's head, by name of their file; they are not verified.

    Raises:
        ProofError: a file holds no signature line.
        OSError: one cannot be read.
    """
    directory = _directory(run, checkpoint)
    if not directory.is_dir():
        return ()
    paths = sorted(path for path in directory.iterdir() if path.suffix == _SUFFIX)[:MAX_SIGNATURES]
    found: list[NoteSignature] = []
    for path in paths:
        try:
            found += parse_cosignatures(checkpoint, read_regular(path, _LINE_SIZE_MAX))
        except NoteError as error:
            raise ProofError(
                f"a signature that was kept is damaged: {error.message}",
                where=str(path),
                hint="remove it, and have the head signed again",
            ) from None
    return tuple(found)


def with_more(
    signatures: Sequence[NoteSignature], more: Iterable[NoteSignature]
) -> tuple[NoteSignature, ...]:
    """Return the lines of a note with more of them; of a key that stands there already, none."""
    lines = {(each.name, each.key_id): each for each in more}
    lines |= {(each.name, each.key_id): each for each in signatures}
    first = [(each.name, each.key_id) for each in signatures]
    order = dict.fromkeys([*first, *lines])
    return tuple(lines[each] for each in order)


def _directory(run: Path, checkpoint: Checkpoint) -> Path:
    return run / _DIRECTORY / sha256(checkpoint.body()).hexdigest()
