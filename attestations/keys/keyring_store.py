"""Private keys in the operating system's keyring, where the `keyring` library is installed.

The one invariant: what is fetched is what was put there, in the form of a key's file; nothing falls
back to a place that encrypts less.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from attestations.errors import KeyFileError

__all__ = ["fetch", "put"]

_SERVICE: Final = "ritornello"
_HINT: Final = "keep the key in a file: leave out --keyring"


def put(name: str, text: bytes) -> None:
    """Put a key's file there, unless one of this name is.

    Raises:
        KeyFileError: there is no keyring, it refuses, or the name is taken.
    """
    keyring = _keyring()
    try:
        if keyring.get_password(_SERVICE, name) is not None:
            raise KeyFileError("the keyring has a key of this name", where=name)
        keyring.set_password(_SERVICE, name, text.decode("ascii"))
    except keyring.errors.KeyringError as error:
        raise KeyFileError(f"the keyring refuses: {error}", where=name, hint=_HINT) from error


def fetch(name: str) -> bytes:
    """Return what was put there under a name.

    Raises:
        KeyFileError: there is no keyring, it refuses, or it has no key of this name.
    """
    keyring = _keyring()
    try:
        text: str | None = keyring.get_password(_SERVICE, name)
    except keyring.errors.KeyringError as error:
        raise KeyFileError(f"the keyring refuses: {error}", where=name, hint=_HINT) from error
    if text is None:
        raise KeyFileError("the keyring has no key of this name", where=name)
    return text.encode("ascii", "replace")


def _keyring() -> ModuleType:
    from importlib import import_module

    try:
        keyring = import_module("keyring")
        import_module("keyring.errors")
    except ImportError as error:
        raise KeyFileError(
            "the OS keyring needs the library `keyring`",
            hint="install ritornello[keyring], or leave out --keyring",
        ) from error
    return keyring
