"""Whether receipts of replays count as evidence here: they are artifacts, and policies decide.

A receipt is named by the digest of the checkpoint that it is about, and what is said of it is the
receipt itself: who signed it, and when. So a rule about receipts names the people whose replays
are believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.gate.decisions import decide
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

    def refusal(envelope: bytes, checkpoint: Checkpoint, earlier: Earlier) -> str:
        trust = known()
        if trust is None:
            return ""
        decision = _decided(trust, envelope, sha256(checkpoint.body()).hexdigest(), "", earlier)
        if decision.verdict == "allow":
            return ""
        return f"not admitted: {decision.reasons[0].text}; rule {decision.rule}"

    return refusal


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

    for line in read_lines(lines):
        said = read_statement(read_envelope(line).payload)
        yield _decided(trust, line, said.subject[0].digest.sha256, name, at_us=at_us)


def _decided(
    trust: TrustPolicy,
    envelope: bytes,
    digest: str,
    name: str,
    earlier: Earlier | None = None,
    at_us: int | None = None,
) -> Decision:
    from attestations.admission.facts import Artifact

    artifact = Artifact(kind="receipt", digest=digest, name=name)
    return decide(trust, artifact, [envelope], at_us=at_us, earlier=earlier)
