"""The surrogate that stands for a secret in a record, and how it is drawn.

The one invariant: a surrogate has its value's length and, at each position, its character class;
it is drawn from the entropy given, and says nothing of the value beyond the public prefix.

This module reads no environment and draws no entropy of its own.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

import msgspec

from replay.errors import ReplayError

__all__ = [
    "MAX_SECRET_LENGTH",
    "MIN_SECRET_LENGTH",
    "Secret",
    "SecretError",
    "make_surrogate",
    "shared_prefix",
]

MIN_SECRET_LENGTH = 12
"""Shorter values are not registered: eleven characters are a word or a number that stands in
innocent text too, where a substitution would change what the program never got from us."""

MAX_SECRET_LENGTH = 16_384
"""Longer values are refused: a key file of 4096-bit RSA has 3300 characters."""

MIN_HIDDEN = 4
"""Letters and digits that a value must have beyond its public prefix. Other characters are kept,
so a value of dashes would be its own surrogate."""

_KNOWN_PREFIXES = (
    "sk-ant-api03-",
    "sk-ant-admin01-",
    "sk-ant-oat01-",
    "sk-ant-",
    "sk-proj-",
    "sk-svcacct-",
    "sk-or-v1-",
    "sk-",
    "github_pat_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "AKIA",
    "ASIA",
    "AIza",
    "xoxb-",
    "xoxp-",
    "hf_",
    "glpat-",
    "ya29.",
    "npm_",
    "pypi-",
    "gsk_",
    "xai-",
    "r8_",
    "pplx-",
)
_PEM_HEADER = re.compile(r"-----BEGIN [A-Z0-9 ]{1,24}-----\s*")

_CLASSES = (ascii_lowercase, ascii_uppercase, digits)
_WINDOW = 4  # no true run of this many characters stands at its own place in a surrogate
_TRIES = 64


class SecretError(ReplayError):
    """A value cannot be hidden, or two surrogates would contradict one another.

    The message never quotes a value.
    """

    code = "secret"


class Secret(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A registered secret and its stand-in.

    Attributes:
        number: ordinal among the secrets of the run.
        source: where the value came from, such as ``env:ANTHROPIC_API_KEY``; none if found.
        value: the true value; none in replay. Never shown by `repr`.
        surrogate: the stand-in, of the same length and character classes.
        public: how many leading characters are a public prefix, and true.
    """

    number: int
    source: str | None
    value: str | None
    surrogate: str
    public: int

    def __repr__(self) -> str:
        known = "hidden" if self.value is not None else "unknown"
        return f"Secret(number={self.number}, source={self.source!r}, value={known})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What `rich` may show: it would otherwise read the fields, and the value with them."""
        return [("number", self.number), ("source", self.source)]


def make_surrogate(
    value: str, entropy: Callable[[int], bytes], among: Iterable[Secret] = ()
) -> tuple[str, int]:
    """Draws the surrogate of a value; returns it and the length of its public prefix.

    No four characters beyond the prefix, of which one can change, equal the value's at the same
    place. Secrets that share text must share surrogates, or a stream could not know which one it
    is in: what `value` has in common with one of `among` (twelve or more leading characters, or
    the whole of either inside the other) is copied from that one.

    Args:
        value: ASCII, `MIN_SECRET_LENGTH` to `MAX_SECRET_LENGTH` characters.
        entropy: gives as many random bytes as asked for.
        among: the secrets registered before, values known.

    Raises:
        SecretError: The value is too short, too long, not ASCII, or has too few letters and
            digits to hide.
    """
    if not value.isascii():
        raise SecretError(
            "a secret has characters outside ASCII", hint="register its percent-encoded form"
        )
    if not MIN_SECRET_LENGTH <= len(value) <= MAX_SECRET_LENGTH:
        raise SecretError(
            f"a secret has {len(value)} characters, not {MIN_SECRET_LENGTH}-{MAX_SECRET_LENGTH}"
        )
    public = _public_prefix(value)
    if sum(map(str.isalnum, value[public:])) < MIN_HIDDEN:
        raise SecretError(f"a secret has fewer than {MIN_HIDDEN} letters and digits to hide")
    known = [other for other in among if other.value is not None]
    copied = _copied(value, known)
    for _ in range(_TRIES):
        surrogate = _draw(value, public, copied, known, entropy)
        if not any(_collides(value, surrogate, other) for other in known):
            return surrogate, shared_prefix(surrogate[:public], value)
    raise SecretError("no surrogate stays apart from those registered before")


def shared_prefix(left: str, right: str) -> int:
    """How many leading characters two texts have in common."""
    for at, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return at
    return min(len(left), len(right))


def _public_prefix(value: str) -> int:
    """The length of what is known of a value by its kind: at most 16 characters, and a third.

    The header of a PEM file may be longer: it names the kind of key and nothing else.
    """
    if header := _PEM_HEADER.match(value):
        return min(header.end(), len(value) // 3)
    for prefix in _KNOWN_PREFIXES:  # the longer one of each family stands first
        if value.startswith(prefix) and len(prefix) <= len(value) // 3:
            return len(prefix)
    return 0


def _copied(value: str, known: Sequence[Secret]) -> dict[int, str]:
    """The positions whose surrogate character is settled by secrets registered before."""
    copied: dict[int, str] = {}
    for other in sorted(known, key=lambda one: (-len(one.value or ""), one.number)):
        text = other.value or ""
        # The second covers a value whose first characters are those of another's *surrogate*:
        # text that holds the surrogate must pass the scrubber unchanged.
        for rival in (text, other.surrogate):
            common = shared_prefix(value, rival)
            if common >= MIN_SECRET_LENGTH:
                copied.update(enumerate(other.surrogate[:common]))
        if (at := text.find(value)) >= 0:
            for offset in range(len(value)):
                copied.setdefault(offset, other.surrogate[at + offset])
        at = value.find(text)
        while at >= 0:
            for offset, char in enumerate(other.surrogate):
                copied.setdefault(at + offset, char)
            at = value.find(text, at + 1)
    return copied


def _collides(value: str, surrogate: str, other: Secret) -> bool:
    """Whether text holding the new surrogate would be taken for another value, or for its own."""
    for text, stand_in in ((other.value or "", other.surrogate), (value, surrogate)):
        at = surrogate.find(text[:MIN_SECRET_LENGTH])
        while at >= 0:
            common = shared_prefix(surrogate[at:], text)
            if surrogate[at : at + common] != stand_in[:common]:
                return True
            at = surrogate.find(text[:MIN_SECRET_LENGTH], at + 1)
    return False


def _draw(
    value: str,
    public: int,
    copied: dict[int, str],
    known: Sequence[Secret],
    entropy: Callable[[int], bytes],
) -> str:
    """One surrogate, each hidden character uniform in its class unless a window must differ."""
    drawn: list[str] = []
    forks = _forks(value, known)
    head = value[:MIN_SECRET_LENGTH]
    near = [(o.value or "", o.surrogate) for o in known if (o.value or "").startswith(head)]
    for at, char in enumerate(value):
        near = [o for o in near if at < len(o[0]) and (not at or o[0][at - 1] == drawn[-1])]
        letters = next((letters for letters in _CLASSES if char in letters), "")
        if at in copied:
            drawn.append(copied[at])
        elif at < public or not letters:
            drawn.append(char)
        else:
            if _closes_window(value, drawn, at, public):
                letters = letters.replace(char, "")
            for old, new in forks.get(at, ()):
                bits = _shared_bits(old, char)
                letters = "".join(x for x in letters if _shared_bits(x, new) >= bits) or letters
            for text, other in near:
                old, new = text[at], other[at]
                closer = (x for x in letters if _shared_bits(x, new) >= _shared_bits(x, old))
                letters = "".join(closer) or letters
            drawn.append(_choose(letters, entropy))
    return "".join(drawn)


def _forks(value: str, known: Sequence[Secret]) -> dict[int, list[tuple[str, str]]]:
    """Where the value parts from what begins alike, and the two characters of that there.

    A digit of hex or base64 may end inside that character: surrogates must share the bits that
    values share, or a stream that is cut there could not know which one it is in.
    """
    forks: dict[int, list[tuple[str, str]]] = {}
    for other in known:
        for rival in (other.value or "", other.surrogate):
            common = shared_prefix(value, rival)
            if MIN_SECRET_LENGTH <= common < min(len(value), len(rival)):
                forks.setdefault(common, []).append((rival[common], other.surrogate[common]))
    return forks


def _shared_bits(left: str, right: str) -> int:
    return 8 - (ord(left) ^ ord(right)).bit_length()


def _closes_window(value: str, drawn: Sequence[str], at: int, public: int) -> bool:
    """Whether `at` is the last chance of a window to differ from the value."""
    for start in range(max(public, at - _WINDOW + 1), at + 1):
        later = value[at + 1 : start + _WINDOW]
        differs = any(drawn[place] != value[place] for place in range(start, at))
        if not differs and not any(map(str.isalnum, later)):
            return True
    return False


def _choose(letters: str, entropy: Callable[[int], bytes]) -> str:
    """One of `letters`, each equally likely: bytes beyond the last full round are drawn again."""
    limit = 256 - 256 % len(letters)
    while (byte := entropy(1)[0]) >= limit:
        pass
    return letters[byte % len(letters)]
