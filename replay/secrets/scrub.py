"""Secrets out of bytes, and back: the one function through which every payload goes.

The one invariant is the law of streams. Let S be a stream scrubber that knows the values, L the
scrubber of the live side and R that of a replay, which knows surrogates alone. For every text T
and every way to cut it into chunks c1...cn::

    R.scrub(S.feed(c1) + ... + S.feed(cn)) == L.scrub(T)

So what a program puts together in replay, out of chunks that were scrubbed one by one and with
nothing held back, is what the live side committed. Two steps make it hold. *Substitution* puts
the surrogate where a value stands or begins (twelve characters or more; see `substitution`), the
same in a stream and in the whole, except that a stream cannot take back the first characters,
eleven at most, that went out before it could know. *Repair* puts those right by looking at the
surrogate only, so both sides do it alike; it needs the eight characters of the surrogate after
the twelfth (or after a longer public prefix).

The law therefore does not reach a value that breaks off within those characters and was cut in
its first eleven, nor a value of fewer than twenty characters that was cut after all but its last
eight. Both then differ in at most eleven characters, which a replay reports as class `secret`.

One more limit: a text of the program's own that goes on after a public prefix of twelve characters
or more with the value's next character looks like the value's beginning, and that character is
replaced in the record; a replay, which has no value, keeps it.
"""

import re
from collections.abc import Iterable

from replay.secrets.coded_spelling import CodedTrack
from replay.secrets.spellings import tracks_of
from replay.secrets.substitution import (
    COMMIT,
    Edit,
    Run,
    Track,
    character_class,
    repaired,
    substituted,
)
from replay.secrets.surrogates import (
    MAX_SECRET_LENGTH,
    MIN_SECRET_LENGTH,
    Secret,
    SecretError,
    shared_prefix,
)

__all__ = ["Scrubber", "StreamScrubber"]

_NEVER = re.compile(b"(?!)")

_ROUNDS = 4  # a repaired surrogate may stand inside another one's: two is what that takes

_BY_RARITY = b"~^`ZXQJKVYUqGzjWHFOPBRLNDMCEISAT98765x4321k0wvygpbfumhdclrnsioate"
_RARE_FIRST = tuple(
    bytes((code,)) for code in (*_BY_RARITY, *sorted(set(range(128)) - set(_BY_RARITY)))
)


class Scrubber:
    """Puts surrogates for values in whole payloads.

    Written by `add` alone; everything else reads. A scrubber without secrets returns what it is
    given. The length never changes.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._entries: list[_Entry] = []
        # Without escapes, none of these in a text means that nothing changes. They are grouped
        # by a byte that each of the group has and that text seldom has: one look rules them out.
        self._needles: tuple[tuple[bytes, tuple[bytes, ...]], ...] = ()
        self._percent = self._json = _NEVER
        for secret in secrets:
            self.add(secret)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The registered secrets, in the order in which they were added."""
        return tuple(entry.secret for entry in self._entries)

    def add(self, secret: Secret) -> None:
        """Registers a secret from here on.

        Raises:
            SecretError: Value and surrogate do not fit one another, or those of the secrets
                registered before: two values that share their first twelve characters must share
                surrogates as far, and no surrogate may hold another's value.
                `make_surrogate(..., among=secrets)` draws one that fits.
        """
        _check_shape(secret)
        self._entries.append(_Entry(secret))
        self._index()
        try:
            self._check_peace(secret)
        except SecretError:
            self._entries.pop()
            self._index()
            raise

    def learn(self, secret: Secret) -> None:
        """Takes the value of a registered secret of which only the surrogate was known.

        Raises:
            SecretError: The value does not fit its surrogate.
        """
        _check_shape(secret)
        at = [entry.secret.number for entry in self._entries].index(secret.number)
        before, self._entries[at] = self._entries[at], _Entry(secret)
        self._index()
        try:
            self._check_peace(secret)
        except SecretError:
            self._entries[at] = before
            self._index()
            raise

    def knows(self, text: str) -> bool:
        """Whether a found text is a registered value, or a surrogate, and nothing new."""
        return any(text in (secret.value, secret.surrogate) for secret in self.secrets)

    def scrub(self, data: bytes) -> bytes:
        """Puts the surrogate for each value, in any known spelling, and repairs cuts.

        Idempotent. Returns `data` itself when nothing changes.
        """
        if not self._entries:
            return data
        escapes = self._has_escapes(data)
        if not escapes and not self._may_hold(data):
            return data
        runs: list[Run] = []
        for entry in self._entries:
            for track in (*entry.finders, entry.upper_hex):
                runs += track.runs(data, escapes=escapes)
        put = substituted(data, runs) if runs else data
        for _ in range(_ROUNDS):
            edits: list[Edit] = []
            for entry in self._entries:
                for track in entry.menders:
                    edits += track.repairs(put, escapes=escapes)
            if not edits:
                break
            put = repaired(put, edits)
        return data if put == data else put

    def stream(self) -> "StreamScrubber":
        """A scrubber for the chunks of one body."""
        return StreamScrubber(self)

    def restore(self, data: bytes) -> bytes:
        """Puts the value for each surrogate, where the value is known: for the wire, never kept."""
        escapes = self._has_escapes(data)
        runs: list[Run] = []
        for entry in self._entries:
            for track in entry.restorers:
                runs += track.runs(data, escapes=escapes)
        if not runs:
            return data
        put = substituted(data, runs)
        # A base64 digit may be shared with a neighbour, such as the colon of a user's name.
        edits: list[Edit] = []
        for entry in self._entries:
            for track in entry.restorers_shared:
                edits += track.repairs(put, escapes=escapes)
        return repaired(put, edits)

    def suspects(self, data: bytes) -> tuple[int, ...]:
        """The numbers of the secrets that stand in `data` in a known spelling.

        A secret counts when the whole of it stands there, or as much of its beginning as
        reaches twelve characters beyond the public prefix.
        """
        escapes = self._has_escapes(data)
        found = {
            entry.secret.number
            for entry in self._entries
            for track in entry.finders
            for run in track.runs(data, escapes=escapes)
            if run.characters >= entry.enough
        }
        return tuple(sorted(found))

    def substitute(self, data: bytes) -> bytes:
        """The first step of `scrub`, which is all that a stream can do."""
        escapes = self._has_escapes(data)
        runs: list[Run] = []
        for entry in self._entries:
            for track in entry.finders:
                runs += track.runs(data, escapes=escapes)
        return substituted(data, runs) if runs else data

    def alive_from(self, data: bytes) -> int:
        """Where the first possible value begins that `data` breaks off in; its length if none."""
        tracks = (track for entry in self._entries for track in entry.finders)
        return min((track.alive_from(data) for track in tracks), default=len(data))

    def _may_hold(self, data: bytes) -> bool:
        for rare, needles in self._needles:
            if rare in data:
                for needle in needles:
                    if needle in data:
                        return True
        return False

    def _has_escapes(self, data: bytes) -> bool:
        """Whether a character of some secret may be escaped, other than by a bare backslash."""
        return (b"%" in data and self._percent.search(data) is not None) or (
            b"\\u00" in data and self._json.search(data) is not None
        )

    def _index(self) -> None:
        groups: dict[bytes, dict[bytes, None]] = {}
        for entry in self._entries:
            for needle in entry.needles:
                rare = next(byte for byte in _RARE_FIRST if byte in needle)
                groups.setdefault(rare, {})[needle] = None
        self._needles = tuple((rare, tuple(group)) for rare, group in groups.items())
        codes = sorted({code for entry in self._entries for code in entry.codes})
        either = b"|".join(map(_either_case, codes))
        # Two patterns, for each has a literal to skip to.
        self._percent = re.compile(rb"%%(?:%b)" % either) if codes else _NEVER
        self._json = re.compile(rb"\\u00(?:%b)" % either) if codes else _NEVER

    def _check_peace(self, newcomer: Secret) -> None:
        """Refuses what would make the result depend on where a stream was cut."""
        for other in self.secrets:
            if other is not newcomer and other.number == newcomer.number:
                raise SecretError(f"there is a secret {newcomer.number} already")
            if other.value is None or newcomer.value is None:
                continue
            shared = shared_prefix(other.value, newcomer.value)
            kept = shared_prefix(other.surrogate, newcomer.surrogate)
            if shared >= COMMIT and kept < shared:
                raise SecretError(
                    f"secrets {other.number} and {newcomer.number} begin alike,"
                    " their surrogates do not",
                    hint="draw the surrogate with make_surrogate(..., among=secrets)",
                )
        for secret in self.secrets:
            surrogate = secret.surrogate.encode("ascii")
            value = surrogate if secret.value is None else secret.value.encode("ascii")
            if self.scrub(value) != surrogate or self.scrub(surrogate) != surrogate:
                raise SecretError(
                    f"the surrogate of secret {secret.number} holds another secret",
                    hint="draw the surrogate with make_surrogate(..., among=secrets)",
                )


class StreamScrubber:
    """Puts surrogates for values in the chunks of one body, at once and without changing length.

    Of a value that is cut, at most eleven characters (of base64, fifteen digits) that arrived
    before the twelfth stay as they were.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._tail = b""  # true bytes, from the beginning of what may be a value that goes on

    def feed(self, chunk: bytes) -> bytes:
        """Scrubs the next chunk; nothing is held back."""
        data = self._tail + chunk
        put = self._scrubber.substitute(data)
        self._tail, start = data[self._scrubber.alive_from(data) :], len(self._tail)
        return chunk if put is data else put[start:]


class _Entry:
    """What a scrubber looks up for one secret; not changed once it is made."""

    __slots__ = (
        "codes",
        "enough",
        "finders",
        "menders",
        "needles",
        "restorers",
        "restorers_shared",
        "secret",
        "upper_hex",
    )

    def __init__(self, secret: Secret) -> None:
        number, surrogate, public = secret.number, secret.surrogate, secret.public
        value = surrogate if secret.value is None else secret.value
        texts, codeds = tracks_of(number, value, surrogate, public)
        self.secret = secret
        self.menders: tuple[Track, ...] = (*texts, *codeds)
        # A replay knows no value: it has nothing to find, in hex it evens out the case.
        self.finders: tuple[Track, ...] = self.menders if secret.value is not None else ()
        self.restorers: tuple[Track, ...] = ()
        self.restorers_shared: tuple[Track, ...] = ()
        if secret.value is not None:
            back, coded_back = tracks_of(number, surrogate, value, public, keep_case=True)
            self.restorers = (*back, *coded_back)
            self.restorers_shared = tuple(track for track in coded_back if not track.is_hex)
        self.upper_hex = _upper_hex(secret)
        tracks: tuple[Track, ...] = (*self.finders, self.upper_hex)
        self.needles = (
            *(needle for track in tracks for needle in track.needles),
            *(anchor for track in self.menders for anchor in track.anchors),
        )
        self.codes = frozenset((surrogate + value).encode("ascii"))
        self.enough = min(len(surrogate), public + COMMIT)


def _upper_hex(secret: Secret) -> CodedTrack:
    """Upper-case hex of the surrogate, which is kept in lower case like that of the value."""
    spelled = secret.surrogate.encode("ascii").hex().encode()
    return CodedTrack(
        secret.number,
        spelled,
        spelled,
        surrogate=secret.surrogate.encode("ascii"),
        public=secret.public,
        only_upper=True,
    )


def _either_case(code: int) -> bytes:
    low = b"%x" % (code & 15)
    return b"%x[%b%b]" % (code >> 4, low, low.upper()) if low.isalpha() else b"%02x" % code


def _check_shape(secret: Secret) -> None:
    """Refuses a surrogate that could not have been drawn: records may be hostile."""
    surrogate = secret.surrogate
    if not surrogate.isascii() or not MIN_SECRET_LENGTH <= len(surrogate) <= MAX_SECRET_LENGTH:
        raise SecretError(f"the surrogate of secret {secret.number} has a length or character"
                          " that none has")  # fmt: skip
    if not 0 <= secret.public <= len(surrogate) // 3:
        raise SecretError(f"the public prefix of secret {secret.number} is too long")
    value = secret.value
    if value is None:
        return
    public = secret.public
    if not value.isascii():
        raise SecretError(f"secret {secret.number} has characters outside ASCII")
    if _classes(value) != _classes(surrogate) or value[:public] != surrogate[:public]:
        raise SecretError(f"value and surrogate of secret {secret.number} are not alike")


def _classes(text: str) -> list[int]:
    return [character_class(ord(char)) for char in text]
