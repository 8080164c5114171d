"""Who signed the head of a run, or something about it, as far as this verifier trusts their keys.

The one invariant: a key counts because it was named on the command line or stands in the person's
own trust file; nothing that comes with a run can add one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final, Literal

from attestations.checkpoints import VerifierKey, checked_signatures
from attestations.verdicts import SignatureFact
from orchestrator.cli.evidence.earlier import NEVER, Earlier
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

_REVOKED_LOG: Final = {
    True: "its key is revoked, and this head stood in the log before, as a head of that log which"
    " lies elsewhere shows",
    False: "its key is revoked, and nobody saw this head in the log before",
}


def note_facts(
    checkpoint: Checkpoint,
    signatures: Sequence[NoteSignature],
    keys: Sequence[VerifierKey],
    witnesses: Sequence[VerifierKey],
    earlier: Earlier = NEVER,
) -> tuple[SignatureFact, ...]:
    """Say what the signature lines of a checkpoint's note are worth.

    Args:
        checkpoint: the head, computed from the records at hand.
        signatures: the lines.
        keys: log keys that were named.
        witnesses: keys whose lines are not judged here.
        earlier: whether somebody saw this head before a key was revoked.
    """
    if not signatures:
        return ()
    known, revoked = _log_keys(keys)
    elsewhere = {(each.name, each.key_id) for each in witnesses}
    lines = [each for each in signatures if (each.name, each.key_id) not in elsewhere]
    facts: list[SignatureFact] = []
    ended = checked_signatures(checkpoint.body(), lines, list(revoked))
    for each, late in zip(checked_signatures(checkpoint.body(), lines, known), ended, strict=True):
        if late.outcome == "good":
            (keyid,) = (
                public for key, public in revoked.items() if _named(key) == (late.name, late.key_id)
            )
            seen = earlier.checkpoint(keyid, checkpoint)
            worth: Literal["good", "unknown"] = "good" if seen else "unknown"
            facts.append(
                SignatureFact(each.name, worth, message=_REVOKED_LOG[seen], key=each.key_id)
            )
        else:
            facts.append(
                SignatureFact(each.name, each.outcome, message=each.problem, key=each.key_id)
            )
    return tuple(facts)


def statement_facts(
    checkpoint: Checkpoint,
    statements: Iterable[Statement],
    named: Sequence[NamedKey] = (),
    earlier: Earlier = NEVER,
    refusal: Callable[[bytes], str] = lambda _: "",
) -> tuple[SignatureFact, ...]:
    """Say what the signed statements beside a run are worth as statements about this head.

    Args:
        checkpoint: the head, computed from the records at hand.
        statements: what lies beside the run.
        named: keys for statements that were named, beside those that are trusted.
        earlier: whether somebody saw that a key signed something before it was revoked.
        refusal: whether policies let a receipt count.
    """
    envelopes = [each.data for each in statements if each.media_type == DSSE_ENVELOPE]
    if not envelopes:
        return ()
    from attestations.statements.checking import check_statement
    from attestations.statements.predicates import REPLAY
    from attestations.statements.run_evidence import subject_of

    trusted = statement_keys(named)
    names = {each.public.keyid: each.name for each in (*trusted.counting, *trusted.revoked)}
    keys = [each.public for each in trusted.counting]
    revoked = [each.public for each in trusted.revoked]
    subject = subject_of(checkpoint)
    facts: list[SignatureFact] = []
    for envelope in envelopes:
        found = check_statement(envelope, keys, subject)
        before = None
        if found.verdict == "untrusted" and revoked:
            before = check_statement(envelope, revoked, subject)
        said = before if before is not None and before.verdict == "signed" else found
        is_receipt = said.verdict == "signed" and said.predicate_type == REPLAY
        if is_receipt and (why := refusal(envelope)):
            signer = ", ".join(names[each] for each in said.signers)
            facts.append(SignatureFact(signer, "unknown", REPLAY, why))
            continue
        if said is before:
            for key in said.signers:
                seen = earlier.statement(key, said.identity)
                outcome: Literal["good", "unknown"] = "good" if seen else "unknown"
                facts.append(
                    SignatureFact(names[key], outcome, said.predicate_type, _REVOKED[seen], key)
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
            not_so: Literal["other", "bad"] = "other" if found.reason == "subject" else "bad"
            facts.append(SignatureFact(signer, not_so, over, found.message))
    return tuple(facts)


def _log_keys(
    named: Sequence[VerifierKey],
) -> tuple[list[VerifierKey], dict[VerifierKey, str]]:
    """Return the log keys that are named or in the trust file, and those revoked there, with id."""
    from attestations.keys.public import PublicKey
    from attestations.keys.trust import read_trust

    trust = read_trust(trust_file())
    trusted = [VerifierKey(each.name, each.public().raw()) for each in trust.of_role("log")]
    ended = {each.keyid for each in trust.revoked}
    known = {key: PublicKey.from_raw(key.public_key).keyid for key in (*named, *trusted)}
    revoked = {key: keyid for key, keyid in known.items() if keyid in ended}
    return [key for key in known if key not in revoked], revoked


def _named(key: VerifierKey) -> tuple[str, str]:
    return key.name, key.key_id.hex()
