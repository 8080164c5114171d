"""Inclusion and consistency proofs, against the published vectors of certificate transparency."""

from typing import Any

import pytest

from replay.errors import ProofError
from replay.tree import (
    EMPTY_ROOT,
    MAX_TREE_SIZE,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    leaf_hash(bytes.fromhex(text))
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
A = bytes.fromhex("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7")
B = bytes.fromhex("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e")
C = bytes.fromhex("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")
D = bytes.fromhex("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b")
E = bytes.fromhex("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0")
F = bytes.fromhex("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")
G = bytes.fromhex("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")
H = bytes.fromhex("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
I = bytes.fromhex("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a")  # noqa: E741
J = bytes.fromhex("b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f")

INCLUSION = [
    (0, 1, ()),
    (0, 8, (A, B, C)),
    (5, 8, (D, E, F)),
    (2, 3, (G,)),
    (1, 5, (H, B, D)),
]
CONSISTENCY = [
    (1, 1, ()),
    (1, 8, (A, B, C)),
    (6, 8, (I, E, F)),
    (2, 5, (B, D)),
    (6, 7, (I, J, F)),
]


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSION)
def test_inclusion_proofs_equal_the_published_ones(index, size, proof):
    leaves = LEAVES[:size]

    assert inclusion_proof(index, leaves) == proof
    verify_inclusion(leaves[index], index=index, size=size, proof=proof, root=root_of(leaves))


@pytest.mark.parametrize(("first", "second", "proof"), CONSISTENCY)
def test_consistency_proofs_equal_the_published_ones(first, second, proof):
    assert consistency_proof(first, LEAVES[:second]) == proof
    verify_consistency(
        first_size=first,
        first_root=root_of(LEAVES[:first]),
        second_size=second,
        second_root=root_of(LEAVES[:second]),
        proof=proof,
    )


def refuse_inclusion(**changes):
    good: dict[str, Any] = {"index": 5, "size": 8, "proof": (D, E, F), "root": root_of(LEAVES)}
    leaf = changes.pop("leaf", LEAVES[5])
    with pytest.raises(ProofError) as caught:
        verify_inclusion(leaf, **(good | changes))
    return caught.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"index": -1},
        {"index": 4},
        {"index": 6},
        {"index": 7},
        {"index": 8},
        {"index": 10**5000},
        {"size": 0},
        {"size": -8},
        {"size": 4},
        {"size": 16},
        {"size": MAX_TREE_SIZE},
        {"size": MAX_TREE_SIZE + 1},
        {"size": 10**5000},
        {"leaf": b"WrongLeaf"},
        {"leaf": bytes(31)},
        {"leaf": LEAVES[4]},
        {"root": b""},
        {"root": EMPTY_ROOT},
        {"root": F},
        {"proof": ()},
        {"proof": (D, E)},
        {"proof": (E, F)},
        {"proof": (D, E, F, b"")},
        {"proof": (b"", D, E, F)},
        {"proof": (D, E, F, F)},
        {"proof": (D, D, E, F)},
        {"proof": (E, D, F)},
        {"proof": (D, E, F[:31])},
        {"proof": (D, E, F + b"\x00")},
        {"proof": (D,) * 100_000},
    ],
)
def test_an_inclusion_proof_with_one_thing_wrong_is_refused(changes):
    assert refuse_inclusion(**changes)


def test_a_proof_of_the_wrong_length_says_so():
    assert refuse_inclusion(proof=(D, E)) == "proof too short: 2 elements where 3 belong"
    assert refuse_inclusion(proof=(D, E, F, F)) == "proof too long: 4 elements where 3 belong"


def test_a_proof_element_of_the_wrong_length_is_named_before_anything_is_hashed():
    assert refuse_inclusion(proof=(D, E[:31], F)) == "proof element 1 is 31 bytes long, not 32"


def test_a_leaf_beyond_the_size_is_refused_even_if_the_proof_leads_to_the_root():
    with pytest.raises(ProofError):
        verify_inclusion(LEAVES[1], index=1, size=1, proof=(LEAVES[0],), root=root_of(LEAVES[:2]))


@pytest.mark.parametrize(
    "changes",
    [
        {"first_size": 5},
        {"first_size": 7},
        {"first_size": 4},
        {"first_size": 8},
        {"first_size": 9},
        {"first_size": 0},
        {"first_size": -6},
        {"second_size": 4},
        {"second_size": 6},
        {"second_size": 9},
        {"second_size": 16},
        {"second_size": MAX_TREE_SIZE + 1},
        {"second_size": 10**5000},
        {"first_root": b"WrongRoot"},
        {"second_root": b"WrongRoot"},
        {"first_root": root_of(LEAVES[:5])},
        {"second_root": root_of(LEAVES[:7])},
        {"first_root": root_of(LEAVES), "second_root": root_of(LEAVES[:6])},
        {"first_root": EMPTY_ROOT},
        {"proof": ()},
        {"proof": (I, E)},
        {"proof": (E, F)},
        {"proof": (I, E, F, b"")},
        {"proof": (I, E, F, F)},
        {"proof": (I, I, E, F)},
        {"proof": (I, F, E)},
        {"proof": (I, E, F[:31])},
        {"proof": (I,) * 100_000},
    ],
)
def test_a_consistency_proof_with_one_thing_wrong_is_refused(changes):
    good: dict[str, Any] = {
        "first_size": 6,
        "first_root": root_of(LEAVES[:6]),
        "second_size": 8,
        "second_root": root_of(LEAVES),
        "proof": (I, E, F),
    }
    verify_consistency(**good)

    with pytest.raises(ProofError):
        verify_consistency(**(good | changes))


@pytest.mark.parametrize(
    ("first_size", "first_root", "second_size", "second_root", "proof", "accepted"),
    [
        (0, EMPTY_ROOT, 0, EMPTY_ROOT, (), True),
        (0, EMPTY_ROOT, 1, A, (), True),
        (1, A, 1, A, (), True),
        (0, A, 0, A, (), False),
        (0, A, 1, B, (), False),
        (0, EMPTY_ROOT, 0, A, (), False),
        (0, EMPTY_ROOT, 1, A, (A,), False),
        (0, EMPTY_ROOT, 0, EMPTY_ROOT, (A,), False),
        (1, A, 1, B, (), False),
        (1, A, 1, A, (A,), False),
        (1, A, 0, EMPTY_ROOT, (), False),
        (2, A, 1, B, (), False),
        (1, A, 2, B, (), False),
    ],
)
def test_the_edges_of_consistency_are_decided(
    first_size, first_root, second_size, second_root, proof, accepted
):
    def verify():
        verify_consistency(
            first_size=first_size,
            first_root=first_root,
            second_size=second_size,
            second_root=second_root,
            proof=proof,
        )

    if accepted:
        verify()
    else:
        with pytest.raises(ProofError):
            verify()


def test_an_inclusion_proof_alone_does_not_pin_the_size_of_the_tree():
    """Why size and root must come together from one verified checkpoint.

    The proof of leaf 0 among 3 has the shape of one among 4, where the third leaf would be a
    subtree. This is a property of the tree, not a mistake of the verifier: it is held here so that
    nobody takes a size from whoever hands over a proof.
    """
    leaves = LEAVES[:3]
    proof = inclusion_proof(0, leaves)

    verify_inclusion(leaves[0], index=0, size=3, proof=proof, root=root_of(leaves))
    verify_inclusion(leaves[0], index=0, size=4, proof=proof, root=root_of(leaves))


@pytest.mark.parametrize("index", [-1, 8, pytest.param(10**5000, id="too large to print")])
def test_no_inclusion_proof_is_made_for_a_leaf_that_is_not_there(index):
    with pytest.raises(ProofError):
        inclusion_proof(index, LEAVES)


def test_no_inclusion_proof_is_made_in_the_empty_tree():
    with pytest.raises(ProofError):
        inclusion_proof(0, [])


@pytest.mark.parametrize("first", [-1, 9])
def test_no_consistency_proof_is_made_from_a_tree_that_never_was(first):
    with pytest.raises(ProofError):
        consistency_proof(first, LEAVES)


def test_no_proof_is_made_over_leaves_that_are_no_hashes():
    with pytest.raises(ProofError):
        inclusion_proof(0, [b"data"])
    with pytest.raises(ProofError):
        consistency_proof(1, [b"data"])
