"""Which values are secrets, and what the record shows in their place.

The one invariant: what is registered here stands in no record; its surrogate does.

Live, the program holds the value and the record holds the surrogate. In replay the environment,
the credentials and the responses give the surrogate, so the program computes the same requests
and no key is needed. This module is the front of three: `surrogates` draws them, `spellings`
knows how a value may be written in bytes, `scrub` substitutes. None of them does I/O.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from replay.secrets.scrub import Scrubber, StreamScrubber
from replay.secrets.surrogates import (
    MAX_SECRET_LENGTH,
    MIN_SECRET_LENGTH,
    Secret,
    SecretError,
    make_surrogate,
)

__all__ = [
    "DEFAULT_NAME_PATTERNS",
    "MAX_SECRET_LENGTH",
    "MIN_SECRET_LENGTH",
    "Scrubber",
    "Secret",
    "SecretError",
    "StreamScrubber",
    "find_secret_values",
    "is_secret_name",
    "make_surrogate",
]

DEFAULT_NAME_PATTERNS = (
    "*_ACCESS_KEY",
    "*_API_KEY",
    "*_API_KEYS",
    "*_API_TOKEN*",
    "*_AUTH_KEY",
    "*_ENCRYPTION_KEY",
    "*_PAT",
    "*_PRIVATE_KEY",
    "*_SECRET",
    "*_SECRET_KEY",
    "*_SIGNING_KEY",
    "*_TOKEN",
    "*APIKEY",
    "*CLIENT_SECRET*",
    "*PASSPHRASE*",
    "*PASSWD*",
    "*PASSWORD*",
    "API_KEY",
    "SECRET",
    "SECRET_KEY",
    "TOKEN",
)
"""Names of environment variables and settings whose values are secrets, upper case or not.

Left out on purpose: `*_CREDENTIALS` (usually the path of a file, which must stay a path), `*_KEY`
(`SORT_KEY`, `PRIMARY_KEY`) and `*TOKEN*` (`MAX_TOKENS`, `TOKENIZERS_PARALLELISM`).
"""

_VALUE_SHAPES = re.compile(
    rb"(?<![A-Za-z0-9_-])(?:"
    rb"sk-ant-[a-z]{3,5}[0-9]{2}-[A-Za-z0-9_-]{40,200}"
    rb"|sk-(?:proj|svcacct)-[A-Za-z0-9_-]{40,250}"
    rb"|sk-or-v1-[0-9a-f]{64}"
    rb"|sk-[A-Za-z0-9]{32,64}(?![A-Za-z0-9_-])"
    rb"|github_pat_[A-Za-z0-9_]{60,120}"
    rb"|gh[pousr]_[A-Za-z0-9]{36,255}"
    rb"|A[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9])"
    rb"|AIza[A-Za-z0-9_-]{35}"
    rb"|xox[abp]-[A-Za-z0-9-]{20,200}"
    rb"|hf_[A-Za-z0-9]{34,40}"
    rb"|glpat-[A-Za-z0-9_-]{20,100}"
    rb"|ya29\.[A-Za-z0-9_-]{40,400}"
    rb"|npm_[A-Za-z0-9]{36}"
    rb"|pypi-[A-Za-z0-9_-]{60,400}"
    rb"|gsk_[A-Za-z0-9]{40,80}"
    rb"|xai-[A-Za-z0-9]{60,100}"
    rb")"
)


def is_secret_name(name: str, patterns: Sequence[str] = DEFAULT_NAME_PATTERNS) -> bool:
    """Whether a variable of this name holds a secret; case does not matter."""
    upper = name.upper()
    return any(fnmatchcase(upper, pattern.upper()) for pattern in patterns)


def find_secret_values(text: bytes) -> Iterator[tuple[int, int]]:
    """Finds values that have the shape of a known provider's key.

    Surrogates keep the shape: look at text before it is scrubbed, and pass over what is
    registered already.

    Shape:
        result: (start, stop) in bytes, ascending, not overlapping.
    """
    for match in _VALUE_SHAPES.finditer(text):
        yield match.span()
