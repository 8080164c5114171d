"""Which events write where, as far as their arguments tell."""

from __future__ import annotations

import os

import pytest

from replay.guard.writing import Writable, written_paths

READ, WRITE = os.O_RDONLY | os.O_CLOEXEC, os.O_WRONLY | os.O_CREAT


@pytest.mark.parametrize(
    ("event", "args", "expected"),
    [
        ("open", ("a", "r", READ), ()),
        ("open", ("a", "rb", READ), ()),
        ("open", ("a", "w", WRITE), ("a",)),
        ("open", (b"a", None, WRITE), ("a",)),
        ("open", ("a", "r+", os.O_RDWR), ("a",)),
        ("open", ("a", "x", None), ("a",)),
        ("open", (3, "w", WRITE), ()),
        ("os.rename", ("a", "b", -1, -1), ("a", "b")),
        ("os.symlink", ("../x", "/d/l", -1), ("/d/../x", "/d/l")),
        ("os.remove", ("a", -1), ("a",)),
        ("os.truncate", (5, 0), ()),
        ("sqlite3.connect", (":memory:",), ()),
        ("sqlite3.connect", ("file:a?mode=ro",), ()),
        ("sqlite3.connect", ("file:a?mode=rw",), ("a",)),
        ("sqlite3.connect", ("a",), ("a",)),
        ("import", ("os", None), ()),
    ],
)
def test_an_event_names_what_it_would_change(event, args, expected):
    assert written_paths(event, args) == expected


def test_a_name_in_an_open_directory_is_found_in_full(tmp_path):
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        (path,) = written_paths("os.remove", ("a", directory))
    finally:
        os.close(directory)

    assert path in {str(tmp_path / "a"), "/(a directory that was opened before)/a"}


def test_only_what_lies_below_a_writable_directory_is_allowed(tmp_path):
    inside = tmp_path / "inside"
    writable = Writable((str(inside),))

    assert writable.allows(str(inside))
    assert writable.allows(str(inside / "a" / "b"))
    assert writable.allows(f"{inside}/../inside/a")
    assert writable.allows(os.devnull)
    assert not writable.allows(f"{inside}/../a")
    assert not writable.allows(f"{inside}beside/a")
    assert not writable.allows("a")
