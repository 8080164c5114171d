"""Leaf data: each kind of log has its own domain."""

from hashlib import sha256

from replay.tree import event_leaf, leaf_hash, workspace_leaf

HEADER = b'{"kind":"RunStarted","seq":0}'


def test_an_event_leaf_is_the_leaf_hash_of_domain_and_header():
    assert event_leaf(HEADER) == leaf_hash(b"ritornello/event/v1\x00" + HEADER)
    assert event_leaf(HEADER) == sha256(b"\x00ritornello/event/v1\x00" + HEADER).digest()


def test_a_workspace_leaf_is_the_leaf_hash_of_domain_and_header():
    assert workspace_leaf(HEADER) == leaf_hash(b"ritornello/workspace/v1\x00" + HEADER)
    assert workspace_leaf(HEADER) == sha256(b"\x00ritornello/workspace/v1\x00" + HEADER).digest()


def test_one_header_has_different_leaves_in_the_two_logs():
    assert event_leaf(HEADER) != workspace_leaf(HEADER)
