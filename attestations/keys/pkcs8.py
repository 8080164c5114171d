"""Encrypted PKCS#8 with scrypt, which the library at hand reads and does not write.

`cryptography` writes PKCS#8 under PBKDF2 with 2048 rounds, which a stolen file answers to at
millions of guesses a second. This is the same container (PBES2 of RFC 8018) with scrypt of
RFC 7914 and AES-256-CBC, as `openssl pkcs8 -scrypt` writes; every reader of PKCS#8 that knows
scrypt opens it, `cryptography` and OpenSSL among them.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import scrypt
from typing import Final

__all__ = ["LABEL", "SALT_BYTES", "encrypted_pem"]

#: Cost: 16 MiB of memory, five times over, for each guess; OpenSSL refuses more memory than 32 MiB.
_N: Final = 1 << 14
_R: Final = 8
_P: Final = 5
_MEMORY_MAX: Final = 64 << 20
SALT_BYTES: Final = 16
LABEL: Final = b"ENCRYPTED PRIVATE KEY"
_IV_BYTES: Final = 16

_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT: Final = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC: Final = bytes.fromhex("060960864801650304012a")


def encrypted_pem(private_der: bytes, passphrase: bytes, salt: bytes, iv: bytes) -> bytes:
    """Return an unencrypted PKCS#8 key as encrypted PEM.

    Args:
        private_der: PKCS#8 DER of the key.
        passphrase: what opens it; at least one byte.
        salt: 16 fresh random bytes.
        iv: 16 fresh random bytes.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    assert passphrase
    assert len(salt) == SALT_BYTES
    assert len(iv) == _IV_BYTES
    key = scrypt(passphrase, salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY_MAX, dklen=32)
    padder = PKCS7(128).padder()
    padded = padder.update(private_der) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    content = encryptor.update(padded) + encryptor.finalize()
    kdf = _sequence(
        _SCRYPT, _sequence(_tagged(4, salt), _integer(_N), _integer(_R), _integer(_P), _integer(32))
    )
    cipher = _sequence(_AES_256_CBC, _tagged(4, iv))
    der = _sequence(_sequence(_PBES2, _sequence(kdf, cipher)), _tagged(4, content))
    text = b64encode(der)
    body = b"\n".join(text[n : n + 64] for n in range(0, len(text), 64))
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (LABEL, body, LABEL)


def _tagged(tag: int, content: bytes) -> bytes:
    """Write one DER value."""
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 | len(length))) + length + content


def _sequence(*members: bytes) -> bytes:
    return _tagged(0x30, b"".join(members))


def _integer(value: int) -> bytes:
    return _tagged(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))
