"""What is looked for: passages of text, however white space and case fall.

The one invariant: a passage is a few words at least. A shorter one would stand everywhere, and an
erasure that takes everything is a mistake.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from replay.errors import UsageError

__all__ = ["PASSAGE_CHARACTERS_MIN", "AnyOf", "Passages", "passages_in"]

#: Characters that a passage has at least, white space apart.
PASSAGE_CHARACTERS_MIN: Final = 6
_PASSAGES_MAX: Final = 10_000
_AT_ONCE: Final = 500


class Passages:
    """Finds any of several passages in bytes.

    Args:
        texts: the passages; white space in them stands for any white space.
        ignore_case: whether ASCII letters match in either case.

    Raises:
        UsageError: there is none, or one is too short to be told from its surroundings.
    """

    def __init__(self, texts: Iterable[str], *, ignore_case: bool = False) -> None:
        forms = {
            unicodedata.normalize(form, text.strip()): None
            for text in texts
            if text.strip()
            for form in ("NFC", "NFD")
        }
        if not forms:
            raise UsageError("there is no text to look for")
        if len(forms) > _PASSAGES_MAX:
            raise UsageError(f"more than {_PASSAGES_MAX} passages", hint="erase in several steps")
        for text in forms:
            if len("".join(text.split())) < PASSAGE_CHARACTERS_MIN:
                raise UsageError(
                    f"a passage of under {PASSAGE_CHARACTERS_MIN} characters stands everywhere",
                    hint="name more of what stands around it",
                )
        # Longest first: of two that begin alike the whole is found.
        spelled = [
            rb"\s+".join(re.escape(word.encode("utf-8", "replace")) for word in text.split())
            for text in sorted(forms, key=len, reverse=True)
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


def passages_in(text: str) -> list[str]:
    """Return the lines of a text that hold anything: each is a passage."""
    return [line.strip() for line in text.splitlines() if line.strip()]
