"""A secret as text, in which any subset of characters may be escaped.

The one invariant: only letters and digits change, and each keeps the form it was spelled in.
"""

import re
from collections.abc import Iterator

from replay.secrets.substitution import ANCHOR, COMMIT, Edit, Run

__all__ = ["TextTrack"]

_BACKSLASH, _PERCENT, _PLUS, _SPACE, _LOWER_U = b"\\%+ u"
_SHORT_ESCAPES = {
    code: b"\\" + letter
    for code, letter in zip(b'"\\/\b\f\n\r\t', (b'"', b"\\", b"/", b"b", b"f", b"n", b"r", b"t"),
                            strict=True)
}  # fmt: skip
_ESCAPED_MAX = 6  # bytes of the longest spelling of one character, \u00XX


class TextTrack:
    r"""One secret as text, in which characters may be escaped.

    Args:
        number: the secret's.
        find: the value.
        put: the surrogate.
        public: leading characters that are the same in both.
        json: \u00XX and the short escapes of JSON are read.
        percent: %XX, and + for a space, are read.
        bare: every character may stand for itself. Else the backslash (JSON) and the percent sign
            (percent-encoding) must be escaped, which keeps each spelling free of ambiguity.
    """

    __slots__ = (
        "anchor_at",
        "anchor_pattern",
        "anchors",
        "bare",
        "find",
        "first",
        "json",
        "needles",
        "number",
        "percent",
        "put",
        "start",
        "whole",
    )

    def __init__(
        self,
        number: int,
        find: bytes,
        put: bytes,
        *,
        public: int,
        json: bool,
        percent: bool,
        bare: bool,
    ) -> None:
        self.number, self.find, self.put = number, find, put
        self.json, self.percent, self.bare = json, percent, bare
        self.anchor_at = min(max(COMMIT, public), len(put) - ANCHOR)
        anchor = put[self.anchor_at : self.anchor_at + ANCHOR]
        self.anchors = tuple(dict.fromkeys(self._short_spellings(anchor)))
        head = find[:COMMIT]
        self.needles = tuple(dict.fromkeys(self._short_spellings(head)))
        self.start = re.compile(b"".join(map(self._exact, head)))
        self.first = re.compile(b"[%b]" % re.escape(self._first_bytes()))
        # The head may be what a stream let go: any character of the class, in any spelling.
        loose = min(COMMIT, self.anchor_at)
        self.anchor_pattern = re.compile(b"".join(map(self._exact, anchor)))
        self.whole = re.compile(
            b"".join(b"(%b)" % self._loose(code) for code in put[:loose])
            + b"".join(map(self._exact, put[loose : self.anchor_at + ANCHOR]))
        )

    def runs(self, data: bytes, *, escapes: bool) -> Iterator[Run]:
        """Finds each run, by ascending start."""
        if not escapes and not any(needle in data for needle in self.needles):
            return
        match = self.start.search(data)
        while match:
            yield self._run(data, match.start())
            match = self.start.search(data, match.start() + 1)

    def alive_from(self, data: bytes) -> int:
        """Where the first match begins that the next bytes could continue; the length if none."""
        window = max(0, len(data) - _ESCAPED_MAX * len(self.find) + 1)
        for match in self.first.finditer(data, window):
            if self._reaches_end(data, match.start()):
                return match.start()
        return len(data)

    def repairs(self, data: bytes, *, escapes: bool) -> Iterator[Edit]:
        """Finds true heads before the surrogate's tail."""
        if not escapes and not any(anchor in data for anchor in self.anchors):
            return
        for tail in self.anchor_pattern.finditer(data):
            first = max(0, tail.start() - _ESCAPED_MAX * self.anchor_at)
            match = self.whole.search(data, first, tail.end())
            while match and match.end() != tail.end():  # another one stands close before
                match = self.whole.search(data, match.start() + 1, tail.end())
            if match is None:
                continue
            head = b"".join(match.groups())
            put = b"".join(map(self._respelled, match.groups(), self.put))
            if put != head:
                yield Edit(match.start(), put)

    def _first_bytes(self) -> bytes:
        """What a spelling of the first character can begin with."""
        plus = b"+" if self.percent and self.find[0] == _SPACE else b""
        escapes = b"\\" * self.json + b"%" * self.percent
        return self.find[:1] + escapes + plus

    def _run(self, data: bytes, start: int) -> Run:
        if self.bare and data.startswith(self.find, start):
            return Run(start, self.put, len(self.put), self.number)
        put, at = bytearray(), start
        for index, (old, new) in enumerate(zip(self.find, self.put, strict=True)):
            size = self._unit_size(data, at, old)
            if not size:
                put += self._begun(data, at, old, new)
                return Run(start, bytes(put), index, self.number)
            unit = data[at : at + size]
            put += unit if old == new else self._respelled(unit, new)
            at += size
        return Run(start, bytes(put), len(self.put), self.number)

    def _reaches_end(self, data: bytes, at: int) -> bool:
        for code in self.find:
            size = self._unit_size(data, at, code)
            if not size:
                rest = data[at:]
                return len(rest) < _ESCAPED_MAX and any(
                    len(rest) < len(spelling) and spelling.startswith(rest.lower())
                    for spelling in self._escaped(code)
                )
            at += size
            if at == len(data):
                return True
        return False

    def _escaped(self, code: int) -> Iterator[bytes]:
        """The escaped spellings of a character, hex digits in lower case."""
        if self.json:
            yield b"\\u%04x" % code
            if code in _SHORT_ESCAPES:
                yield _SHORT_ESCAPES[code]
        if self.percent:
            yield b"%%%02x" % code

    def _may_stand_bare(self, code: int) -> bool:
        return self.bare or code != (_BACKSLASH if self.json else _PERCENT)

    def _unit_size(self, data: bytes, at: int, code: int) -> int:
        """How many bytes spell `code` at `at`; 0 if none do."""
        if at >= len(data):
            return 0
        first = data[at]
        if first == code and self._may_stand_bare(code):
            return 1
        if first == _BACKSLASH and self.json:
            if data[at + 1 : at + 2] == b"u":
                return 6 if data[at + 2 : at + 6].lower() == b"%04x" % code else 0
            return 2 if data[at : at + 2] == _SHORT_ESCAPES.get(code) else 0
        if first == _PERCENT and self.percent:
            return 3 if data[at + 1 : at + 3].lower() == b"%02x" % code else 0
        return 1 if first == _PLUS and code == _SPACE and self.percent else 0

    def _begun(self, data: bytes, at: int, old: int, new: int) -> bytes:
        """The surrogate's bytes for an escape of which only all but the last digit matches."""
        if self.json and data[at : at + 5] == b"\\u00%x" % (old >> 4):
            return b"\\u00%x" % (new >> 4)
        if self.percent and data[at : at + 2] == b"%%%x" % (old >> 4):
            return b"%%%x" % (new >> 4)
        return b""

    def _respelled(self, unit: bytes, new: int) -> bytes:
        """Spells `new` as `unit` spells its character; what is not a letter or digit is kept."""
        if not _is_alphanumeric(new):
            return unit
        if len(unit) == 1:
            return bytes((new,))
        # The case of a hex digit follows the one it replaces, or else its standard.
        upper = unit[-1:].isupper() or (unit[-1:].isdigit() and len(unit) == 3)
        spelled = b"%02X" % new if upper else b"%02x" % new
        return unit[:-2] + spelled

    def _exact(self, code: int) -> bytes:
        spellings = [re.escape(bytes((code,)))] if self._may_stand_bare(code) else []
        for escaped in self._escaped(code):
            digit = escaped[-1:]
            either = b"[%b%b]" % (digit, digit.upper())
            is_hex = digit.isalpha() and len(escaped) != 2
            spellings.append(re.escape(escaped[:-1]) + (either if is_hex else re.escape(digit)))
        if code == _SPACE and self.percent:
            spellings.append(rb"\+")
        return b"(?:%b)" % b"|".join(spellings) if len(spellings) > 1 else spellings[0]

    def _loose(self, code: int) -> bytes:
        if not _is_alphanumeric(code):
            return self._exact(code)
        char = bytes((code,))
        spellings = [b"[a-z]" if char.islower() else b"[A-Z]" if char.isupper() else b"[0-9]"]
        if self.json:
            spellings.append(rb"\\u00[2-7][0-9a-fA-F]")
        if self.percent:
            spellings.append(b"%[2-7][0-9a-fA-F]")
        return b"|".join(spellings)

    def _short_spellings(self, head: bytes) -> Iterator[bytes]:
        """Bare, as forms do, and as JSON writers do: with and without the solidus escaped."""
        yield head
        if self.percent:
            yield head.replace(b" ", b"+")
        if not self.json:
            return
        for kept in (b"", b"/"):
            yield b"".join(
                _SHORT_ESCAPES[code]
                if code in _SHORT_ESCAPES and code not in kept
                else bytes((code,))
                for code in head
            )


def _is_alphanumeric(code: int) -> bool:
    return bytes((code,)).isalnum()
