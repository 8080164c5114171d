"""Whether receipts of replays count as evidence here: they are artifacts, and policies decide.

A receipt is named by the digest of the checkpoint that it is about, and what is said of it is the
receipt itself: who signed it, and when. So a rule about receipts names the people whose replays
are believed. How many of them are enough is asked of all receipts of a run together, in whichever
files they lie, as it is where a rule about bundles asks for receipts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.gate.decisions import gather, now_us
from orchestrator.cli.gate.trust_layers import trust_here

if TYPE_CHECKING:
    from attestations.admission.decision import Decision
    from attestations.admission.layers import TrustPolicy
    from orchestrator.cli.evidence.earlier import Earlier
    from orchestrator.cli.evidence.receipt_evidence import Admits
    from replay.tree import Checkpoint

__all__ = ["decide_receipts", "receipts_admitted"]


def receipts_admitted(option: str | None = None) -> Admits:
    """Return what says why a receipt may not count here, and nothing where it may.

    Args:
        option: a policy that the command line pins; others are read when a receipt is asked about.

    Raises:
        PolicyError: a policy cannot be read.
        AdmissionError: it is not the one that was pinned.
    """
    known = cache(lambda: trust_here(Path.cwd(), option))
    if option is not None:
        known()  # what is named is read, also where no receipt is

    def among(
        checkpoint: Checkpoint, earlier: Earlier, there: Sequence[bytes]
    ) -> Callable[[bytes], str]:
        digest = sha256(checkpoint.body()).hexdigest()

        @cache
        def decider() -> Callable[[bytes], Decision] | None:
            trust = known()
            return None if trust is None else _decider(trust, there, digest, "", earlier)

        def refusal(envelope: bytes) -> str:
            decide = decider()
            decision = None if decide is None else decide(envelope)
            if decision is None or decision.verdict == "allow":
                return ""
            return f"not admitted: {decision.reasons[0].text}; rule {decision.rule}"

        return refusal

    return among


def decide_receipts(
    trust: TrustPolicy, lines: bytes, name: str, at_us: int | None = None
) -> Iterator[Decision]:
    """Decide about each line of a file of receipts, for the checkpoint that it says to be about.

    Raises:
        EnvelopeError: a line is no envelope.
        StatementError: it holds no statement.
    """
    from attestations.statements.envelope import read_envelope, read_lines
    from attestations.statements.statement import read_statement

    there = read_lines(lines)
    decider = cache(lambda digest: _decider(trust, there, digest, name, at_us=at_us))
    for line in there:
        said = read_statement(read_envelope(line).payload)
        yield decider(said.subject[0].digest.sha256)(line)


def _decider(
    trust: TrustPolicy,
    there: Sequence[bytes],
    digest: str,
    name: str,
    earlier: Earlier | None = None,
    at_us: int | None = None,
) -> Callable[[bytes], Decision]:
    """Return what decides about one of the envelopes that there are about a checkpoint."""
    from attestations.admission.facts import Artifact
    from attestations.admission.receipts import receipt_decider

    artifact = Artifact(kind="receipt", digest=digest, name=name)
    about = gather(trust, artifact, there, earlier)
    decided = receipt_decider(trust, about, now_us() if at_us is None else at_us)
    return lambda envelope: decided(gather(trust, artifact, [envelope], earlier).statements)
