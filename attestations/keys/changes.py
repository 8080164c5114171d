"""One key hands over to another: the text that both sign, and whether they did.

The one invariant: a change holds for one workspace's log, one use and one place in it, and only
with both signatures. The old key alone could hand over to a thief's; the new one alone could take
over from anybody.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

from attestations.errors import KeyFormError
from attestations.keys.private import CHANGE_START, AttestationKey, KeyRole, LogKey
from attestations.keys.public import PublicKey
from replay.events.workspace_kinds import KeyRotated

__all__ = ["change_text", "check_rotation", "rotate"]


def change_text(origin: str, size: int, role: str, old: PublicKey, new: PublicKey) -> bytes:
    """Return what both keys sign.

    Args:
        origin: that of the workspace's log.
        size: number of its records at that moment.
        role: what both keys are for.
        old: the key that ends.
        new: the key that follows.
    """
    return CHANGE_START + f"{origin}\n{size}\n{role}\n{old.keyid}\n{new.keyid}\n".encode()


def rotate(
    origin: str, size: int, old: AttestationKey | LogKey, new: AttestationKey | LogKey
) -> KeyRotated:
    """Make the record of a change.

    Raises:
        KeyFormError: the keys are of different uses, or one key.
    """
    role: KeyRole = old.role
    if new.role != role or type(old) is not type(new):
        raise KeyFormError(f"a key for {role} hands over to one of its kind", where=new.name)
    if old.public == new.public:
        raise KeyFormError("a key cannot hand over to itself", where=old.name)
    text = change_text(origin, size, role, old.public, new.public)
    return KeyRotated(
        role=role,
        old=b64encode(old.public.spki).decode(),
        new=b64encode(new.public.spki).decode(),
        size=size,
        old_signature=b64encode(old.sign_change(text)).decode(),
        new_signature=b64encode(new.sign_change(text)).decode(),
    )


def check_rotation(change: KeyRotated, origin: str, seq: int) -> tuple[PublicKey, PublicKey]:
    """Return the old and the new key of a record that holds.

    Args:
        change: the record's payload, hostile.
        origin: of the log it stands in.
        seq: its position there.

    Raises:
        KeyFormError: a key is none, it is one key, a signature does not hold, or it was signed for
            a later place of the log.
    """
    where = f"workspace record {seq}"
    try:
        old = PublicKey.from_spki(b64decode(change.old, validate=True))
        new = PublicKey.from_spki(b64decode(change.new, validate=True))
        signatures = [
            b64decode(each, validate=True) for each in (change.old_signature, change.new_signature)
        ]
    except (binascii.Error, ValueError) as error:
        raise KeyFormError("a key or a signature is not base64", where=where) from error
    if old == new or not 0 <= change.size <= seq:
        raise KeyFormError("the change is of one key, or for another place", where=where)
    text = change_text(origin, change.size, change.role, old, new)
    for key, signature in zip((old, new), signatures, strict=True):
        if not key.verifies(signature, text):
            raise KeyFormError("a signature of the change does not hold", where=where)
    return old, new
