"""Where the recording of a test lies: a name that is safe, readable and the same everywhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

__all__ = ["RECORDINGS", "SUFFIX", "file_stem", "is_plain_name", "recording_path"]

#: The directory beside a test file that holds its recordings.
RECORDINGS: Final = "recordings"
SUFFIX: Final = ".ritornello"
_STEM_MAX: Final = 100
_DIGEST_CHARACTERS: Final = 12
_OTHER: Final = re.compile(r"[^A-Za-z0-9_.,=+@\[\]-]")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


def is_plain_name(name: str) -> bool:
    """Return whether a name that somebody gave can stand in a file's name as it is."""
    return _PLAIN.fullmatch(name) is not None


def file_stem(test: str, parameters: str = "") -> str:
    """Return a file name for a test, without its suffix.

    Names of one length and alphabet pass as they are. Where something had to be replaced or cut, or
    could fall together with another name on a disk that does not tell capitals from small letters,
    a digest of the whole name follows.

    Args:
        test: the test's name, with its classes: ``TestTides.test_low``.
        parameters: its parameters as pytest shows them, brackets included: ``[1-north]``.
    """
    whole = test + parameters
    stem = _OTHER.sub("-", whole)
    if stem == whole and len(stem) <= _STEM_MAX and parameters == parameters.lower():
        return stem
    digest = hashlib.blake2b(whole.encode("utf-8", "surrogatepass")).hexdigest()
    kept = stem[: _STEM_MAX - _DIGEST_CHARACTERS - 1]
    return f"{kept}~{digest[:_DIGEST_CHARACTERS]}"


def recording_path(test_file: Path, stem: str, directory: str = RECORDINGS) -> Path:
    """Return the path of a recording: ``<beside the test file>/recordings/<module>/<stem>``."""
    return test_file.parent / directory / test_file.stem / f"{stem}{SUFFIX}"
