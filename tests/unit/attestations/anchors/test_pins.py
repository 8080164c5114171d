"""A pin is a note in a file, and follows its log only."""

import pytest

from attestations.anchors import read_pin, write_pin
from attestations.errors import NoteError, StateError
from replay.tree import Checkpoint, leaf_hash, root_of

LEAVES = [leaf_hash(bytes([n])) for n in range(9)]
FORGED = [leaf_hash(b"forged"), *LEAVES[1:]]


def head(leaves, origin="ritornello/run/A"):
    return Checkpoint(origin, len(leaves), root_of(leaves))


def write(path, leaves, origin="ritornello/run/A"):
    now = head(leaves, origin)
    return write_pin(path, now, now.note(), lambda size: root_of(leaves[:size]))


def test_a_pin_is_written_read_and_put_forward(tmp_path):
    path = tmp_path / "run.note"

    assert write(path, LEAVES[:5]) is None
    assert read_pin(path) == head(LEAVES[:5])
    assert write(path, LEAVES) == head(LEAVES[:5])
    assert path.read_bytes() == head(LEAVES).note()
    assert [each.name for each in tmp_path.iterdir()] == ["run.note"]


@pytest.mark.parametrize(
    ("leaves", "origin", "said"),
    [
        (LEAVES[:4], "ritornello/run/A", "contradicts"),
        (FORGED, "ritornello/run/A", "others in the same places"),
        (LEAVES, "ritornello/run/B", "pins another log"),
    ],
)
def test_a_pin_is_not_replaced_by_what_contradicts_it(tmp_path, leaves, origin, said):
    path = tmp_path / "run.note"
    write(path, LEAVES[:5])
    before = path.read_bytes()

    with pytest.raises(NoteError, match=said):
        write(path, leaves, origin)

    assert path.read_bytes() == before


@pytest.mark.parametrize("data", [b"", b"hello\n", b"\xff" * 400_000])
def test_a_file_that_is_no_pin_is_refused_and_left_alone(tmp_path, data):
    path = tmp_path / "notes.txt"
    path.write_bytes(data)

    with pytest.raises(StateError, match="not a pin"):
        write(path, LEAVES)

    assert path.read_bytes() == data
