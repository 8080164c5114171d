"""A frame that was acknowledged stays; what an interrupted append left is told apart from it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import IntegrityError, LogError
from replay.log import frames as module
from replay.log.frames import FrameFile, encode_frame, parse_frames, read_frames

DATAS = [b"first", b"", b"third" * 100]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "log"
    with FrameFile.locked(path) as file:
        file.append(DATAS)
    return path


def test_what_was_appended_is_read_in_order(path):
    frames = read_frames(path)

    assert frames.frames == tuple(DATAS)
    assert frames.size_bytes == path.stat().st_size
    assert frames.tail_bytes == 0


def test_the_file_is_readable_by_its_owner_only(path):
    assert path.stat().st_mode & 0o777 == 0o600


def test_reading_changes_no_byte_and_no_time(path):
    path.write_bytes(path.read_bytes() + b"torn")
    path.chmod(0o400)
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ctime_ns)

    read_frames(path)

    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ctime_ns) == before


def test_appending_goes_on_where_another_stopped(path):
    with FrameFile.locked(path) as file:
        start = file.read().size_bytes
        file.append([b"fourth"])

        assert file.read(start).frames == (b"fourth",)
        assert file.read(start).ends == (path.stat().st_size,)


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(min_value=0))
def test_every_cut_leaves_a_prefix_and_names_the_rest(datas, cut):
    block = b"".join(encode_frame(data) for data in datas)
    kept = block[: cut % (len(block) + 1)]

    frames = parse_frames(kept)

    assert frames.frames == tuple(datas[: len(frames.frames)])
    assert frames.size_bytes + frames.tail_bytes == len(kept)


@given(st.binary(min_size=1, max_size=60), st.integers(min_value=0), st.integers(0, 7))
def test_every_flipped_bit_is_noticed(data, place, bit):
    block = bytearray(encode_frame(data))
    block[place % len(block)] ^= 1 << bit

    assert parse_frames(bytes(block)).frames == ()


def test_a_tail_of_zeros_is_no_frame():
    assert parse_frames(bytes(4096)).tail_bytes == 4096


def test_an_absurd_length_is_not_believed():
    block = (0xFFFFFFFF).to_bytes(4, "little") + bytes(1000)

    assert parse_frames(block).tail_bytes == len(block)


def test_a_frame_over_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(module, "FRAME_SIZE_MAX", 10)

    with pytest.raises(LogError):
        encode_frame(b"12345678901")


def test_the_tail_is_cut_on_request_only(path):
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"torn")

    with FrameFile.locked(path) as file:
        assert file.read().tail_bytes == 4
        file.cut_tail(file.read().size_bytes)

    assert path.stat().st_size == whole


def test_a_file_that_became_shorter_is_damage(path):
    with FrameFile.locked(path) as file, pytest.raises(IntegrityError):
        file.read(path.stat().st_size + 1)


def test_an_append_that_fails_leaves_the_file_as_it_was(path, monkeypatch):
    before = path.read_bytes()
    real = os.write

    def full(descriptor, data):
        real(descriptor, bytes(data)[:7])
        raise OSError(28, "No space left on device")

    with FrameFile.locked(path) as file:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(LogError, match="No space left"):
            file.append([b"never acknowledged"])
        monkeypatch.undo()

    assert path.read_bytes() == before


def test_a_missing_file_cannot_be_read(tmp_path):
    with pytest.raises(LogError):
        read_frames(tmp_path / "absent")


def test_a_link_is_not_followed(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)

    with pytest.raises(LogError), FrameFile.locked(link):
        pass


def test_processes_append_one_at_a_time(tmp_path):
    program = (
        "import sys, pathlib\n"
        "from replay.log.frames import FrameFile\n"
        "for number in range(20):\n"
        "    with FrameFile.locked(pathlib.Path(sys.argv[1])) as file:\n"
        "        count = len(file.read().frames)\n"
        "        file.append([f'{count}'.encode()])\n"
    )
    path = tmp_path / "log"

    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, path], env=os.environ | {"PYTHONPATH": "."}
        )
        for _ in range(3)
    ]

    assert [process.wait() for process in running] == [0, 0, 0]
    assert read_frames(path).frames == tuple(f"{number}".encode() for number in range(60))


def test_the_frame_is_what_the_format_says():
    """CRC-32 as in zlib, over the length and the bytes, so that other languages can read it."""
    assert encode_frame(b"abc").hex() == "03000000335de166616263"
