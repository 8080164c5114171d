"""The RFC 6962 Merkle tree over SHA-256: leaf, node, root, and the state that appends.

The one invariant: leaves and inner nodes are hashed under different prefixes, so that no sequence
of leaves has the root of another. Everything here above `leaf_hash` works on leaf *hashes* of 32
bytes, never on leaf data; a value of another length is refused.

Source: RFC 9162 section 2.1 (same tree as RFC 6962).
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, Self

from replay.errors import ProofError

__all__ = [
    "EMPTY_ROOT",
    "HASH_SIZE_BYTES",
    "MAX_TREE_SIZE",
    "Frontier",
    "check_hashes",
    "leaf_hash",
    "node_hash",
    "root_of",
]

HASH_SIZE_BYTES: Final = 32
"""Length of every leaf, node and root."""

EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of the tree without leaves."""

MAX_TREE_SIZE: Final = 2**63 - 1
"""The largest number of leaves; other readers of checkpoints keep it in a signed 64-bit integer."""


def leaf_hash(data: bytes) -> bytes:
    """Hashes leaf data: SHA-256 over a zero byte and the data."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hashes two children into their parent: SHA-256 over a one byte, left and right."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Computes the root of a finished sequence of leaf hashes.

    Pairs level by level; the odd one out rises unchanged, which is the tree of RFC 6962. It shares
    no step with `Frontier`, so that each can be tested against the other.

    Shape:
        leaves: 32-byte leaf hashes in log order, repetition allowed.

    Raises:
        ProofError: A leaf is not 32 bytes long.

    Complexity: one node hash for each leaf but one; memory for all leaves.
    """
    level = list(leaves)
    check_hashes(level, what="leaf")
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)  # an odd last one is added below
        above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        if len(level) & 1:
            above.append(level[-1])
        level = above
    return level[0]


class Frontier:
    """The roots of the perfect subtrees along the right edge: all that appending needs.

    One frontier has one writer. It holds at most 63 hashes: one for each bit set in its size,
    largest subtree first. It is not a proof: a stored state is trusted as far as its file, and a
    reader compares `root()` with a checkpoint.
    """

    __slots__ = ("_size", "_stack")

    def __init__(self) -> None:
        self._size = 0
        self._stack: list[bytes] = []

    @property
    def size(self) -> int:
        """The number of leaves appended."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Appends one leaf hash.

        Raises:
            ProofError: The leaf is not 32 bytes long; the frontier is unchanged.

        Complexity: one node hash on average, log2(size) at worst.
        """
        if len(leaf) != 32:
            check_hashes((leaf,), what="leaf")
        size = self._size
        self._size = size + 1
        if not size & 1:  # every other leaf begins a pair and hashes nothing
            self._stack.append(leaf)
            return
        # `node_hash` is written out, and the last subtree is replaced in place: this runs once for
        # each record of a run.
        stack = self._stack
        leaf = sha256(b"\x01" + stack[-1] + leaf).digest()
        size >>= 1
        while size & 1:
            del stack[-1]
            leaf = sha256(b"\x01" + stack[-1] + leaf).digest()
            size >>= 1
        stack[-1] = leaf

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Appends many leaf hashes: the same tree as one `append` for each, level by level.

        Raises:
            ProofError: A leaf is not 32 bytes long; the frontier is unchanged.

        Complexity: one node hash for each leaf on average; memory for the leaves given.
        """
        check_hashes(leaves, what="leaf")
        stack, size = self._stack, self._size
        self._size = size + len(leaves)
        level = list(leaves)
        added: list[bytes] = []
        while level:
            if size & 1:  # a subtree of this height waits for its right half
                level.insert(0, stack.pop())
            size >>= 1
            pairs = zip(level[::2], level[1::2], strict=False)
            above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
            if len(level) & 1:
                added.append(level[-1])
            level = above
        stack.extend(reversed(added))

    def root(self) -> bytes:
        """Computes the root of the leaves so far; the frontier is unchanged.

        Complexity: at most 62 node hashes.
        """
        if not self._stack:
            return EMPTY_ROOT
        root = self._stack[-1]
        for subtree in reversed(self._stack[:-1]):
            root = node_hash(subtree, root)
        return root

    def copy(self) -> Self:
        """Makes an independent frontier with the same leaves."""
        twin = type(self)()
        twin._size = self._size
        twin._stack = self._stack.copy()
        return twin

    def state(self) -> tuple[int, tuple[bytes, ...]]:
        """Gives size and subtree roots, largest subtree first, for `from_state`."""
        return self._size, tuple(self._stack)

    @classmethod
    def from_state(cls, size: int, subtrees: Sequence[bytes]) -> Self:
        """Takes up appending where `state` was read.

        Raises:
            ProofError: The size is out of range, or the number or length of the subtree roots
                does not fit it. Wrong hashes of the right shape show in `root()` only.
        """
        if not 0 <= size <= MAX_TREE_SIZE:
            raise ProofError("frontier size out of range")
        if len(subtrees) != size.bit_count():
            raise ProofError(
                f"a frontier of size {size} has {size.bit_count()} subtrees, not {len(subtrees)}",
                hint="rebuild the frontier from the stored headers",
            )
        check_hashes(subtrees, what="subtree root")
        frontier = cls()
        frontier._size = size
        frontier._stack = list(subtrees)
        return frontier


def check_hashes(hashes: Iterable[bytes], *, what: str) -> None:
    """Refuses any value that is not as long as a SHA-256 digest.

    Raises:
        ProofError: Names what it is and its place in the sequence.
    """
    for position, value in enumerate(hashes):
        if len(value) != HASH_SIZE_BYTES:
            raise ProofError(f"{what} {position} is {len(value)} bytes long, not 32")
