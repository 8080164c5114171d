"""Sigstore bundles beside a run, as far as this verifier trusts a Sigstore and an identity in it.

The one invariant: only the root whose digest and the identity which the verifier named can make a
signature good. A bundle that somebody else signed, or that does not hold, says nothing about the
run and nothing against it: anybody can put one there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from attestations.errors import KeylessError, StatementError
from attestations.statements.predicates import REPLAY
from attestations.verdicts import AnchorFact, SignatureFact
from orchestrator.cli.terminal import inert
from replay.bundle.statements import SIGSTORE_BUNDLE, Statement
from replay.errors import UsageError
from replay.tree import Checkpoint

if TYPE_CHECKING:
    from attestations.keyless import KeylessFact, KeylessIdentity, PinnedRoot

__all__ = ["KeylessTrust", "keyless_facts", "read_keyless_trust"]

BUNDLES_MAX: Final = 64
"""Most bundles that are looked into: each costs milliseconds."""


class KeylessTrust(msgspec.Struct, frozen=True, kw_only=True):
    """Which Sigstore a verifier believes, and whose signature it wants.

    Attributes:
        root: its trusted root; None if it believes none.
        identity: who has to have signed; None if nobody in particular.
    """

    root: PinnedRoot | None = None
    identity: KeylessIdentity | None = None

    def unmet(self, signatures: Iterable[SignatureFact]) -> list[str]:
        """Return the option that named somebody who has not signed."""
        if self.identity is None:
            return []
        wanted = _called(self.identity.subject, self.identity.issuer)
        signed = any(each.outcome == "good" and each.signer == wanted for each in signatures)
        return [] if signed else ["--identity"]


def read_keyless_trust(root: str, subject: str, issuer: str) -> KeylessTrust:
    """Read what the options of `verify` name; empty texts are options that were not given.

    Raises:
        UsageError: they do not go together, or the root has no digest.
        KeylessError: the root is not the one that was pinned.
        NotInstalledError: sigstore is not installed.
    """
    if bool(subject) != bool(issuer) or (subject and not root):
        raise UsageError(
            "somebody who signs without a key is named by subject, issuer and root",
            hint="give --trusted-root, --identity and --issuer together",
        )
    if not root:
        return KeylessTrust()
    from attestations.keyless import KeylessIdentity, PinnedRoot, parse_pinned_file
    from attestations.keyless.library import require_sigstore

    require_sigstore()
    try:
        path, digest = parse_pinned_file(root)
        identity = KeylessIdentity(subject=subject, issuer=issuer) if subject else None
    except KeylessError as error:
        raise UsageError(error.message, where=error.where, hint=error.hint) from None
    return KeylessTrust(root=PinnedRoot.read(path, digest), identity=identity)


def keyless_facts(
    checkpoint: Checkpoint,
    statements: Iterable[Statement],
    trust: KeylessTrust,
    refusal: Callable[[bytes], str] = lambda _: "",
) -> tuple[tuple[SignatureFact, ...], tuple[AnchorFact, ...]]:
    """Say what the Sigstore bundles beside a run are worth as statements about this head.

    Args:
        checkpoint: the head, computed from the records at hand.
        statements: all that lies beside the run.
        trust: whom the verifier believes.
        refusal: why policies do not let a receipt among them count; empty where they do.
    """
    bundles = [each.data for each in statements if each.media_type == SIGSTORE_BUNDLE]
    signatures: list[SignatureFact] = []
    anchors: list[AnchorFact] = []
    for bundle in bundles[:BUNDLES_MAX]:
        signature, fact = _judged(bundle, checkpoint, trust)
        if signature.outcome == "good" and signature.over == REPLAY and (why := refusal(bundle)):
            signature = SignatureFact(signature.signer, "unknown", REPLAY, why)
        signatures.append(signature)
        if signature.outcome == "good" and fact is not None:
            anchors.append(AnchorFact("time-stamp", "holds", _time(fact)))
    if bundles[BUNDLES_MAX:]:
        message = f"{len(bundles) - BUNDLES_MAX} more Sigstore bundles were not looked into"
        signatures.append(SignatureFact("somebody", "unknown", "Sigstore bundle", message))
    return tuple(signatures), tuple(anchors)


def _judged(
    bundle: bytes, checkpoint: Checkpoint, trust: KeylessTrust
) -> tuple[SignatureFact, KeylessFact | None]:
    over = f"Sigstore bundle {sha256(bundle).hexdigest()[:12]}"
    if trust.root is None:
        message = "not verified: --trusted-root FILE@sha256:HEX names the Sigstore to believe"
        return SignatureFact("somebody", "unknown", over, message), None
    from attestations.keyless import identify, verify

    try:
        fact = identify(bundle, trust.root)
    except (KeylessError, StatementError) as error:
        return SignatureFact("somebody", "unknown", over, inert(error.message, 300)), None
    signer = _called(fact.subject, fact.issuer)
    if trust.identity is None:
        message = f"signed by {inert(signer)}: --identity and --issuer name whom to trust"
        return SignatureFact("somebody", "unknown", fact.predicate_type, message), fact
    try:
        fact = verify(bundle, trust.root, trust.identity)
    except KeylessError:
        message = f"signed by {inert(signer)}, whom nothing here trusts"
        return SignatureFact("somebody", "unknown", fact.predicate_type, message), fact
    if not fact.is_about(sha256(checkpoint.body()).hexdigest()):
        named = ", ".join(sorted(each[:16] for each in fact.subjects)[:3])
        message = f"it is about sha256 {named}"
        return SignatureFact(signer, "other", fact.predicate_type, message), fact
    return SignatureFact(signer, "good", fact.predicate_type), fact


def _called(subject: str, issuer: str) -> str:
    """Return how a signer is called; the issuer is part of who they are."""
    return f"{subject} of {issuer}"


def _time(fact: KeylessFact) -> str:
    at = datetime.fromtimestamp(fact.time_us // 1_000_000, UTC).isoformat()
    return f"there at {at}, in log {inert(fact.log_origin)} at {fact.log_index}"
