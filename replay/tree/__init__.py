"""The tamper-evident tree over records: RFC 6962 roots, proofs, and checkpoint notes.

The one invariant of this room: a root names exactly one sequence of leaves, and a proof that is
accepted was made from that sequence. The room computes on bytes; it knows no record kind, no
store, no key, no clock and no file. Hash functions: SHA-256 only, as C2SP witnesses expect.
"""

from replay.tree.leaf import event_leaf, event_leaves, workspace_leaf, workspace_leaves
from replay.tree.merkle import (
    EMPTY_ROOT,
    HASH_SIZE_BYTES,
    MAX_TREE_SIZE,
    Frontier,
    leaf_hash,
    node_hash,
    root_of,
)
from replay.tree.note import Checkpoint, NoteSignature, parse_checkpoint, parse_note
from replay.tree.proofs import (
    consistency_proof,
    earlier_roots,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)

__all__ = [
    "EMPTY_ROOT",
    "HASH_SIZE_BYTES",
    "MAX_TREE_SIZE",
    "Checkpoint",
    "Frontier",
    "NoteSignature",
    "consistency_proof",
    "earlier_roots",
    "event_leaf",
    "event_leaves",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "parse_checkpoint",
    "parse_note",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
    "workspace_leaf",
    "workspace_leaves",
]
