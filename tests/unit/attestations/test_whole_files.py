"""Small files are written whole or not at all, and never through somebody else's link."""

import pytest

from attestations import whole_files
from attestations.whole_files import write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", b"two", mode=0o644)

    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"two"


def test_links_that_lie_in_wait_are_not_written_through(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_files.os, "urandom", bytes)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in ("run.note", ".run.note.new", ".0000000000000000.new"):
        (tmp_path / name).symlink_to(victim)

    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "run.note", b"theirs")
    monkeypatch.undo()
    write_whole(tmp_path / "run.note", b"theirs")

    assert victim.read_text() == "mine"
    assert (tmp_path / "run.note").read_bytes() == b"theirs"
    assert not (tmp_path / "run.note").is_symlink()


def test_a_disk_that_refuses_leaves_what_was_there(tmp_path, monkeypatch):
    write_whole(tmp_path / "a", b"one")

    def refuse(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_files.os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "a", b"two")

    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"one"
