"""The keys for statements that the person at hand trusts, by the names they gave them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from attestations.keys.public import PublicKey
from attestations.keys.trust import read_trust
from orchestrator.cli.key_verbs.user_places import trust_file

__all__ = ["NamedKey", "StatementKeys", "statement_keys"]


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A public key, and what whoever verifies calls it."""

    name: str
    public: PublicKey


@dataclass(frozen=True, slots=True)
class StatementKeys:
    """Keys for statements, each once.

    Attributes:
        counting: those that count.
        revoked: those that the trust file knows, or that were named, and calls revoked.
    """

    counting: tuple[NamedKey, ...]
    revoked: tuple[NamedKey, ...]


def statement_keys(named: Iterable[NamedKey] = ()) -> StatementKeys:
    """Return those of the trust file and those that were named.

    A key that the trust file calls revoked does not count again because somebody names it.

    Raises:
        TrustFileError: it cannot be read.
    """
    trust = read_trust(trust_file())
    revoked = {each.keyid for each in trust.revoked}
    trusted = (NamedKey(each.name, each.public()) for each in trust.of_role("attestation"))
    known = {each.public.keyid: each for each in (*trusted, *named)}
    return StatementKeys(
        counting=tuple(key for keyid, key in known.items() if keyid not in revoked),
        revoked=tuple(key for keyid, key in known.items() if keyid in revoked),
    )
