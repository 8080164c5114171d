"""Key files: PKCS#8 in PEM, below a few lines that say what the key is for.

The one invariant: a private key is written only where it was asked for, readable by its owner
alone, and never inside a workspace, beside the log that it vouches for. It is encrypted unless
its owner said otherwise; one that is not is refused as soon as others can read it.

The lines above the PEM are for people and for the check that a key is used as what it was made for.
Readers of PEM pass over them, so OpenSSL opens the same file. Nothing binds them to the key: who
can change the file has the key anyway.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from attestations.errors import KeyFileError, KeyFormError
from attestations.keys.pkcs8 import LABEL, SALT_BYTES, encrypted_pem
from attestations.keys.private import AttestationKey, KeyRole, LogKey, WitnessKey, key_of
from attestations.keys.public import PublicKey, public_key_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = [
    "KEY_SUFFIX",
    "NAME",
    "PUBLIC_SUFFIX",
    "head_of",
    "private_text",
    "public_text",
    "read_private",
    "read_text",
    "refuse_in_workspace",
    "refuse_place",
    "write_pair",
]

KEY_SUFFIX: Final = ".key"
PUBLIC_SUFFIX: Final = ".pub"

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
"""What a key may be called: also a key's name in a note, and the name of a file."""

_SIZE_MAX: Final = 16 << 10
_FIRST_LINE: Final = "ritornello key, version 1"
_ENCRYPTED: Final = b"-----BEGIN %b-----" % LABEL
#: How keys in the older forms of OpenSSL say that they are encrypted.
_ENCRYPTED_BEFORE: Final = b"\nProc-Type: 4,ENCRYPTED"
_PRIVATE: Final = b"PRIVATE KEY-----"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def public_text(name: str, role: KeyRole, public: PublicKey) -> bytes:
    """Return the public file: the same lines, and the SPKI in PEM."""
    return _head(name, role, public) + public.pem()


def private_text(
    name: str,
    role: KeyRole,
    private: PrivateKeyTypes,
    passphrase: bytes,
    entropy: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Return the private file.

    Args:
        name: what the key is called.
        role: what it is for.
        private: the key.
        passphrase: what is to open it; empty leaves it unencrypted.
        entropy: gives so many random bytes.
    """
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    head = _head(name, role, public_key_of(private.public_key()))
    if not passphrase:
        return head + private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return head + encrypted_pem(der, passphrase, entropy(SALT_BYTES), entropy(SALT_BYTES))


def write_pair(path: Path, private: bytes, public: bytes) -> Path:
    """Write a private file and its public one, both new.

    Args:
        path: of the private file; its directory is made, for the owner alone.
        private: what :func:`private_text` gave.
        public: what :func:`public_text` gave.

    Returns:
        The path of the public file.

    Raises:
        KeyFileError: one of them is there, or the place is inside a workspace.
        OSError: the disk refuses; nothing is left behind.
    """
    refuse_place(path)
    beside = _beside(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_new(path, private, 0o600)
    try:
        _write_new(beside, public, 0o644)
    except OSError:
        path.unlink()
        raise
    return beside


def refuse_place(path: Path) -> None:
    """Refuse to make a key where one is, or inside a workspace.

    Raises:
        KeyFileError: its file or its public file is there, or the place is inside a workspace.
    """
    refuse_in_workspace(path)
    for each in (path, _beside(path)):
        if os.path.lexists(each):
            raise KeyFileError(
                "a file of this name is there", where=str(each), hint="take another name"
            )


def read_text(path: Path) -> bytes:
    """Read a private key's file, once its place and its permissions are right.

    Raises:
        KeyFileError: it is not there, too long, inside a workspace, or an unencrypted key that
            others can read.
    """
    refuse_in_workspace(path)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_SIZE_MAX + 1)
    except OSError as error:
        raise KeyFileError(
            f"the key cannot be read: {error.strerror}",
            where=str(path),
            hint="`ritornello keys list` names those that are there",
        ) from error
    if len(data) > _SIZE_MAX:
        raise KeyFileError("the file is too long for a key", where=str(path))
    if _PRIVATE not in data:
        raise KeyFileError(
            "the file holds no private key", where=str(path), hint="give the one that ends in .key"
        )
    if not _is_encrypted(data) and mode & _OTHERS:
        raise KeyFileError(
            "an unencrypted key can be read by others",
            where=str(path),
            hint=f"chmod 600 {path}",
        )
    return data


def read_private(
    data: bytes, role: KeyRole, passphrase: Callable[[], bytes], where: str, name: str = ""
) -> AttestationKey | LogKey | WitnessKey:
    """Open a private key for a use.

    Args:
        data: what its file holds.
        role: what it is to do.
        passphrase: asked only if the key is encrypted.
        where: its path or place, for errors.
        name: what it is called if no line says so, as in a key that another tool made.

    Raises:
        KeyFileError: it is a key for another use, the passphrase is wrong, or it is no key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    made_for, said_name, keyid = head_of(data, where)
    if made_for is None and role != "attestation":
        raise KeyFileError(
            f"nothing says that this is a {role} key",
            where=where,
            hint=f"make one: `ritornello keys new NAME --{role}`",
        )
    if made_for is not None and made_for != role:
        raise KeyFileError(
            f"this is a key for {_USES[made_for]}, not for {_USES[role]}",
            where=where,
            hint="one key never does both; make the other with `ritornello keys new`",
        )
    encrypted = _is_encrypted(data)
    try:
        private = load_pem_private_key(data, passphrase() if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        what = "the passphrase is wrong, or the file damaged" if encrypted else "the key is damaged"
        raise KeyFileError(what, where=where) from error
    try:
        key = key_of(role, said_name or name, private)
    except KeyFileError:
        raise
    except KeyFormError as error:
        hint = "make one of these: `ritornello keys new NAME`"
        raise KeyFileError(error.message, where=where, hint=hint) from None
    if keyid and keyid != key.public.keyid:
        raise KeyFileError("the key is another one than its file says", where=where)
    return key


def head_of(data: bytes, where: str) -> tuple[KeyRole | None, str, str]:
    """Return role, name and key id from the lines above the PEM; nothing of a foreign file.

    Raises:
        KeyFileError: the lines are ours and not of the form.
    """
    if not data.startswith(_FIRST_LINE.encode()):
        return None, "", ""
    text = data.partition(b"-----BEGIN")[0].decode("ascii", "replace")
    fields = dict(line.split(": ", 1) for line in text.splitlines()[1:] if ": " in line)
    role, name, keyid = fields.get("role"), fields.get("name", ""), fields.get("keyid", "")
    for known in get_args(KeyRole):
        if role == known and NAME.fullmatch(name) and re.fullmatch(r"[0-9a-f]{64}", keyid):
            return known, name, keyid
    raise KeyFileError("the lines above the key are not of the form", where=where)


def refuse_in_workspace(path: Path) -> None:
    """Refuse a private key's place inside a workspace.

    Raises:
        KeyFileError: one of the directories above it is one; links are followed.
    """
    for directory in path.absolute().resolve().parents:
        if (directory / "workspace.log").exists() or directory.name == ".ritornello":
            raise KeyFileError(
                "the place is inside a workspace: a key must not lie beside the log it vouches for",
                where=str(path),
                hint="leave out the path, and it goes to your configuration directory",
            )


_USES: Final[dict[KeyRole, str]] = {
    "attestation": "statements",
    "log": "checkpoints",
    "witness": "cosignatures",
}


def _is_encrypted(data: bytes) -> bool:
    return _ENCRYPTED in data or _ENCRYPTED_BEFORE in data


def _beside(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(KEY_SUFFIX) + PUBLIC_SUFFIX)


def _head(name: str, role: KeyRole, public: PublicKey) -> bytes:
    lines = (
        _FIRST_LINE,
        f"role: {role}",
        f"name: {name}",
        f"algorithm: {public.algorithm}",
        f"keyid: {public.keyid}",
        "",
    )
    return "".join(f"{line}\n" for line in lines).encode()


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()
        raise
