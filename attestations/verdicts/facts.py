"""What was found out about a log, before anything is concluded from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["AnchorFact", "Facts", "Finding", "SignatureFact", "WitnessFact"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One named result.

    Args:
        code: a stable word for its class, such as ``header`` or ``not-captured``.
        message: what was found, for people.
        seq: the record that it is about; None when it is about the log as a whole.
    """

    code: str
    message: str
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class SignatureFact:
    """What became of one signature over the log's head, or over a statement about it.

    Args:
        signer: who is said to have made it; a claim unless the outcome is ``good``.
        outcome: ``good`` under a key that the verifier trusts for this; ``bad``, under such a key
            and not holding; ``other``, good under such a key, but about something else, such as
            another run; ``unknown``, of a key that the verifier does not trust.
        over: what was signed, such as ``checkpoint`` or a predicate type.
        message: why it is bad, or anything else to be said; may be empty.
        key: id of the key under which it is good; names are not unique. Empty where there is none.
    """

    signer: str
    outcome: Literal["good", "bad", "other", "unknown"]
    over: str = "checkpoint"
    message: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class AnchorFact:
    """How the log's head compares with something that is kept elsewhere.

    Args:
        kind: ``pin``, a head in a file that the verifier named; ``memory``, the head that this
            verifier saw before; ``time-stamp``, a signed time over this head.
        outcome: ``holds``; ``conflict``, both cannot be true of one log; ``none``, it says nothing
            about this head, and the message says why.
        message: what was compared, for people.
        source: the file that was named for it; empty if none was.
    """

    kind: Literal["pin", "memory", "time-stamp"]
    outcome: Literal["holds", "conflict", "none"]
    message: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class WitnessFact:
    """A cosignature of this head under the key of a witness that the verifier named.

    Args:
        name: the witness.
        public_key: hex of its key, by which witnesses are counted.
        outcome: ``good``, ``bad``, or ``absent`` if it did not cosign this head.
        time_s: when it says that it did, in seconds since 1970.
    """

    name: str
    public_key: str
    outcome: Literal["good", "bad", "absent"]
    time_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that was found out about one log.

    Args:
        unread: whether its records could not be read at all, so that nothing is known of them.
        problems: what is wrong with its bytes, in log order.
        omitted: how many more there are.
        sealed: whether its last record is its seal.
        truncated: whether a head beside it knows of more records than are there.
        missing: whether records, or parts without a stated reason, are not there.
        gaps: what its own records say was not captured, and requests that have no outcome.
        signatures: over its head, and over statements about it.
        anchors: pins, what was seen before, and time stamps.
        witnesses: one for each witness that the verifier named.
        threshold: how many of these are enough; 0 if none was asked for.
    """

    unread: bool = False
    problems: tuple[Finding, ...] = ()
    omitted: int = 0
    sealed: bool
    truncated: bool = False
    missing: bool = False
    gaps: tuple[Finding, ...] = ()
    signatures: tuple[SignatureFact, ...] = ()
    anchors: tuple[AnchorFact, ...] = ()
    witnesses: tuple[WitnessFact, ...] = ()
    threshold: int = 0
