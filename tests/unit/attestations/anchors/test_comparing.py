"""Two heads of one log can both be true only if one continues the other."""

from hypothesis import given
from hypothesis import strategies as st

from attestations.anchors import compare
from replay.tree import Checkpoint, leaf_hash, root_of

LEAVES = [leaf_hash(bytes([n])) for n in range(40)]
OTHERS = [leaf_hash(bytes([n, n])) for n in range(40)]


def head(leaves, origin="ritornello/run/A"):
    return Checkpoint(origin, len(leaves), root_of(leaves))


def prefixes(leaves):
    return lambda size: root_of(leaves[:size])


@given(before=st.integers(0, 40), now=st.integers(0, 40))
def test_a_log_that_grew_continues_each_of_its_own_heads(before, now):
    found = compare(head(LEAVES[:now]), head(LEAVES[:before]), prefixes(LEAVES[:now]))

    assert found == ("same" if now == before else "grown" if now > before else "shorter")


@given(before=st.integers(1, 40), now=st.integers(1, 40), changed=st.integers(0, 39))
def test_a_log_with_another_record_below_the_known_head_is_a_fork(before, now, changed):
    known = LEAVES[:before]
    known[changed % before] = OTHERS[changed % before]

    found = compare(head(LEAVES[:now]), head(known), prefixes(LEAVES[:now]))

    assert found == ("fork" if now >= before else "shorter")


def test_another_log_is_not_compared():
    found = compare(head(LEAVES), head(LEAVES[:3], "ritornello/run/B"), prefixes(LEAVES))

    assert found == "other"
