"""Names of runs: ULIDs, whose order is the order of time."""

from __future__ import annotations

from typing import Final

from replay.errors import UsageError

__all__ = ["RUN_ID_ENTROPY_BYTES", "new_run_id"]

RUN_ID_ENTROPY_BYTES: Final = 10
# Crockford's base 32: no I, L, O, U.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_run_id(now_ms: int, entropy: bytes) -> str:
    """Return a ULID: 26 characters, 48 bits of time and 80 of entropy.

    Args:
        now_ms: milliseconds since the Unix epoch.
        entropy: 10 random bytes.

    Raises:
        UsageError: the time does not fit 48 bits, or the entropy is not 10 bytes.

    Source: https://github.com/ulid/spec.
    """
    if not 0 <= now_ms < 1 << 48 or len(entropy) != RUN_ID_ENTROPY_BYTES:
        raise UsageError("a run id takes 48 bits of time and 10 bytes of entropy")
    number = now_ms << 80 | int.from_bytes(entropy, "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
