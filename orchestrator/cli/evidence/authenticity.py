"""Who signed the head of a run, or something about it, as far as this verifier trusts their keys.

The one invariant: a key counts because it was named on the command line or stands in the person's
own trust file; nothing that comes with a run can add one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from attestations.checkpoints import VerifierKey, checked_signatures
from attestations.verdicts import SignatureFact
from orchestrator.cli.evidence.earlier import EarlierSigning, never
from orchestrator.cli.key_verbs.trusted_keys import NamedKey, statement_keys
from orchestrator.cli.key_verbs.user_places import trust_file
from replay.bundle.statements import DSSE_ENVELOPE, Statement
from replay.tree import Checkpoint, NoteSignature

__all__ = ["note_facts", "statement_facts"]

#: What is said of a revoked key's signature, by whether somebody saw it before.
_REVOKED: Final = {
    True: "before its key was revoked, as a head of the log that lies elsewhere shows",
    False: "its key is revoked, and nobody saw before that it signed this",
}


def note_facts(
    checkpoint: Checkpoint,
    signatures: Sequence[NoteSignature],
    keys: Sequence[VerifierKey],
    witnesses: Sequence[VerifierKey],
) -> tuple[SignatureFact, ...]:
    """Say what the signature lines of a checkpoint's note are worth.

    Args:
        checkpoint: the head, computed from the records at hand.
        signatures: the lines.
        keys: log keys that were named.
        witnesses: keys whose lines are not judged here.
    """
    if not signatures:
        return ()
    known = _log_keys(keys)
    elsewhere = {(each.name, each.key_id) for each in witnesses}
    lines = [each for each in signatures if (each.name, each.key_id) not in elsewhere]
    return tuple(
        SignatureFact(each.name, each.outcome, message=each.problem, key=each.key_id)
        for each in checked_signatures(checkpoint.body(), lines, known)
    )


def statement_facts(
    checkpoint: Checkpoint,
    statements: Iterable[Statement],
    named: Sequence[NamedKey] = (),
    earlier: EarlierSigning = never,
) -> tuple[SignatureFact, ...]:
    """Say what the signed statements beside a run are worth as statements about this head.

    Args:
        checkpoint: the head, computed from the records at hand.
        statements: what lies beside the run.
        named: keys for statements that were named, beside those that are trusted.
        earlier: whether somebody saw that a key signed something before it was revoked.
    """
    envelopes = [each.data for each in statements if each.media_type == DSSE_ENVELOPE]
    if not envelopes:
        return ()
    from attestations.statements.checking import check_statement
    from attestations.statements.run_evidence import subject_of

    trusted = statement_keys(named)
    names = {each.public.keyid: each.name for each in (*trusted.counting, *trusted.revoked)}
    keys = [each.public for each in trusted.counting]
    revoked = [each.public for each in trusted.revoked]
    subject = subject_of(checkpoint)
    facts: list[SignatureFact] = []
    for envelope in envelopes:
        found = check_statement(envelope, keys, subject)
        if found.verdict == "untrusted" and revoked:
            before = check_statement(envelope, revoked, subject)
            if before.verdict == "signed":
                over = before.predicate_type
                for key in before.signers:
                    seen = earlier(key, before.identity)
                    facts.append(
                        SignatureFact(
                            names[key], "good" if seen else "unknown", over, _REVOKED[seen], key
                        )
                    )
                continue
        over = found.predicate_type or f"statement {sha256(envelope).hexdigest()[:12]}"
        if found.verdict == "signed":
            facts += [
                SignatureFact(names[signer], "good", over, key=signer) for signer in found.signers
            ]
        elif found.verdict == "untrusted" or found.reason == "form":
            # Anybody can put bytes beside a run: they say nothing, and nothing against it.
            facts.append(SignatureFact("somebody", "unknown", over, found.message))
        else:
            signer = ", ".join(names[each] for each in found.signers) or "a trusted key"
            facts.append(SignatureFact(signer, "bad", over, found.message))
    return tuple(facts)


def _log_keys(named: Sequence[VerifierKey]) -> list[VerifierKey]:
    """Return the log keys that count: named or in the trust file, and not revoked there."""
    from attestations.keys.public import PublicKey
    from attestations.keys.trust import read_trust

    trust = read_trust(trust_file())
    trusted = [VerifierKey(each.name, each.public().raw()) for each in trust.of_role("log")]
    revoked = {each.keyid for each in trust.revoked}
    known = dict.fromkeys([*named, *trusted])
    return [key for key in known if PublicKey.from_raw(key.public_key).keyid not in revoked]
