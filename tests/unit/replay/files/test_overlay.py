"""The overlay keeps what a replay writes, and nothing gets out of it."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from replay.errors import UsageError
from replay.files.overlay import Overlay

WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def put(overlay, spelled, content=b"x", flags=WRITE, before=None):
    descriptor = overlay.open(spelled, flags, 0o666, before)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def files_below(directory):
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if not p.is_dir())


@pytest.fixture
def overlay(tmp_path):
    with closing(Overlay(tmp_path / "out")) as made:
        yield made


@pytest.mark.parametrize(
    ("spelled", "place"),
    [
        ("a.txt", "a.txt"),
        ("a/b/c.txt", "a/b/c.txt"),
        ("/etc/passwd", ".absolute/etc/passwd"),
        ("a/./b//c", "a/b/c"),
    ],
)
def test_a_file_has_its_place(overlay, tmp_path, spelled, place):
    put(overlay, spelled)

    assert files_below(tmp_path / "out") == [place]
    assert overlay.unplaced == []


@pytest.mark.parametrize(
    "spelled",
    ["../up", "a/../../up", "/../up", "", ".", "/", "a\0b", "n" * 300, "d/" * 200 + "f", "l/in"],
)
def test_a_hostile_path_is_written_nowhere_and_said(overlay, tmp_path, spelled):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "l").symlink_to(tmp_path / "elsewhere")

    put(overlay, spelled)

    assert overlay.unplaced == [spelled]
    assert files_below(tmp_path) == []
    assert "not kept" in overlay.notes()[0]


def test_a_link_in_the_place_of_a_file_is_not_followed(overlay, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("safe")
    (tmp_path / "out" / "f").symlink_to(victim)

    put(overlay, "f")

    assert victim.read_text() == "safe"
    assert overlay.unplaced == ["f"]


def test_what_a_file_held_is_there_before_it_is_written(overlay, tmp_path):
    put(overlay, "log", b"two", flags=os.O_WRONLY | os.O_APPEND, before=b"one ")
    put(overlay, "hole", b"x", flags=os.O_WRONLY | os.O_APPEND, before=5)

    assert (tmp_path / "out" / "log").read_bytes() == b"one two"
    assert (tmp_path / "out" / "hole").read_bytes() == b"\0" * 5 + b"x"


def test_changes_are_made_within(overlay, tmp_path):
    out = tmp_path / "out"
    overlay.mkdir("d")
    put(overlay, "d/f", b"12345")
    overlay.truncate("d/f", 2)
    overlay.chmod("d/f", 0o007)
    overlay.rename("d/f", "/abs/g")
    overlay.link("/abs/g", "h")
    overlay.remove("/abs/g")
    overlay.rmdir("d")

    assert files_below(out) == ["h"]
    assert (out / "h").read_bytes() == b"12"
    assert (out / "h").stat().st_mode & 0o777 == 0o607
    for change in (
        lambda: overlay.rename("h", "../up"),
        lambda: overlay.remove("../victim"),
        lambda: overlay.mkdir(".."),
        lambda: overlay.rmdir("absent/below"),
    ):
        with pytest.raises(OSError):
            change()


def test_a_directory_that_holds_something_is_refused(tmp_path):
    (tmp_path / "f").write_text("mine")

    with pytest.raises(UsageError, match="not empty"):
        Overlay(tmp_path)
    with pytest.raises(UsageError, match="no directory"):
        Overlay(tmp_path / "f")


def test_one_without_a_name_goes_with_the_replay(tmp_path):
    overlay = Overlay()
    put(overlay, "f")
    assert files_below(overlay.root) == ["f"]

    overlay.close()

    assert not Path(overlay.root).exists()
