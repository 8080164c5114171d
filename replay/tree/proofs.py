"""Proofs that a record is in a tree, and that one tree continues another.

The one invariant: an accepted proof has exactly the length that its sizes call for, uses every
element, and leads to the roots given. There is one path from proof to verdict; a verifier answers
by returning, or raises.

What a proof does not say: an inclusion proof alone does not pin the size of the tree (the proof of
leaf 0 among 3 also verifies as one among 4). Take size and root together, from one checkpoint that
was itself verified, never from whoever hands over the proof.

Source: RFC 9162 section 2.1.3 and 2.1.4. The length of a proof follows from index and size alone:
its inner part lies below the point where the paths to the leaf and to the last leaf part, and its
border above.
"""

from collections.abc import Sequence

from replay.errors import ProofError
from replay.tree.merkle import EMPTY_ROOT, MAX_TREE_SIZE, check_hashes, node_hash, root_of

__all__ = [
    "consistency_proof",
    "earlier_roots",
    "inclusion_proof",
    "verify_consistency",
    "verify_inclusion",
]


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """Proves that the leaf at `index` is in the tree over all of `leaves`.

    Shape:
        leaves: 32-byte leaf hashes in log order.
        result: siblings from the leaf to the root, at most 63.

    Raises:
        ProofError: There is no leaf at `index`, or a leaf is not 32 bytes long.

    Complexity: linear in the leaves.
    """
    if not 0 <= index < len(leaves):
        raise ProofError(f"leaf index out of range in a tree of {len(leaves)}")
    check_hashes(leaves, what="leaf")
    path: list[bytes] = []
    start, stop = 0, len(leaves)
    while stop - start > 1:
        middle = _split(start, stop)
        if index < middle:
            path.append(root_of(leaves[middle:stop]))
            stop = middle
        else:
            path.append(root_of(leaves[start:middle]))
            start = middle
    return tuple(reversed(path))


def consistency_proof(first: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """Proves that the tree over all of `leaves` continues the tree over the first `first` of them.

    The proof is empty when `first` is 0 or all: nothing is left to prove.

    Shape:
        leaves: 32-byte leaf hashes in log order.
        result: subtree roots, lowest first, at most 64.

    Raises:
        ProofError: `first` is negative or exceeds the leaves, or a leaf is not 32 bytes long.

    Complexity: linear in the leaves.
    """
    if not 0 <= first <= len(leaves):
        raise ProofError(f"a tree of {len(leaves)} leaves has no earlier state of size {first}")
    check_hashes(leaves, what="leaf")
    if first in {0, len(leaves)}:
        return ()
    path: list[bytes] = []
    start, stop = 0, len(leaves)
    while first != stop:
        middle = _split(start, stop)
        if first <= middle:
            path.append(root_of(leaves[middle:stop]))
            stop = middle
        else:
            path.append(root_of(leaves[start:middle]))
            start = middle
    if start > 0:  # otherwise the last subtree is the first tree, whose root the verifier has
        path.append(root_of(leaves[start:stop]))
    return tuple(reversed(path))


def verify_inclusion(
    leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Checks that `leaf` stands at `index` in the tree of `size` leaves with this `root`.

    Args:
        leaf: The leaf hash, 32 bytes.
        index: Its 0-based place.
        size: Number of leaves, from the same verified checkpoint as `root`; the proof does not
            pin it.
        proof: What `inclusion_proof` gave.
        root: The root, 32 bytes.

    Raises:
        ProofError: Index or size out of range, a hash or the proof of the wrong length, or another
            root comes out.
    """
    _check_size(size)
    if not 0 <= index < size:
        raise ProofError(f"leaf index out of range in a tree of {size}")
    inner, border = _shape(index, size)
    _check_proof(proof, length=inner + border)
    check_hashes((leaf, root), what="leaf or root")
    if _climb_border(_climb(leaf, proof[:inner], index), proof[inner:]) != root:
        raise ProofError("the inclusion proof leads to another root")


def earlier_roots(
    leaf: bytes, *, index: int, size: int, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Gives two earlier roots of a tree that an inclusion proof holds: of all before, and with it.

    The siblings on the left of a leaf's path are exactly the perfect subtrees over all leaves
    before it. So a proof that holds also says which root the tree had just before the leaf came,
    and just after. Call it for a proof that `verify_inclusion` accepted.

    Args:
        leaf: The leaf hash, 32 bytes.
        index: Its 0-based place.
        size: Number of leaves of the tree that the proof leads to.
        proof: What `inclusion_proof` gave.

    Returns:
        The roots over the first `index` leaves and over the first `index + 1`.

    Raises:
        ProofError: Index or size out of range, or a hash or the proof of the wrong length.
    """
    _check_size(size)
    if not 0 <= index < size:
        raise ProofError(f"leaf index out of range in a tree of {size}")
    inner, border = _shape(index, size)
    _check_proof(proof, length=inner + border)
    check_hashes((leaf,), what="leaf")
    left = [sibling for bit, sibling in enumerate(proof[:inner]) if index >> bit & 1]
    left += proof[inner:]
    before = _climb_border(left[0], left[1:]) if left else EMPTY_ROOT
    return before, _climb_border(leaf, left)


def verify_consistency(
    *,
    first_size: int,
    first_root: bytes,
    second_size: int,
    second_root: bytes,
    proof: Sequence[bytes],
) -> None:
    """Checks that the second tree begins with all leaves of the first, in the same order.

    Every tree continues the empty one, with an empty proof: a first size of 0 says nothing about
    the second root.

    Args:
        first_size: Leaves of the earlier tree.
        first_root: Its root, 32 bytes.
        second_size: Leaves of the later tree, not fewer.
        second_root: Its root, 32 bytes.
        proof: What `consistency_proof` gave.

    Raises:
        ProofError: Sizes out of range or order, a hash or the proof of the wrong length, a size of
            0 with a root that is not empty, or other roots come out.
    """
    _check_size(first_size)
    _check_size(second_size)
    if first_size > second_size:
        raise ProofError(f"a tree of {second_size} leaves cannot continue one of {first_size}")
    check_hashes((first_root, second_root), what="root")
    for size, root in ((first_size, first_root), (second_size, second_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise ProofError("a tree of size 0 has a root that is not the empty one")
    if first_size in {0, second_size}:
        _check_proof(proof, length=0)
        if first_size == second_size and first_root != second_root:
            raise ProofError("two trees of equal size have different roots")
        return

    # The climb starts at the largest perfect subtree that ends where the first tree ends. When it
    # is the whole first tree, the verifier has its root and the proof leaves it out.
    height = (first_size & -first_size).bit_length() - 1
    inner, border = _shape(first_size - 1, second_size)
    inner -= height
    if first_size == 1 << height:
        _check_proof(proof, length=inner + border)
        seed, rest = first_root, proof
    else:
        _check_proof(proof, length=1 + inner + border)
        seed, rest = proof[0], proof[1:]
    index = (first_size - 1) >> height
    if _climb_border(_climb_left(seed, rest[:inner], index), rest[inner:]) != first_root:
        raise ProofError("the consistency proof leads to another first root")
    if _climb_border(_climb(seed, rest[:inner], index), rest[inner:]) != second_root:
        raise ProofError("the consistency proof leads to another second root")


def _split(start: int, stop: int) -> int:
    """Gives the end of the left subtree: the largest power of two below the width."""
    return start + (1 << ((stop - start - 1).bit_length() - 1))


def _shape(index: int, size: int) -> tuple[int, int]:
    """Gives how many siblings lie below and above the parting from the tree's right edge."""
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _climb(seed: bytes, siblings: Sequence[bytes], index: int) -> bytes:
    """Folds siblings of either side, as the bits of the index say."""
    for sibling in siblings:
        seed = node_hash(sibling, seed) if index & 1 else node_hash(seed, sibling)
        index >>= 1
    return seed


def _climb_left(seed: bytes, siblings: Sequence[bytes], index: int) -> bytes:
    """Folds only siblings on the left: those on the right came after the first tree."""
    for sibling in siblings:
        if index & 1:
            seed = node_hash(sibling, seed)
        index >>= 1
    return seed


def _climb_border(seed: bytes, siblings: Sequence[bytes]) -> bytes:
    """Folds the siblings along the right edge, which all lie on the left."""
    for sibling in siblings:
        seed = node_hash(sibling, seed)
    return seed


def _check_size(size: int) -> None:
    if not 0 <= size <= MAX_TREE_SIZE:
        raise ProofError("tree size out of range")


def _check_proof(proof: Sequence[bytes], *, length: int) -> None:
    if len(proof) != length:
        fault = "too long" if len(proof) > length else "too short"
        raise ProofError(f"proof {fault}: {len(proof)} elements where {length} belong")
    check_hashes(proof, what="proof element")
