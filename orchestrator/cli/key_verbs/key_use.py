"""A key as a person names it, opened: by its name, its path, or its place in the OS keyring."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from attestations.errors import KeyFileError
from attestations.keys import keyring_store
from attestations.keys.files import KEY_SUFFIX, NAME, read_private, read_text, refuse_in_workspace
from attestations.keys.private import AttestationKey, KeyRole, LogKey, WitnessKey
from attestations.keys.trust import read_trust
from orchestrator.cli.key_verbs.user_places import keys_directory, trust_file
from replay.errors import UsageError
from replay.session.environment_secrets import PASSPHRASE_VARIABLE

__all__ = [
    "KEYRING",
    "PassphraseFile",
    "attestation_key",
    "key_path",
    "log_key",
    "new_passphrase",
    "open_key",
    "witness_key",
]

KEYRING: Final = "keyring:"
_PASSPHRASE_SIZE_MAX: Final = 4096

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help=f"Read the passphrase from the first line of FILE; else it is that of"
        f" {PASSPHRASE_VARIABLE}, or asked for on the terminal.",
    ),
]


def attestation_key(named: str, passphrase_file: Path | None) -> AttestationKey:
    """Open a key to sign statements; errors as :func:`open_key`."""
    key = open_key(named, "attestation", passphrase_file)
    assert isinstance(key, AttestationKey)
    return key


def log_key(named: str, passphrase_file: Path | None) -> LogKey:
    """Open a key to sign checkpoints; errors as :func:`open_key`."""
    key = open_key(named, "log", passphrase_file)
    assert isinstance(key, LogKey)
    return key


def witness_key(named: str, passphrase_file: Path | None) -> WitnessKey:
    """Open a key to cosign checkpoints; errors as :func:`open_key`."""
    key = open_key(named, "witness", passphrase_file)
    assert isinstance(key, WitnessKey)
    return key


def open_key(
    named: str, role: KeyRole, passphrase_file: Path | None
) -> AttestationKey | LogKey | WitnessKey:
    """Open a private key.

    Args:
        named: a name among the person's keys, a path, or ``keyring:NAME``.
        role: what it is to do.
        passphrase_file: where its passphrase stands, if it has one.

    Raises:
        KeyFileError: it cannot be read, is not for this use, or is revoked.
        TrustFileError: what is revoked cannot be read.
    """
    ask = _passphrase(named, passphrase_file)
    if named.startswith(KEYRING):
        name = named.removeprefix(KEYRING)
        key = read_private(keyring_store.fetch(name), role, ask, named, name)
    else:
        path = key_path(named)
        name = path.name.removesuffix(KEY_SUFFIX)
        key = read_private(read_text(path), role, ask, str(path), name)
    if any(each.keyid == key.public.keyid for each in read_trust(trust_file()).revoked):
        raise KeyFileError("the key is revoked", where=named, hint="sign with another one")
    return key


def key_path(named: str) -> Path:
    """Return the path of a key: of that name among the person's, unless it is a path itself."""
    if NAME.fullmatch(named) and not named.endswith(KEY_SUFFIX):
        path = keys_directory() / (named + KEY_SUFFIX)
        if path.exists() or not Path(named).is_file():
            return path
    return Path(named)


def new_passphrase(passphrase_file: Path | None, where: str) -> bytes:
    """Return the passphrase for a new key, asked for twice on a terminal.

    Raises:
        KeyFileError: there is none, it is empty, or the two differ.
    """
    given = _given(passphrase_file)
    if given is not None:
        return _not_empty(given, where)
    if not _terminal():
        raise KeyFileError(
            "there is no passphrase for the key",
            where=where,
            hint=f"set {PASSPHRASE_VARIABLE}, give --passphrase-file, or say --no-passphrase",
        )
    first = getpass.getpass("Passphrase for the new key: ").encode()
    if getpass.getpass("Once more: ").encode() != first:
        raise KeyFileError("the passphrases differ; no key was made", where=where)
    return _not_empty(first, where)


def _passphrase(named: str, passphrase_file: Path | None) -> Callable[[], bytes]:
    def ask() -> bytes:
        given = _given(passphrase_file)
        if given is None and _terminal():
            given = getpass.getpass(f"Passphrase of {named}: ").encode()
        if given is None:
            raise KeyFileError(
                "the key is encrypted, and there is no passphrase",
                where=named,
                hint=f"set {PASSPHRASE_VARIABLE} or give --passphrase-file",
            )
        return _not_empty(given, named)

    return ask


def _given(passphrase_file: Path | None) -> bytes | None:
    if passphrase_file is not None:
        # A pipe such as /dev/fd/3 is read once; what a log vouches for lies elsewhere.
        refuse_in_workspace(passphrase_file)
        with passphrase_file.open("rb") as file:
            return file.readline(_PASSPHRASE_SIZE_MAX + 1).rstrip(b"\r\n")
    text = os.environ.get(PASSPHRASE_VARIABLE)
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _not_empty(passphrase: bytes, where: str) -> bytes:
    if not passphrase:
        raise KeyFileError("the passphrase is empty", where=where)
    if len(passphrase) > _PASSPHRASE_SIZE_MAX:
        raise UsageError(f"a passphrase is at most {_PASSPHRASE_SIZE_MAX} bytes long")
    return passphrase


def _terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
