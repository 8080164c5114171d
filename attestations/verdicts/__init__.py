"""The four verdicts on a log, of closed values, and what is required of them.

The one invariant: a verdict is a pure function of the facts that were gathered, and no fact makes
a verdict better than what it says itself. The room reads no file, no clock and no network; who
gathers the facts, answers for them.
"""

from attestations.verdicts.facts import (
    AnchorFact,
    Facts,
    Finding,
    SignatureFact,
    WitnessFact,
)
from attestations.verdicts.judging import Verdict, Verdicts, judge
from attestations.verdicts.requirements import (
    DEFAULT_REQUIREMENTS,
    Judgement,
    Requirements,
    parse_requirements,
)

__all__ = [
    "DEFAULT_REQUIREMENTS",
    "AnchorFact",
    "Facts",
    "Finding",
    "Judgement",
    "Requirements",
    "SignatureFact",
    "Verdict",
    "Verdicts",
    "WitnessFact",
    "judge",
    "parse_requirements",
]
