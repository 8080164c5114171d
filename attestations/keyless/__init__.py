"""Statements signed by whoever an identity provider vouched for, without a key that anybody keeps.

The only room that imports sigstore, and only inside functions: importing this room loads nothing
of it. What is here is what reads: :mod:`attestations.keyless.signing` talks to services.
"""

from attestations.keyless.facts import CLAIM_NAMES, KeylessFact, KeylessIdentity, SignedTime
from attestations.keyless.root import PinnedRoot, parse_pinned_file
from attestations.keyless.verification import identify, verify

__all__ = [
    "CLAIM_NAMES",
    "KeylessFact",
    "KeylessIdentity",
    "PinnedRoot",
    "SignedTime",
    "identify",
    "parse_pinned_file",
    "verify",
]
