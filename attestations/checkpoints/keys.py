"""Public keys that verify notes, in their text form: name, key id, algorithm and key.

The one invariant: a key has one text form, and the key id in it is the one that name, algorithm
and key lead to. So a name cannot be put in front of another's key without changing the id.

Source: https://c2sp.org/signed-note (vkeys) and https://c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from attestations.errors import KeyFormError

__all__ = ["Algorithm", "VerifierKey", "parse_vkey"]

Algorithm = Literal["ed25519", "cosignature/v1"]

#: The byte that stands for each algorithm in key ids and text forms.
_BYTES: Final[dict[Algorithm, int]] = {"ed25519": 0x01, "cosignature/v1": 0x04}
_ALGORITHMS: Final[dict[int, Algorithm]] = {number: name for name, number in _BYTES.items()}

# As in `replay.tree.note`: printable ASCII without the space and the plus sign.
_NAME: Final = re.compile(r"[!-*,-~]{1,255}")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}")
_KEY_SIZE_BYTES: Final = 32
_TEXT_MAX: Final = 512
_HINT: Final = "a key reads NAME+KEYID+BASE64, as its owner published it"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name.

    Args:
        name: who signs with it; 1 to 255 printable ASCII characters, no space and no plus sign.
        public_key: the 32 bytes of an Ed25519 key.
        algorithm: ``ed25519`` signs the text of a note; ``cosignature/v1`` signs it together with
            a time, as witnesses do.

    Raises:
        KeyFormError: a field is outside these bounds.
    """

    name: str
    public_key: bytes
    algorithm: Algorithm = "ed25519"

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise _refused("a key name is not 1 to 255 printable ASCII characters without plus")
        if len(self.public_key) != _KEY_SIZE_BYTES:
            raise _refused(f"a key is {len(self.public_key)} bytes long, not {_KEY_SIZE_BYTES}")
        if self.algorithm not in _BYTES:
            raise _refused(f"there is no algorithm {self.algorithm!r}")

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that, with the name, stand in front of each signature."""
        return sha256(self.name.encode() + b"\n" + self._typed()).digest()[:4]

    def text(self) -> str:
        """Return the text form that `parse_vkey` reads."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(self._typed()).decode()}"

    def _typed(self) -> bytes:
        return bytes((_BYTES[self.algorithm],)) + self.public_key


def parse_vkey(text: str) -> VerifierKey:
    """Read the text form of a key.

    Raises:
        KeyFormError: it is not the one text form of a key of an algorithm that is known here.
    """
    pieces = text.split("+", 2) if len(text) <= _TEXT_MAX else []
    if len(pieces) != 3:
        raise _refused("a key is not three pieces with plus signs between them")
    name, key_id, blob = pieces
    if _KEY_ID.fullmatch(key_id) is None:
        raise _refused("a key id is not eight lower-case hexadecimal digits")
    try:
        typed = b64decode(blob.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _refused("a key's last piece is not base64") from None
    if b64encode(typed).decode() != blob:  # stray bits in the last character
        raise _refused("a key's last piece is not canonical base64")
    if not typed or typed[0] not in _ALGORITHMS:
        raise _refused("a key is of an algorithm that is not known here")
    key = VerifierKey(name, typed[1:], _ALGORITHMS[typed[0]])
    if key.key_id.hex() != key_id:
        raise _refused("a key's id is not the one that its name and bytes lead to")
    return key


def _refused(message: str) -> KeyFormError:
    return KeyFormError(message, hint=_HINT)
