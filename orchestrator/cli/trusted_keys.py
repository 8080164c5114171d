"""The keys for statements that the person at hand trusts, by the names they gave them."""

from __future__ import annotations

from dataclasses import dataclass

from attestations.keys.public import PublicKey
from attestations.keys.trust import read_trust
from orchestrator.cli.user_places import trust_file

__all__ = ["NamedKey", "trusted_keys"]


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A public key, and what whoever verifies calls it."""

    name: str
    public: PublicKey


def trusted_keys() -> tuple[NamedKey, ...]:
    """Return those of the trust file that are not revoked.

    Raises:
        TrustFileError: it cannot be read.
    """
    trust = read_trust(trust_file())
    revoked = {each.keyid for each in trust.revoked}
    return tuple(
        NamedKey(each.name, each.public())
        for each in trust.of_role("attestation")
        if each.keyid not in revoked
    )
