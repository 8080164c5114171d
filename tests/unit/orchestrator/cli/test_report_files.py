"""A report goes where it can be kept, and into a stream that is open already."""

from __future__ import annotations

import os
import socket

import pytest

from orchestrator.cli.batch.report_files import is_same_file, refuse_no_file
from replay.errors import UsageError


def test_regular_files_absent_ones_and_open_streams_are_taken(tmp_path):
    (tmp_path / "there").write_text("")
    reads, writes = os.pipe()

    refuse_no_file(tmp_path / "there")
    refuse_no_file(tmp_path / "absent")
    for name in ("/dev/null", f"/dev/fd/{writes}"):
        refuse_no_file(type(tmp_path)(name))

    os.close(reads)
    os.close(writes)


@pytest.mark.parametrize("kind", ["directory", "pipe", "link to a pipe", "socket"])
def test_what_keeps_nothing_or_makes_one_wait_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "it"
    if kind == "directory":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("it")
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe")
        path = path if kind.startswith("link") else tmp_path / "pipe"

    with pytest.raises(UsageError, match="no file for a report"):
        refuse_no_file(path)


def test_one_file_is_one_under_each_of_its_names(tmp_path):
    one = tmp_path / "one"
    assert is_same_file(one, tmp_path / "x" / ".." / "one")
    one.write_text("")
    (tmp_path / "soft").symlink_to("one")
    os.link(one, tmp_path / "hard")

    assert is_same_file(one, tmp_path / "soft")
    assert is_same_file(one, tmp_path / "hard")
    assert not is_same_file(one, tmp_path / "two")
