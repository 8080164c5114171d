"""Laws of the tree, against the definitions of RFC 9162 written down a second time."""

import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from replay.errors import ProofError
from replay.tree import (
    EMPTY_ROOT,
    Checkpoint,
    Frontier,
    NoteSignature,
    consistency_proof,
    earlier_roots,
    inclusion_proof,
    leaf_hash,
    node_hash,
    parse_checkpoint,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(number.to_bytes(4)) for number in range(300)]
ROOTS = [root_of(LEAVES[:size]) for size in range(301)]
SMALL = range(1, 65)
NAMES = st.text(
    sorted(set(string.ascii_letters + string.digits + string.punctuation) - {"+"}),
    min_size=1,
    max_size=255,
)
HASHES = st.binary(min_size=32, max_size=32)


# The recursive definitions of RFC 9162 section 2.1, as written there.


def split(size):
    return 1 << ((size - 1).bit_length() - 1)


def tree_hash(leaves):
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(tree_hash(leaves[:k]), tree_hash(leaves[k:]))


def path(m, leaves):
    if len(leaves) == 1:
        return ()
    k = split(len(leaves))
    if m < k:
        return (*path(m, leaves[:k]), tree_hash(leaves[k:]))
    return (*path(m - k, leaves[k:]), tree_hash(leaves[:k]))


def subproof(m, leaves, known):
    if m == len(leaves):
        return () if known else (tree_hash(leaves),)
    k = split(len(leaves))
    if m <= k:
        return (*subproof(m, leaves[:k], known), tree_hash(leaves[k:]))
    return (*subproof(m - k, leaves[k:], False), tree_hash(leaves[:k]))


# The step-by-step verifiers of RFC 9162 section 2.1.3.2 and 2.1.4.2: another algorithm than ours.


def accepts_inclusion(leaf, index, size, proof, root):
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def accepts_consistency(first, second, first_root, second_root, proof):
    if not 0 < first < second or not proof:
        return False
    nodes = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for c in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


def inclusion_holds(leaf, index, size, proof, root):
    try:
        verify_inclusion(leaf, index=index, size=size, proof=proof, root=root)
    except ProofError:
        return False
    return True


def consistency_holds(first, second, first_root, second_root, proof):
    try:
        verify_consistency(
            first_size=first,
            first_root=first_root,
            second_size=second,
            second_root=second_root,
            proof=proof,
        )
    except ProofError:
        return False
    return True


def mutants(proof):
    """Every proof that differs in one element: changed, dropped, doubled or cut short."""
    for i, element in enumerate(proof):
        before, after = proof[:i], proof[i + 1 :]
        yield (*before, bytes([element[0] ^ 8]) + element[1:], *after)
        yield (*before, element[:31] + bytes([element[31] ^ 1]), *after)
        yield (*before, element[:31], *after)
        yield (*before, *after)
        yield (*before, element, element, *after)
    yield (*proof, EMPTY_ROOT)
    yield (EMPTY_ROOT, *proof)


@given(st.lists(st.binary(max_size=8), max_size=300))
def test_frontier_recursion_and_level_by_level_agree_on_the_root(data):
    leaves = [leaf_hash(each) for each in data]
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)

    assert frontier.root() == root_of(leaves) == tree_hash(leaves)


def test_the_frontier_has_the_right_root_at_every_size():
    frontier = Frontier()
    for size in range(300):
        assert frontier.root() == ROOTS[size]
        assert frontier.size == size
        frontier.append(LEAVES[size])


@given(st.integers(0, 300), st.integers(0, 300))
@example(255, 256)
def test_a_frontier_resumed_from_its_state_never_differs(stop, end):
    stop, end = min(stop, end), max(stop, end)
    frontier = Frontier()
    for leaf in LEAVES[:stop]:
        frontier.append(leaf)

    resumed = Frontier.from_state(*frontier.state())
    for leaf in LEAVES[stop:end]:
        resumed.append(leaf)

    assert resumed.root() == ROOTS[end]


@given(st.lists(st.sampled_from(LEAVES[:4]), max_size=40), st.data())
def test_any_change_of_the_leaves_changes_the_root(leaves, data):
    other = data.draw(
        st.one_of(
            st.permutations(leaves),
            st.lists(st.sampled_from(LEAVES[:4]), max_size=40),
            st.integers(0, len(leaves)).map(lambda size: leaves[:size]),
        )
    )
    assume(other != leaves)

    assert root_of(other) != root_of(leaves)


@pytest.mark.parametrize("size", SMALL)
def test_every_inclusion_proof_of_a_small_tree_holds_and_every_mutant_is_refused(size):
    leaves, root = LEAVES[:size], ROOTS[size]
    for index, leaf in enumerate(leaves):
        proof = inclusion_proof(index, leaves)

        assert proof == path(index, leaves)
        assert inclusion_holds(leaf, index, size, proof, root)
        assert not any(inclusion_holds(leaf, index, size, bad, root) for bad in mutants(proof))


@pytest.mark.parametrize("size", SMALL)
def test_every_consistency_proof_of_a_small_tree_holds_and_every_mutant_is_refused(size):
    leaves = LEAVES[:size]
    for first in range(size + 1):
        roots = ROOTS[first], ROOTS[size]
        proof = consistency_proof(first, leaves)

        assert proof == (subproof(first, leaves, True) if first else ())
        assert consistency_holds(first, size, *roots, proof)
        assert not any(consistency_holds(first, size, *roots, bad) for bad in mutants(proof))


@pytest.mark.parametrize("size", range(2, 33))
def test_a_proof_for_one_place_never_holds_for_another(size):
    leaves, root = LEAVES[:size], ROOTS[size]
    for index in range(size):
        proof = inclusion_proof(index, leaves)
        others = [place for place in range(size) if place != index]

        assert not any(inclusion_holds(leaves[index], i, size, proof, root) for i in others)
        assert not any(inclusion_holds(leaves[i], index, size, proof, root) for i in others)


@given(st.integers(1, 300), st.data())
def test_proofs_of_larger_trees_hold(size, data):
    index = data.draw(st.integers(0, size - 1))
    first = data.draw(st.integers(0, size))
    leaves = LEAVES[:size]

    inclusion = inclusion_proof(index, leaves)
    consistency = consistency_proof(first, leaves)

    assert inclusion == path(index, leaves)
    assert inclusion_holds(leaves[index], index, size, inclusion, ROOTS[size])
    assert consistency_holds(first, size, ROOTS[first], ROOTS[size], consistency)


@given(st.integers(2, 300), st.data())
def test_no_proof_connects_a_rewritten_history(size, data):
    first = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, first - 1))
    leaves = LEAVES[:size]
    rewritten = [*leaves[:changed], leaf_hash(b"rewritten"), *leaves[changed + 1 :]]

    for proof in (consistency_proof(first, leaves), consistency_proof(first, rewritten)):
        assert not consistency_holds(first, size, ROOTS[first], root_of(rewritten), proof)


@given(st.integers(1, 40), st.data())
def test_our_inclusion_verifier_and_the_one_of_the_standard_never_disagree(size, data):
    """Over proofs that are nearly right: true ones for another place, size or root."""
    index = data.draw(st.integers(0, size - 1))
    claimed_index = data.draw(st.one_of(st.just(index), st.integers(0, 50)))
    claimed_size = data.draw(st.one_of(st.just(size), st.integers(0, 50)))
    good = inclusion_proof(index, LEAVES[:size])
    proof = data.draw(
        st.one_of(st.just(good), st.sampled_from(list(mutants(good))), st.lists(HASHES, max_size=8))
    )
    assume(all(len(element) == 32 for element in proof))
    arguments = (LEAVES[index], claimed_index, claimed_size, proof, ROOTS[size])

    assert inclusion_holds(*arguments) == accepts_inclusion(*arguments)


@given(st.integers(2, 40), st.data())
def test_our_consistency_verifier_and_the_one_of_the_standard_never_disagree(size, data):
    first = data.draw(st.integers(1, size - 1))
    claimed_first = data.draw(st.one_of(st.just(first), st.integers(1, 50)))
    claimed_size = data.draw(st.one_of(st.just(size), st.integers(2, 51)))
    assume(claimed_first < claimed_size)  # the standard's algorithm starts from there
    good = consistency_proof(first, LEAVES[:size])
    proof = data.draw(st.one_of(st.just(good), st.sampled_from(list(mutants(good)))))
    assume(all(len(element) == 32 for element in proof))
    arguments = (claimed_first, claimed_size, ROOTS[first], ROOTS[size], proof)

    assert consistency_holds(*arguments) == accepts_consistency(*arguments)


@given(
    NAMES,
    st.integers(1, 2**63 - 1),
    HASHES,
    st.lists(
        st.builds(
            NoteSignature,
            NAMES,
            st.binary(min_size=4, max_size=4),
            st.binary(min_size=1, max_size=200),
        ),
        max_size=16,
        unique_by=lambda each: (each.name, each.key_id),
    ),
)
def test_a_checkpoint_note_is_read_back_as_written(origin, size, root, signatures):
    checkpoint = Checkpoint(origin, size, root)

    assert parse_checkpoint(checkpoint.note(signatures)) == (checkpoint, tuple(signatures))


@given(st.data())
def test_a_note_changed_anywhere_is_refused_or_says_something_else(data):
    """One spelling only: whatever is accepted writes itself back byte for byte."""
    note = Checkpoint("log.example/run/1", 1234, LEAVES[0]).note(
        [NoteSignature("log.example/run/1", b"0123", LEAVES[1] * 2)]
    )
    start = data.draw(st.integers(0, len(note)))
    stop = data.draw(st.integers(start, min(len(note), start + 3)))
    fresh = data.draw(
        st.one_of(st.binary(max_size=3), st.sampled_from([b"\n", b"\r\n", b" ", b"=", b"0", b"+"]))
    )
    changed = note[:start] + fresh + note[stop:]

    try:
        checkpoint, signatures = parse_checkpoint(changed)
    except ProofError:
        return
    assert checkpoint.note(signatures) == changed


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_our_error_or_written_back(data):
    try:
        checkpoint, signatures = parse_checkpoint(data)
    except ProofError:
        return
    assert checkpoint.note(signatures) == data


@given(st.integers(1, 300), st.data())
def test_a_proof_that_holds_tells_the_roots_before_and_with_its_leaf(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, LEAVES[:size])

    found = earlier_roots(LEAVES[index], index=index, size=size, proof=proof)

    assert found == (ROOTS[index], ROOTS[index + 1])
    with pytest.raises(ProofError):
        earlier_roots(LEAVES[index], index=index, size=size, proof=(*proof, bytes(32)))
