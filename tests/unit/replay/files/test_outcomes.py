"""What the disk said survives the record, and what no disk says is refused."""

import errno
import os

import pytest

from replay.errors import IntegrityError
from replay.files.outcomes import asked, pack_stat, unpack, unpack_stat


def test_a_stat_result_comes_back_field_by_field(tmp_path):
    (tmp_path / "f").write_text("content")
    os.utime(tmp_path / "f", ns=(-1, 1_700_000_000_123_456_789))

    for path in (tmp_path, tmp_path / "f", "/dev/null"):
        real = os.stat(path)  # noqa: PTH116 - as the engine asks
        again = unpack_stat(pack_stat(real), "here")
        fields = [name for name in dir(real) if name.startswith("st_")]
        assert [getattr(again, name) for name in fields] == [getattr(real, name) for name in fields]
        assert (tuple(again), repr(again)) == (tuple(real), repr(real))


def test_an_error_comes_back_with_the_names_of_the_program():
    def fail():
        raise PermissionError(errno.EACCES, "Permission denied", "/recorded/name")

    value = asked(fail)

    assert value == ["error", "EACCES", "Permission denied"]
    with pytest.raises(PermissionError, match=r"\[Errno 13\] Permission denied: 'a' -> 'b'"):
        unpack(value, "here", ("a", "b"))


@pytest.mark.parametrize(
    "value",
    [
        None, 1, "ok", [], ["maybe"], ["ok", 1], ["error"], ["error", "ENOENT"],
        ["error", "__import__", "x"], ["error", "EVIL", "x"], ["error", "ENOENT", "x" * 301],
    ],
)  # fmt: skip
def test_an_answer_that_no_disk_gives_is_refused(value):
    with pytest.raises(IntegrityError):
        unpack(value, "here", ("a",))


@pytest.mark.parametrize(
    "packed", [[], ["1"] * 13, ["x"] * 14, ["9" * 30] * 14, ["1" * 13 + "\n"] * 14, ["٣"] * 14]
)
def test_a_stat_that_is_none_is_refused(packed):
    with pytest.raises(IntegrityError):
        unpack_stat(packed, "here")
