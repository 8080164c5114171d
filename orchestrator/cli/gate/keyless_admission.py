"""Sigstore bundles among the statements about an artifact, put into the words of policies.

The one invariant: the Sigstore that is believed is pinned in the person's own configuration
directory; neither a project nor an artifact can bring one. Whether a signer counts is the policy's
affair, which names subject and issuer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from orchestrator.cli.key_verbs.user_places import config_directory

if TYPE_CHECKING:
    from attestations.admission.facts import Artifact, StatementFact
    from attestations.admission.gathering import Sights
    from attestations.keyless import KeylessFact, PinnedRoot

__all__ = ["SIGSTORE_PIN", "keyless_check", "keyless_signed"]

SIGSTORE_PIN: Final = "sigstore.pin"
"""One line, `FILE@sha256:HEX`: the trusted root, in or relative to the configuration directory."""

_MARK: Final = b'"verificationMaterial"'


def keyless_check(seen: Sights) -> Callable[[bytes, Artifact], StatementFact | None]:
    """Return what checks a Sigstore bundle for an artifact; without a pin it knows none.

    Args:
        seen: who saw that a key, here that of the certificate, had signed a statement.

    Raises:
        KeylessError: the pin, or the root that it names, cannot be read or is another one.
    """
    root = _pinned_root()
    if root is None:
        return lambda _data, _artifact: None
    from attestations.errors import KeylessError, StatementError
    from attestations.keyless import identify

    def check(data: bytes, artifact: Artifact) -> StatementFact | None:
        if _MARK not in data:
            return None  # an envelope, for which keys are tried
        try:
            fact = identify(data, root)
            return _fact(fact, artifact, seen) if fact.is_about(artifact.digest) else None
        except (KeylessError, StatementError):
            return None

    return check


def keyless_signed() -> Callable[[bytes], bool]:
    """Return what says whether bytes are a Sigstore bundle that holds; errors as above."""
    root = _pinned_root()
    if root is None:
        return lambda _data: False
    from attestations.errors import KeylessError, StatementError
    from attestations.keyless import identify

    def holds(data: bytes) -> bool:
        try:
            return bool(identify(data, root).payload)
        except (KeylessError, StatementError):
            return False

    return holds


def _pinned_root() -> PinnedRoot | None:
    place = config_directory() / SIGSTORE_PIN
    if not os.path.lexists(place):
        return None
    from attestations.keyless import PinnedRoot, parse_pinned_file
    from attestations.keyless.root import read_bounded

    line = read_bounded(place, "the pin of a Sigstore", 4096).decode("utf-8", "replace").strip()
    path, digest = parse_pinned_file(line)
    return PinnedRoot.read(place.parent / path.expanduser(), digest)


def _fact(found: KeylessFact, artifact: Artifact, seen: Sights) -> StatementFact:
    """Return a verified bundle as a policy sees it.

    Raises:
        StatementError: its predicate is one of ours and is not of its form.
    """
    import msgspec

    from attestations.admission.facts import KeylessSigner, Seen
    from attestations.admission.gathering import fact_of
    from attestations.statements.checking import StatementFact as Checked
    from attestations.statements.predicates import read_predicate
    from attestations.statements.provenance import PROVENANCE, read_provenance
    from attestations.statements.statement import Digests, Subject, read_statement

    statement = read_statement(found.payload)
    provenance = statement.predicate_type == PROVENANCE
    checked = Checked(
        verdict="signed",
        identity=found.payload_sha256,
        predicate_type=found.predicate_type,
        subject=Subject(digest=Digests(sha256=artifact.digest)),
        said=read_provenance(statement) if provenance else read_predicate(statement),
    )
    signer = KeylessSigner(issuer=found.issuer, identity=found.subject, claims=found.claims)
    stamped = Seen(how="timestamped", time_us=found.time_us)
    sights = (stamped, *seen(found.key_sha256, found.payload_sha256))
    fact = fact_of(checked, sights)
    # A predicate of others' does not say to us when it was made; the log or the clock does.
    issued_us = found.time_us if fact.issued_us is None else fact.issued_us
    return msgspec.structs.replace(fact, signers=(signer,), issued_us=issued_us)
