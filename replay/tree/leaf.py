"""What a record's header becomes in the tree: a leaf under the domain of its log.

The one invariant: a header of one kind of log can never stand as a leaf of the other. The domain
prefixes end in a zero byte, so neither is a prefix of the other's data.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

__all__ = [
    "EVENT_DOMAIN",
    "WORKSPACE_DOMAIN",
    "event_leaf",
    "event_leaves",
    "workspace_leaf",
    "workspace_leaves",
]

EVENT_DOMAIN: Final = b"ritornello/event/v1\x00"
"""Stands before a header of a run's log."""

WORKSPACE_DOMAIN: Final = b"ritornello/workspace/v1\x00"
"""Stands before a header of the workspace log."""

# The leaf prefix of RFC 6962 is folded in once: one concatenation and one hash for each record.
_EVENT_PREFIX: Final = b"\x00" + EVENT_DOMAIN
_WORKSPACE_PREFIX: Final = b"\x00" + WORKSPACE_DOMAIN


def event_leaf(header: bytes) -> bytes:
    """Hashes the canonical header bytes of a run's record into its 32-byte leaf."""
    return sha256(_EVENT_PREFIX + header).digest()


def event_leaves(headers: Iterable[bytes]) -> list[bytes]:
    """Hashes the header bytes of many records, as `event_leaf` does each."""
    return [sha256(_EVENT_PREFIX + header).digest() for header in headers]


def workspace_leaf(header: bytes) -> bytes:
    """Hashes the canonical header bytes of a workspace record into its 32-byte leaf."""
    return sha256(_WORKSPACE_PREFIX + header).digest()


def workspace_leaves(headers: Iterable[bytes]) -> list[bytes]:
    """Hashes the header bytes of many records, as `workspace_leaf` does each."""
    return [sha256(_WORKSPACE_PREFIX + header).digest() for header in headers]
