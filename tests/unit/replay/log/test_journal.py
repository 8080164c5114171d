"""The journal: what it holds is whole and continues the database, or it is refused."""

from __future__ import annotations

import os

import pytest

from replay.errors import IntegrityError
from replay.log.frames import encode_frame
from replay.log.journal import JOURNAL_BYTES_MAX, JOURNAL_ROWS_MAX, Journal, read_tail


def rows(first, count, part=None):
    """Rows of records, each with a part if the ordinal of the first one is given."""
    found = []
    for number in range(count):
        found.append((first + number, None, b"{}", b"", None))
        if part is not None:
            found.append((first + number, part + number, b"data", b"about", None))
    return found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.journal"


@pytest.fixture
def journal(path):
    opened = Journal.open(path)
    yield opened
    opened.close(remove=False)


def test_what_was_added_is_what_is_behind_the_database(path, journal):
    first, second = rows(5, 2, part=3), [(7, None, b"h", b"r", "a.py:1 main")]

    assert journal.append(first, 10)
    assert journal.append(second, 10)

    tail = read_tail(path, 5, 3)
    assert (tail.stored, tail.rows) == (5, [*first, *second])
    assert tail.between(6, 8) == [*first[2:], *second]
    assert [row[0] for row in tail.headers(0, 7)] == [5, 6]


def test_what_the_database_has_taken_already_is_passed_over(path, journal):
    journal.append(rows(0, 3, part=0), 10)
    journal.append(rows(3, 2, part=3), 10)

    assert read_tail(path, 3, 3).rows == rows(3, 2, part=3)
    assert read_tail(path, 5, 5).rows == []
    assert read_tail(path, 9, 9).rows == []


def test_no_journal_and_an_empty_one_hold_nothing(path, tmp_path, journal):
    assert read_tail(tmp_path / "none", 4, 2).rows == []
    assert read_tail(path, 4, 2).stored == 4


def test_an_emptied_journal_begins_anew(path, journal):
    journal.append(rows(0, 3), 10)
    journal.empty()
    journal.append(rows(3, 1), 10)

    assert read_tail(path, 3, 0).rows == rows(3, 1)


def test_there_is_no_room_for_more_than_it_holds_at_most(path, journal):
    assert not journal.append(rows(0, JOURNAL_ROWS_MAX + 1), 10)
    assert not journal.append(rows(0, 1), JOURNAL_BYTES_MAX + 1)
    assert not journal.append([(0, None, bytes(JOURNAL_BYTES_MAX), b"", None)], 10)
    assert path.stat().st_size == 0
    assert journal.append(rows(0, JOURNAL_ROWS_MAX), 10)
    assert not journal.append(rows(JOURNAL_ROWS_MAX, 1), 10)
    assert len(read_tail(path, 0, 0).rows) == JOURNAL_ROWS_MAX


def test_an_append_that_was_cut_off_anywhere_leaves_what_was_before_it(path, journal):
    journal.append(rows(0, 2, part=0), 10)
    before = path.read_bytes()
    journal.append(rows(2, 2, part=2), 10)
    whole = path.read_bytes()

    for size in range(len(before), len(whole)):
        path.write_bytes(whole[:size])
        assert read_tail(path, 0, 0).rows == rows(0, 2, part=0)
    # A loss of power may leave the size without the bytes.
    path.write_bytes(before + bytes(len(whole) - len(before)))
    assert read_tail(path, 0, 0).rows == rows(0, 2, part=0)


def test_a_changed_bit_before_the_last_frame_is_damage_or_ends_the_journal_there(path, journal):
    journal.append(rows(0, 2, part=0), 10)
    size = path.stat().st_size
    journal.append(rows(2, 2, part=2), 10)
    whole = path.read_bytes()
    damaged = 0

    for bit in range(size * 8):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            left = read_tail(path, 0, 0).rows
        except IntegrityError:
            damaged += 1
        else:
            assert left == []  # fewer than the head knows of

    assert damaged > size * 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encode_frame(b"\x93"), "frame 0 of the journal holds no rows"),
        (encode_frame(b"\x91\x95\x00\xc0\xc0\xc0\xc0"), "frame 0 of the journal holds no rows"),
        (encode_frame(b"\x91\x95\x03\xc0\xc4\x00\xc4\x00\xc0"), "records 0 to 2 are missing"),
        (encode_frame(b"\x92" + b"\x95\x00\xc0\xc4\x00\xc4\x00\xc0" * 2), "repeat after record 0"),
        (encode_frame(b"\x91\x95\x00\x00\xc4\x00\xc4\x00\xc0"), "repeat after record -1"),
        (
            encode_frame(b"\x92\x95\x00\xc0\xc4\x00\xc4\x00\xc0\x95\x00\x07\xc4\x00\xc4\x00\xc0"),
            "repeat after record 0",
        ),
    ],
)
def test_a_journal_that_nobody_wrote_like_this_is_refused(path, content, message):
    path.write_bytes(content)

    with pytest.raises(IntegrityError, match=message):
        read_tail(path, 0, 0)


def test_a_link_is_not_followed_and_a_pipe_is_not_waited_for(path, tmp_path):
    (tmp_path / "elsewhere").write_bytes(encode_frame(b"\x90"))
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        read_tail(path, 0, 0)
    with pytest.raises(OSError, match="symbolic link"):
        Journal.open(path)

    path.unlink()
    os.mkfifo(path)
    for opening in (lambda: read_tail(path, 0, 0), lambda: Journal.open(path)):
        with pytest.raises(OSError, match="not a regular file"):
            opening()
