"""Which public keys somebody trusts, for what, and which of them no longer: a file of theirs.

The one invariant: a key is trusted for one use, by its SPKI bytes, because its owner's file names
it; nothing that comes with a bundle can add one. A file that cannot be read trusts nobody and
says so.
"""

from __future__ import annotations

import fcntl
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from attestations.errors import KeyFormError, TrustFileError
from attestations.keys.private import KeyRole
from attestations.keys.public import PublicKey
from attestations.whole_files import write_whole

__all__ = ["Revocation", "Trust", "TrustedKey", "read_trust", "update_trust", "write_trust"]

_SIZE_MAX: Final = 1 << 20
_ENTRIES_MAX: Final = 1024
_Keyid = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
#: What a key can be called in a note: printable ASCII without the space and the plus sign.
_Name = Annotated[str, msgspec.Meta(pattern=r"\A[!-*,-~]{1,255}\Z")]


class TrustedKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key.

    Attributes:
        keyid: hex SHA-256 of the SPKI.
        name: what whoever trusts it calls it; of a log key, its name in notes.
        role: what it is trusted for.
        spki: base64 of its DER SubjectPublicKeyInfo.
    """

    keyid: _Keyid
    name: _Name
    role: KeyRole
    spki: Annotated[str, msgspec.Meta(max_length=1024)]

    @classmethod
    def of(cls, name: str, role: KeyRole, public: PublicKey) -> TrustedKey:
        """Name a key and a use."""
        spki = b64encode(public.spki).decode()
        return cls(keyid=public.keyid, name=name, role=role, spki=spki)

    def public(self) -> PublicKey:
        """Return the key.

        Raises:
            KeyFormError: the bytes are no key.
        """
        try:
            return PublicKey.from_spki(b64decode(self.spki, validate=True))
        except ValueError as error:
            raise KeyFormError("the bytes are no base64", where=self.name) from error


class Revocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From some size of a workspace's log on, a key's signatures no longer count.

    Attributes:
        keyid: which key.
        origin: the workspace log's.
        reason: why.
        size: what was signed in that log before it had this many records still counts, where
            somebody else saw it; see :mod:`attestations.keys.revocation`.
    """

    keyid: _Keyid
    origin: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    reason: Literal["compromised", "lost", "retired", "rotated"]
    size: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class Trust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file.

    Attributes:
        format: its version.
        keys: whom it trusts, each key once for each use, in the order in which they were added.
        revoked: what is no longer trusted, and since when.
    """

    format: Literal["ritornello/trust/1"] = "ritornello/trust/1"
    keys: Annotated[tuple[TrustedKey, ...], msgspec.Meta(max_length=_ENTRIES_MAX)] = ()
    revoked: Annotated[tuple[Revocation, ...], msgspec.Meta(max_length=_ENTRIES_MAX)] = ()

    def of_role(self, role: KeyRole) -> tuple[TrustedKey, ...]:
        """Return the keys trusted for a use, revoked or not."""
        return tuple(key for key in self.keys if key.role == role)

    def with_key(self, key: TrustedKey) -> Trust:
        """Return the file with one key more.

        Raises:
            TrustFileError: the name is that of another key of this role, or the key is trusted
                for the other use.
        """
        for known in self.keys:
            if known.keyid == key.keyid and known.role != key.role:
                raise TrustFileError(
                    f"the key is trusted as a key for {known.role} already",
                    where=known.name,
                    hint="one key never does both",
                )
            if known.name == key.name and known.role == key.role and known.keyid != key.keyid:
                raise TrustFileError(
                    "another key of this name is trusted",
                    where=key.name,
                    hint="take another name, or `ritornello keys rotate`",
                )
        if any(known.keyid == key.keyid for known in self.keys):
            return self
        return msgspec.structs.replace(self, keys=(*self.keys, key))

    def with_revocation(self, revocation: Revocation) -> Trust:
        """Return the file with one revocation more; of one key and log, the smallest size holds."""
        if revocation in self.revoked:
            return self
        return msgspec.structs.replace(self, revoked=(*self.revoked, revocation))


def read_trust(path: Path) -> Trust:
    """Read a file of trusted keys; one that is not there trusts nobody.

    Raises:
        TrustFileError: it cannot be read, or is not of its form, or a key in it is none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_SIZE_MAX + 1)
    except FileNotFoundError:
        return Trust()
    except OSError as error:
        raise TrustFileError(
            f"the trusted keys cannot be read: {error.strerror}", where=str(path)
        ) from error
    if len(data) > _SIZE_MAX:
        raise TrustFileError("the file of trusted keys is too long", where=str(path))
    try:
        trust = msgspec.json.decode(data, type=Trust)
        wrong = [key.name for key in trust.keys if key.public().keyid != key.keyid]
    except (msgspec.MsgspecError, UnicodeError, RecursionError, KeyFormError) as error:
        raise TrustFileError(f"not of its form: {error}", where=str(path)) from None
    if wrong:
        raise TrustFileError("a key is another one than its key id says", where=wrong[0])
    if len({key.keyid for key in trust.keys}) != len(trust.keys):
        raise TrustFileError("a key stands in it twice", where=str(path))
    return trust


def update_trust(path: Path, change: Callable[[Trust], Trust]) -> bool:
    """Change the file, one after the other: a revocation is not lost to whoever trusts a key.

    Args:
        path: the file; `.lock` behind its name is the file that is locked.
        change: returns what is to stand in it, or what it was given.

    Returns:
        Whether anything changed.

    Raises:
        TrustFileError: it cannot be read or written, or the change is none.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        lock = os.open(path.with_name(path.name + ".lock"), flags, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = read_trust(path)
        after = change(before)
        if after is not before:
            write_trust(path, after)
        return after is not before
    finally:
        os.close(lock)


def write_trust(path: Path, trust: Trust) -> None:
    """Write the file whole, or leave it as it was.

    Raises:
        TrustFileError: the disk refuses, or it would hold more than is read again.
    """
    if max(len(trust.keys), len(trust.revoked)) > _ENTRIES_MAX:
        raise TrustFileError(
            f"there are {_ENTRIES_MAX} entries already",
            where=str(path),
            hint="remove some that are of no use any more",
        )
    data = msgspec.json.format(msgspec.json.encode(trust), indent=1) + b"\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> TrustFileError:
    return TrustFileError(
        f"the trusted keys cannot be written: {error.strerror}",
        where=str(path),
        hint="make the directory writable, or name another by XDG_CONFIG_HOME",
    )
