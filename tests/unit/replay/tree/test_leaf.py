"""Leaf data: each kind of log has its own domain."""

from hashlib import sha256

from replay.tree import event_leaf, event_leaves, leaf_hash, workspace_leaf, workspace_leaves

HEADER = b'{"kind":"RunStarted","seq":0}'


def test_an_event_leaf_is_the_leaf_hash_of_domain_and_header():
    assert event_leaf(HEADER) == leaf_hash(b"ritornello/event/v1\x00" + HEADER)
    assert event_leaf(HEADER) == sha256(b"\x00ritornello/event/v1\x00" + HEADER).digest()


def test_a_workspace_leaf_is_the_leaf_hash_of_domain_and_header():
    assert workspace_leaf(HEADER) == leaf_hash(b"ritornello/workspace/v1\x00" + HEADER)
    assert workspace_leaf(HEADER) == sha256(b"\x00ritornello/workspace/v1\x00" + HEADER).digest()


def test_one_header_has_different_leaves_in_the_two_logs():
    assert event_leaf(HEADER) != workspace_leaf(HEADER)


def test_many_headers_at_once_are_the_leaves_of_each():
    headers = [HEADER, b"", HEADER + b"x"]

    assert event_leaves(headers) == [event_leaf(header) for header in headers]
    assert workspace_leaves(headers) == [workspace_leaf(header) for header in headers]
