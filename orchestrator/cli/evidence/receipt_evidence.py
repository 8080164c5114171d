"""Receipts and keys that a verifier names: what they are worth for the run at hand.

The one invariant: what was named must hold. A receipt of another run, or of a key that is neither
named nor trusted, is no evidence, however well it is signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from attestations.errors import EnvelopeError, StateError
from attestations.statements.envelope import ENVELOPE_SIZE_MAX, read_envelope, read_lines
from attestations.statements.run_evidence import check_receipts
from attestations.verdicts import SignatureFact
from attestations.whole_files import read_regular
from orchestrator.cli.evidence.earlier import NEVER, Earlier
from orchestrator.cli.key_verbs.listing import read_public
from orchestrator.cli.key_verbs.trusted_keys import NamedKey, statement_keys
from replay.bundle.statements import DSSE_ENVELOPE, SIGSTORE_BUNDLE, Statement
from replay.errors import NotFoundError, UsageError
from replay.tree import Checkpoint

__all__ = ["Admits", "Receipts", "Refusal", "read_receipts"]

_OVER = "verified replay"
_WRITES_ONE = "`ritornello replay RUN --receipt FILE --sign KEY` writes one"
_BEFORE = "before its key was revoked, as a head of the log that lies elsewhere shows"


Refusal: TypeAlias = Callable[[bytes], str]
"""Says of a verified receipt why policies do not let it count; empty where they do."""

Admits: TypeAlias = Callable[[Checkpoint, Earlier, Sequence[bytes]], Refusal]
"""Returns the `Refusal` for a run, among all that is said of it: policies may ask for several."""


def _any(_checkpoint: Checkpoint, _earlier: Earlier, _there: Sequence[bytes]) -> Refusal:
    return lambda _envelope: ""


class Receipts(msgspec.Struct, frozen=True, kw_only=True):
    """What was named.

    Attributes:
        files: name and bytes of each file of receipts.
        keys: keys for statements, beside those that are trusted anyway.
        admits: whether policies let a receipt count.
    """

    files: tuple[tuple[str, bytes], ...] = ()
    keys: tuple[NamedKey, ...] = ()
    admits: Admits = _any

    def refusal(
        self, checkpoint: Checkpoint, earlier: Earlier, beside: Iterable[Statement]
    ) -> Refusal:
        """Return what says of a receipt whether it counts, among these and those beside a run.

        Args:
            checkpoint: of the run, computed from the records at hand.
            earlier: whether somebody saw that a key signed something before it was revoked.
            beside: what lies beside the run.
        """
        signed = {DSSE_ENVELOPE, SIGSTORE_BUNDLE}
        named = [line for _, data in self.files for line in _lines(data)]
        there = [*named, *(each.data for each in beside if each.media_type in signed)]
        return self.admits(checkpoint, earlier, there)

    def facts(
        self, checkpoint: Checkpoint, refusal: Refusal, earlier: Earlier = NEVER
    ) -> tuple[SignatureFact, ...]:
        """Say what the receipts are worth for a run.

        Args:
            checkpoint: of the run, computed from the records at hand.
            refusal: whether policies let a receipt count.
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
                _lines(data),
                check_receipts(data, keys, checkpoint),
                check_receipts(data, revoked, checkpoint),
                strict=True,
            )
            for line, found, before in pairs:
                signer = ", ".join(known[each].name for each in (*found.signers, *before.signers))
                signed = "signed" in {found.verdict, before.verdict}
                if signed and (why := refusal(line)):
                    facts.append(SignatureFact(signer, "unknown", _OVER, f"{file}: {why}"))
                    continue
                if found.verdict == "untrusted" and before.verdict == "signed":
                    counts = tuple(
                        key for key in before.signers if earlier.statement(key, before.identity)
                    )
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
                    outcome: Literal["other", "bad"] = (
                        "other" if found.reason == "subject" else "bad"
                    )
                    facts.append(SignatureFact(signer, outcome, _OVER, said))
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


def read_receipts(files: Sequence[Path], keys: Sequence[str], admits: Admits = _any) -> Receipts:
    """Read what was named.

    Raises:
        NotFoundError: a file is not there.
        StateError: a file cannot be read, or is no receipt at all.
        UsageError: a file is too long, or a key is one for checkpoints.
        KeyFormError: a key is none.
    """
    return Receipts(
        files=tuple((str(path), _read(path)) for path in files),
        keys=tuple(_key(each) for each in keys),
        admits=admits,
    )


def _lines(data: bytes) -> tuple[bytes, ...]:
    """Return the envelopes of a file, as `check_receipts` counts them."""
    try:
        return read_lines(data)
    except EnvelopeError:
        return (data,)


def _key(named: str) -> NamedKey:
    role, name, public = read_public(named)
    if role in {"log", "witness"}:
        raise UsageError("this is a key for checkpoints", where=named, hint="--log-key takes those")
    return NamedKey(name=name or Path(named).name, public=public)


def _read(path: Path) -> bytes:
    try:
        data = read_regular(path, ENVELOPE_SIZE_MAX + 1)
    except FileNotFoundError:
        raise NotFoundError("no such receipt", where=str(path), hint=_WRITES_ONE) from None
    except OSError as error:
        raise StateError(
            f"the receipt cannot be read: {error.strerror}", where=str(path), hint=_WRITES_ONE
        ) from error
    if len(data) > ENVELOPE_SIZE_MAX:
        raise UsageError("the file is too long for receipts", where=str(path), hint=_WRITES_ONE)
    _refuse_no_receipt(data, path)
    return data


def _refuse_no_receipt(data: bytes, path: Path) -> None:
    """Refuse a file of which nothing is an envelope; one altered in part is a finding."""
    why = ""
    try:
        for line in read_lines(data):
            try:
                read_envelope(line)
            except EnvelopeError as error:
                why = why or error.message
            else:
                return
    except EnvelopeError as error:  # none, too many, or too long
        why = error.message
    raise StateError(f"{path.name} is no receipt: {why}", where=str(path), hint=_WRITES_ONE)
