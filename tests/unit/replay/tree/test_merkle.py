"""Roots and the appending frontier, against the published vectors of certificate transparency."""

import pytest

from replay.errors import ProofError
from replay.tree import EMPTY_ROOT, MAX_TREE_SIZE, Frontier, leaf_hash, node_hash, root_of

LEAF_DATA = [
    bytes.fromhex(text)
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
LEAVES = [leaf_hash(data) for data in LEAF_DATA]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]


def test_the_root_of_nothing_is_the_hash_of_nothing():
    assert ROOTS[0] == EMPTY_ROOT
    assert root_of([]) == EMPTY_ROOT
    assert Frontier().root() == EMPTY_ROOT


@pytest.mark.parametrize("size", range(9))
def test_roots_equal_the_published_ones(size):
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf)

    assert root_of(LEAVES[:size]) == ROOTS[size]
    assert frontier.root() == ROOTS[size]
    assert frontier.size == size


def test_a_leaf_cannot_be_read_as_a_node_with_the_same_bytes():
    left, right = LEAVES[:2]

    assert leaf_hash(left + right) != node_hash(left, right)


def test_root_of_takes_any_iterable():
    assert root_of(iter(LEAVES)) == ROOTS[8]


def test_asking_for_the_root_changes_nothing():
    frontier = Frontier()
    for leaf in LEAVES[:7]:
        frontier.append(leaf)

    before = frontier.state()
    frontier.root()

    assert frontier.state() == before


def test_a_copy_goes_its_own_way():
    frontier = Frontier()
    for leaf in LEAVES[:5]:
        frontier.append(leaf)
    twin = frontier.copy()

    twin.append(LEAVES[5])

    assert (frontier.size, frontier.root()) == (5, ROOTS[5])
    assert (twin.size, twin.root()) == (6, ROOTS[6])


def test_a_stored_state_is_taken_up_where_it_was_left():
    frontier = Frontier()
    for leaf in LEAVES[:5]:
        frontier.append(leaf)

    resumed = Frontier.from_state(*frontier.state())
    for leaf in LEAVES[5:]:
        resumed.append(leaf)

    assert resumed.root() == ROOTS[8]
    assert (frontier.size, frontier.root()) == (5, ROOTS[5])


@pytest.mark.parametrize(
    ("size", "subtrees"),
    [
        (-1, []),
        (MAX_TREE_SIZE + 1, [bytes(32)]),
        pytest.param(10**5000, [], id="too large to print"),
        (0, [bytes(32)]),
        (5, [bytes(32)]),
        (5, [bytes(32)] * 3),
        (5, [bytes(32), bytes(31)]),
        (5, [bytes(33), bytes(32)]),
    ],
)
def test_a_state_of_impossible_shape_is_refused(size, subtrees):
    with pytest.raises(ProofError):
        Frontier.from_state(size, subtrees)


@pytest.mark.parametrize("leaf", [b"", bytes(31), bytes(33), b"leaf data, not a hash"])
def test_a_leaf_that_is_no_hash_is_refused_and_changes_nothing(leaf):
    frontier = Frontier()
    frontier.append(LEAVES[0])

    with pytest.raises(ProofError):
        frontier.append(leaf)
    with pytest.raises(ProofError):
        root_of([LEAVES[0], leaf])

    assert (frontier.size, frontier.root()) == (1, ROOTS[1])


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 7, 8, 31])
@pytest.mark.parametrize("step", [1, 2, 5, 16, 40])
def test_many_leaves_at_once_make_the_tree_of_one_after_another(cut, step):
    leaves = [leaf_hash(bytes([number])) for number in range(70)]
    frontier = Frontier()
    frontier.extend(leaves[:cut])
    frontier.extend([])

    for start in range(cut, len(leaves), step):
        frontier.extend(leaves[start : start + step])
        one_by_one = Frontier()
        for leaf in leaves[: start + step]:
            one_by_one.append(leaf)

        assert frontier.state() == one_by_one.state()


def test_a_short_leaf_among_many_leaves_the_frontier_as_it_was():
    frontier = Frontier()
    frontier.extend(LEAVES[:3])

    with pytest.raises(ProofError, match="leaf 1 is 3 bytes long"):
        frontier.extend([LEAVES[3], b"abc"])

    assert frontier.root() == ROOTS[3]
    assert frontier.size == 3
