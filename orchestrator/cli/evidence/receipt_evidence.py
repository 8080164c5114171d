"""Receipts and keys that a verifier names: what they are worth for the run at hand.

The one invariant: what was named must hold. A receipt of another run, or of a key that is neither
named nor trusted, is no evidence, however well it is signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from attestations.statements.envelope import ENVELOPE_SIZE_MAX
from attestations.statements.run_evidence import check_receipts
from attestations.verdicts import SignatureFact
from orchestrator.cli.evidence.earlier import EarlierSigning, never
from orchestrator.cli.key_verbs.listing import read_public
from orchestrator.cli.key_verbs.trusted_keys import NamedKey, statement_keys
from replay.errors import NotFoundError, UsageError
from replay.tree import Checkpoint

__all__ = ["Receipts", "read_receipts"]

_OVER = "verified replay"
_BEFORE = "before its key was revoked, as a head of the log that lies elsewhere shows"


class Receipts(msgspec.Struct, frozen=True, kw_only=True):
    """What was named.

    Attributes:
        files: name and bytes of each file of receipts.
        keys: keys for statements, beside those that are trusted anyway.
    """

    files: tuple[tuple[str, bytes], ...] = ()
    keys: tuple[NamedKey, ...] = ()

    def facts(
        self, checkpoint: Checkpoint, earlier: EarlierSigning = never
    ) -> tuple[SignatureFact, ...]:
        """Say what the receipts are worth for a run.

        Args:
            checkpoint: of the run, computed from the records at hand.
            earlier: whether somebody saw that a key signed something before it was revoked.
        """
        if not self.files:
            return ()
        trusted = statement_keys(self.keys)
        known = {each.public.keyid: each for each in (*trusted.counting, *trusted.revoked)}
        keys = [each.public for each in trusted.counting]
        revoked = [each.public for each in trusted.revoked]
        facts: list[SignatureFact] = []
        for file, data in self.files:
            pairs = zip(
                check_receipts(data, keys, checkpoint),
                check_receipts(data, revoked, checkpoint),
                strict=True,
            )
            for found, before in pairs:
                if found.verdict == "untrusted" and before.verdict == "signed":
                    counts = tuple(key for key in before.signers if earlier(key, before.identity))
                    if counts:
                        facts += [
                            SignatureFact(known[key].name, "good", _OVER, _BEFORE, key)
                            for key in counts
                        ]
                        continue
                names = [known[signer].name for signer in found.signers]
                if found.verdict == "signed":
                    facts += [
                        SignatureFact(known[signer].name, "good", _OVER, key=signer)
                        for signer in found.signers
                    ]
                    continue
                said, signer = f"{file}: {found.message}", ", ".join(names) or "somebody"
                if found.verdict == "untrusted":
                    facts.append(SignatureFact(signer, "unknown", _OVER, said))
                else:
                    facts.append(SignatureFact(signer, "bad", _OVER, said))
        return tuple(facts)

    def unmet(self, facts: Iterable[SignatureFact]) -> list[str]:
        """Return the options of which not all that was named holds."""
        given = tuple(facts)
        receipts = [each.outcome for each in given if each.over == _OVER]
        good = bool(receipts) and set(receipts) == {"good"}
        missing = ["--receipt"] if self.files and not good else []
        signed = {each.key for each in given if each.outcome == "good"}
        if self.keys and not signed & {each.public.keyid for each in self.keys}:
            missing.append("--key")
        return missing


def read_receipts(files: Sequence[Path], keys: Sequence[str]) -> Receipts:
    """Read what was named.

    Raises:
        NotFoundError: a file is not there.
        UsageError: a file is too long, or a key is one for checkpoints.
        KeyFormError: a key is none.
    """
    return Receipts(
        files=tuple((str(path), _read(path)) for path in files),
        keys=tuple(_key(each) for each in keys),
    )


def _key(named: str) -> NamedKey:
    role, name, public = read_public(named)
    if role == "log":
        raise UsageError("this is a key for checkpoints", where=named, hint="--log-key takes those")
    return NamedKey(name=name or Path(named).name, public=public)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(ENVELOPE_SIZE_MAX + 1)
    except FileNotFoundError:
        raise NotFoundError("no such receipt", where=str(path)) from None
    if len(data) > ENVELOPE_SIZE_MAX:
        raise UsageError("the file is too long for receipts", where=str(path))
    return data
