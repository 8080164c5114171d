"""A witness of logs: it cosigns a head only if it continues the one that it cosigned last.

The one invariant: of one log the witness never cosigns two heads that cannot both be true. What it
is about to cosign stands on its disk, durably, before there is a cosignature; what it has and what
it is asked are compared, and followed, under one lock. Whoever asks it finds the other half here;
what listens, `attestations.witness.serving`, is imported by who runs it.

Source: https://c2sp.org/tlog-witness.
"""

from attestations.witness.asking import request_cosignature
from attestations.witness.deciding import Answer, Witness
from attestations.witness.protocol import Submission, parse_cosignatures, parse_submission
from attestations.witness.state import WitnessState

__all__ = [
    "Answer",
    "Submission",
    "Witness",
    "WitnessState",
    "parse_cosignatures",
    "parse_submission",
    "request_cosignature",
]
