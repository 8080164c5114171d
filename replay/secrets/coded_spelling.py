"""A secret inside hex and base64, where each byte of text is a cell of its own.

The one invariant: a cell is mapped by its position alone.
"""

from base64 import b64encode
from collections.abc import Iterator

from replay.secrets.substitution import ANCHOR, COMMIT, Edit, Run, character_class

__all__ = ["CodedTrack", "base64_cells"]

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_VALUES = {code: at for at, code in enumerate(_ALPHABET)} | {0x2D: 62, 0x5F: 63}
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_BASE64_DIGITS = frozenset(_VALUES)
_HEX_DIGITS = frozenset(b"0123456789abcdefABCDEF")


class CodedTrack:
    """One secret in hex or at one alignment of base64: one byte of text for each cell.

    Args:
        number: the secret's.
        find: what stands for the value; lower case for hex.
        put: what stands for the surrogate, as long.
        shift: for base64, how many bytes of its group of three stand before the value.
        surrogate: the stand-in's bytes, to set the bits that share a base64 digit.
        public: leading characters that are the same in both.
        only_upper: look for hex in upper case only; else in both.
        keep_case: an upper-case match gives upper case back (to restore); else hex is lower case,
            because a run of decimal digits does not show the case of what follows it.
    """

    __slots__ = (
        "anchor",
        "anchor_at",
        "anchors",
        "commit",
        "find",
        "heads",
        "is_hex",
        "keep_case",
        "needles",
        "number",
        "per_character",
        "put",
        "shift",
        "special",
        "surrogate",
    )

    def __init__(
        self,
        number: int,
        find: bytes,
        put: bytes,
        *,
        surrogate: bytes,
        public: int,
        shift: int | None = None,
        keep_case: bool = False,
        only_upper: bool = False,
    ) -> None:
        self.number, self.find, self.put, self.surrogate = number, find, put, surrogate
        self.is_hex, self.shift, self.keep_case = shift is None, shift or 0, keep_case
        self.special = not self.is_hex and not {*b"+/"}.isdisjoint(put)
        self.per_character = 2.0 if self.is_hex else 4 / 3
        self.commit = min(round(COMMIT * self.per_character), len(find))
        head = find[: self.commit]
        both = (head.upper(),) if only_upper else (head, head.upper())
        self.heads = tuple(dict.fromkeys(both)) if self.is_hex else (head,)
        self.needles = _both_alphabets(self.heads)
        width = ANCHOR * 2 if self.is_hex else ANCHOR * 4 // 3 + 1
        known = public * 2 if self.is_hex else public * 4 // 3 + 1
        self.anchor_at = max(0, min(max(self.commit, known), len(put) - width))
        self.anchor = put[self.anchor_at : self.anchor_at + width]
        self.anchors = _both_alphabets((self.anchor,))

    def runs(self, data: bytes, *, escapes: bool) -> Iterator[Run]:
        """Finds each run, by ascending start for each needle."""
        plain = self._plain(data)
        for needle in self.heads:
            at = plain.find(needle)
            while at >= 0:
                there = plain[at : at + len(self.find)]
                cells = _common(there.lower() if self.is_hex else there, self.find)
                put = self._kept(self.put[:cells], data[at : at + cells])
                if self.keep_case and self.is_hex and there[:cells] != there[:cells].lower():
                    put = put.upper()
                yield Run(at, put, int(cells / self.per_character + 0.01), self.number)
                at = plain.find(needle, at + 1)

    def alive_from(self, data: bytes) -> int:
        """Where the first match begins that the next bytes could continue; the length if none."""
        window = data[-(len(self.find) - 1) :]
        offset = len(data) - len(window)
        window = window.lower() if self.is_hex else self._plain(window)
        at = window.find(self.find[:1])
        while at >= 0:
            if self.find.startswith(window[at:]):
                return offset + at
            at = window.find(self.find[:1], at + 1)
        return len(data)

    def repairs(self, data: bytes, *, escapes: bool) -> Iterator[Edit]:
        """Finds true heads before the surrogate's tail, and base64 digits shared with a neighbour.

        A digit that carries bits of the secret's first or last character and of its neighbour's
        gets the surrogate's bits, on both sides, wherever the rest of the surrogate stands whole.
        """
        plain = self._plain(data)
        loose = min(self.commit, self.anchor_at)
        head, neck = self.put[:loose], self.put[loose : self.anchor_at]
        at = plain.find(self.anchor)
        while at >= 0:
            start = at - self.anchor_at
            there = plain[max(0, start) : start + loose]
            if start >= 0 and plain[start + loose : at] == neck and self._may_be_head(there, head):
                if there != head:
                    yield Edit(start, self._kept(head, data[start : start + loose]))
                if not self.is_hex and plain.startswith(self.put[loose:], start + loose):
                    yield from self._shared_digits(data, start)
            at = plain.find(self.anchor, at + 1)

    def _may_be_head(self, there: bytes, head: bytes) -> bool:
        """Whether true characters of the same classes may stand here.

        In hex one of them may be half the value's and half the surrogate's, of any class.
        """
        if not self.is_hex:
            return _BASE64_DIGITS.issuperset(there)
        if not _HEX_DIGITS.issuperset(there):
            return False
        pairs = zip(bytes.fromhex(there.decode()), bytes.fromhex(head.decode()), strict=True)
        return sum(character_class(old) != character_class(new) for old, new in pairs) <= 1

    def _plain(self, data: bytes) -> bytes:
        """Base64 in the standard alphabet, if this track has a digit that is not in both."""
        return data if self.is_hex or not self.special else data.translate(_TO_STANDARD)

    def _kept(self, put: bytes, there: bytes) -> bytes:
        """Keeps the alphabet: the two digits in question never stand for a letter or figure."""
        if not self.special:
            return put
        pairs = zip(put, there.translate(_TO_STANDARD), there, strict=True)
        return bytes(old if new == plain else new for new, plain, old in pairs)

    def _shared_digits(self, data: bytes, start: int) -> Iterator[Edit]:
        bits = (0, 4, 2)[self.shift]  # of the first byte, in the digit before the cells
        if bits and start:
            yield from _set_bits(data, start - 1, self.surrogate[0] >> (8 - bits), bits, low=True)
        bits = (self.shift + len(self.surrogate)) * 8 % 6  # of the last byte, in the digit after
        stop = start + len(self.put)
        if bits and stop < len(data):
            last = self.surrogate[-1] & ((1 << bits) - 1)
            yield from _set_bits(data, stop, last, bits, low=False)


def base64_cells(text: bytes, shift: int) -> bytes:
    """The base64 digits that depend on `text` alone when `shift` bytes of a group precede it."""
    return b64encode(bytes(shift) + text)[(0, 2, 3)[shift] : (shift + len(text)) * 8 // 6]


def _both_alphabets(texts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys((*texts, *(text.translate(_TO_URL_SAFE) for text in texts))))


def _set_bits(data: bytes, at: int, bits: int, count: int, *, low: bool) -> Iterator[Edit]:
    digit = _VALUES.get(data[at])
    if digit is None:
        return
    if low:
        wanted = digit >> count << count | bits
    else:
        wanted = bits << (6 - count) | digit & ((1 << (6 - count)) - 1)
    if wanted != digit:
        yield Edit(at, _ALPHABET[wanted : wanted + 1])


def _common(left: bytes, right: bytes) -> int:
    if left == right:
        return len(left)
    for at, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return at
    return min(len(left), len(right))
