"""Which variables of this process's environment hold secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from replay.secrets.patterns import MIN_SECRET_LENGTH, find_secret_values, is_secret_name

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PASSPHRASE_VARIABLE", "secrets_of_environment"]

#: Opens the keys of whoever starts a program; no program is started with it.
PASSPHRASE_VARIABLE: Final = "RITORNELLO_KEY_PASSPHRASE"  # noqa: S105 - its name


def secrets_of_environment() -> Iterator[tuple[str, str]]:
    """Yield (name, value) of what is secret by its name, or by the shape of a known key."""
    for name in sorted(os.environ):
        value = os.environ[name]
        if len(value) < MIN_SECRET_LENGTH:
            continue
        if is_secret_name(name):
            yield name, value
            continue
        data = value.encode("utf-8", "surrogateescape")
        for start, end in find_secret_values(data):
            yield name, data[start:end].decode("ascii")
