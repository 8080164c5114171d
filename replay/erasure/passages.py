"""What is looked for: passages of text, however white space, accents and case fall.

The one invariant: a passage is a few words at least. A shorter one would stand everywhere, and an
erasure that takes everything is a mistake.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from replay.errors import UsageError

__all__ = ["PASSAGE_CHARACTERS_MIN", "AnyOf", "Passages", "passages_in", "pattern_of"]

#: Characters that a passage has at least, white space apart; a wide one (a Chinese one) is two.
PASSAGE_CHARACTERS_MIN: Final = 6
_PASSAGES_MAX: Final = 10_000
_AT_ONCE: Final = 500
#: What stands between words, in UTF-8: all that Unicode calls white space, what has no width, and
#: the plus sign of a form. Not taken apart again, and bounded: it costs no more than its length.
_WHITE: Final = (
    rb"(?:[\s\x1c-\x1f]++|\+|\xc2[\x85\xa0]|\xe2(?:\x80[\x80-\x8b\xa8\xa9\xaf]|\x81\x9f)"
    rb"|\xe3\x80\x80|\xe1\x9a\x80|\xef\xbb\xbf){1,64}"
)


class Passages:
    """Finds any of several passages in bytes.

    Args:
        texts: the passages; see :func:`pattern_of`.
        ignore_case: whether letters match in either case.

    Raises:
        UsageError: there is none, or one is too short to be told from its surroundings.
    """

    def __init__(self, texts: Iterable[str], *, ignore_case: bool = False) -> None:
        wanted = dict.fromkeys(text.strip() for text in texts if text.strip())
        if not wanted:
            raise UsageError("there is no text to look for")
        if len(wanted) > _PASSAGES_MAX:
            raise UsageError(f"more than {_PASSAGES_MAX} passages", hint="erase in several steps")
        for text in wanted:
            if _length(text) < PASSAGE_CHARACTERS_MIN:
                raise UsageError(
                    f"a passage of under {PASSAGE_CHARACTERS_MIN} characters stands everywhere",
                    hint="name more of what stands around it",
                )
        # Longest first: of two that begin alike the whole is found.
        spelled = [
            pattern_of(text, ignore_case=ignore_case)
            for text in sorted(wanted, key=len, reverse=True)
        ]
        flags = re.IGNORECASE if ignore_case else 0
        self._patterns = [
            re.compile(b"|".join(spelled[first : first + _AT_ONCE]), flags)
            for first in range(0, len(spelled), _AT_ONCE)
        ]

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield start and end of each occurrence."""
        for pattern in self._patterns:
            for match in pattern.finditer(data):
                yield match.span()

    def stand_in(self, text: str) -> bool:
        """Whether one of them stands in a text."""
        return any(True for _ in self.spans(text.encode("utf-8", "replace")))


class AnyOf:
    """Finds what any of several finds; nothing, if there is none."""

    def __init__(self, passages: Sequence[Passages]) -> None:
        self._passages = passages

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield start and end of each occurrence."""
        for each in self._passages:
            yield from each.spans(data)


def pattern_of(text: str, *, ignore_case: bool = False) -> bytes:
    """Return the regular expression over bytes in UTF-8 that finds a text, however it is written.

    White space in it stands for any white space; an accent is one character or two. ASCII letters
    are left to the expression's own flag.

    Args:
        text: not empty.
        ignore_case: whether other letters match in either case.
    """
    forms = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
    spelled = dict.fromkeys(
        _WHITE.join(
            b"".join(_letter(each, ignore_case=ignore_case) for each in word)
            for word in form.split() or [form]
        )
        for form in forms
    )
    return b"|".join(spelled)


def _letter(letter: str, *, ignore_case: bool) -> bytes:
    """Return the expression for one character, composed and decomposed."""
    if letter.isascii():
        return re.escape(letter.encode())
    cases = (letter, letter.lower(), letter.upper()) if ignore_case else (letter,)
    spellings = {
        re.escape(unicodedata.normalize(form, case).encode("utf-8", "replace")): None
        for case in cases
        for form in ("NFC", "NFD")
    } | {re.escape(letter.encode("utf-8", "replace")): None}
    return b"(?:" + b"|".join(spellings) + b")"


def _length(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text if not each.isspace())
    return wide + len("".join(text.split()))


def passages_in(text: str) -> list[str]:
    """Return the lines of a text that hold anything: each is a passage."""
    return [line.strip() for line in text.splitlines() if line.strip()]
