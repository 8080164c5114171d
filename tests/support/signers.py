"""Keys for tests: made in memory, never written."""

from __future__ import annotations

from attestations.keys.private import AttestationKey, LogKey, generate, key_of

__all__ = ["attestation_key", "log_key"]


def attestation_key(name="alice", algorithm="ed25519") -> AttestationKey:
    """A fresh key that signs statements."""
    key = key_of("attestation", name, generate(algorithm))
    assert isinstance(key, AttestationKey)
    return key


def log_key(name="workspace") -> LogKey:
    """A fresh key that signs checkpoints."""
    key = key_of("log", name, generate("ed25519"))
    assert isinstance(key, LogKey)
    return key
