"""A file of frames that only grows: length, CRC, bytes; locked, flushed, and read without a trace.

The one invariant: a frame that was acknowledged is never dropped. What an interrupted append may
leave is a torn tail: bytes after the last whole frame that nobody was told of. Only that is cut
off, only under the lock, and the caller learns of it. Anything else that cannot be read is damage
and is left as it is.

A frame is: length of the bytes and CRC-32 of length and bytes (unsigned 32-bit, little endian),
then the bytes. The CRC finds accidents; against intent there is the tree over what frames hold.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from replay.errors import IntegrityError, LogError
from replay.log.regular_files import open_regular

__all__ = [
    "FRAME_SIZE_MAX",
    "FrameFile",
    "Frames",
    "encode_frame",
    "flush_data",
    "flush_directory",
    "frame_end",
    "parse_frames",
    "read_frames",
]

FRAME_SIZE_MAX: Final = 16 << 20
_PREFIX_BYTES: Final = 8


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of frames holds.

    Attributes:
        frames: bytes of each whole frame, in order.
        ends: file offset after each of them.
        tail_bytes: bytes after the last whole frame; more than 0 is a torn tail or damage.
    """

    frames: tuple[bytes, ...]
    ends: tuple[int, ...]
    tail_bytes: int

    @property
    def size_bytes(self) -> int:
        """The size of the whole frames."""
        return self.ends[-1] if self.ends else 0


def encode_frame(data: bytes) -> bytes:
    """Return the frame around some bytes.

    Raises:
        LogError: they are more than ``FRAME_SIZE_MAX``.
    """
    if len(data) > FRAME_SIZE_MAX:
        raise LogError(f"a frame of {len(data)} bytes is over the limit of {FRAME_SIZE_MAX}")
    length = len(data).to_bytes(4, "little")
    return length + _crc(length, data) + data


def parse_frames(data: bytes, start: int = 0) -> Frames:
    """Read whole frames until the bytes end or make no sense.

    Args:
        data: content of the file from ``start`` on.
        start: file offset of the first byte, which is the start of a frame.
    """
    frames: list[bytes] = []
    ends: list[int] = []
    position = 0
    while position + _PREFIX_BYTES <= len(data):
        length = int.from_bytes(data[position : position + 4], "little")
        begin = position + _PREFIX_BYTES
        end = begin + length
        # The CRC of an empty frame is not zero, so a tail of zeros is never a frame.
        if length > FRAME_SIZE_MAX or end > len(data):
            break
        content = data[begin:end]
        if _crc(data[position : position + 4], content) != data[position + 4 : begin]:
            break
        frames.append(content)
        ends.append(start + end)
        position = end
    return Frames(frames=tuple(frames), ends=tuple(ends), tail_bytes=len(data) - position)


def frame_end(data: bytes, start: int) -> int | None:
    """Return where the frame at ``start`` says that it ends, or None if that is not in the data."""
    begin = start + _PREFIX_BYTES
    length = int.from_bytes(data[start : start + 4], "little")
    # No frame is empty, so a tail of zeros is none.
    return begin + length if 0 < length <= len(data) - begin else None


def read_frames(path: Path) -> Frames:
    """Read a file of frames under a shared lock. Changes no byte, needs no write permission.

    Raises:
        LogError: the file cannot be opened or read.
    """
    with _opened(path, os.O_RDONLY, fcntl.LOCK_SH) as descriptor:
        return parse_frames(_read_from(descriptor, 0, path))


class FrameFile:
    """The file opened for appending, under its exclusive lock. See :meth:`locked`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    @contextmanager
    def locked(cls, path: Path) -> Iterator[FrameFile]:
        """Open the file, creating it if need be, and hold its lock; wait for other holders.

        Raises:
            LogError: the file cannot be created, opened or locked.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        with _opened(path, flags, fcntl.LOCK_EX) as descriptor:
            yield cls(path, descriptor)

    def read(self, start: int = 0) -> Frames:
        """Read the frames from an offset on, which must be the start of a frame or the end."""
        return parse_frames(_read_from(self._descriptor, start, self._path), start)

    def has(self, data: bytes, end: int) -> bool:
        """Return whether some bytes stand in the file, up to an offset."""
        try:
            return os.pread(self._descriptor, len(data), end - len(data)) == data
        except OSError as error:
            raise _failed("read", self._path, error) from error

    def cut_tail(self, size_bytes: int) -> None:
        """Cut off a torn tail, durably: keep the first ``size_bytes`` bytes.

        The caller has made sure that no acknowledged frame lies beyond.

        Raises:
            LogError: the disk refuses.
        """
        try:
            os.ftruncate(self._descriptor, size_bytes)
            _flush(self._descriptor)
        except OSError as error:
            raise _failed("cut", self._path, error) from error

    def append(self, datas: list[bytes]) -> int:
        """Append frames; return their size in the file once they are durable.

        After a failure the file is as before, or has a torn tail if even that could not be undone.

        Raises:
            LogError: the disk refuses; nothing was acknowledged.
        """
        block = b"".join([encode_frame(data) for data in datas])
        before = os.fstat(self._descriptor).st_size
        try:
            written = 0
            while written < len(block):
                written += os.write(self._descriptor, block[written:])
            _flush(self._descriptor)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, before)
            raise _failed("written", self._path, error) from error
        return len(block)

    def replace(self, datas: list[bytes]) -> None:
        """Put a new file with these frames in the place of this one, durably, in one step.

        Who waits for the lock of this file opens the new one. This one is not to be used again.

        Raises:
            LogError: the disk refuses; the old file or the new one is in place, whole.
        """
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            fresh.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
                file.write(b"".join([encode_frame(data) for data in datas]))
                file.flush()
                _flush(file.fileno())
            fresh.rename(self._path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise _failed("written anew", self._path, error) from error
        flush_directory(self._path.parent)


def flush_directory(path: Path) -> None:
    """Make created, renamed and removed names in a directory durable.

    Raises:
        LogError: the directory cannot be opened or flushed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _failed("flushed", path, error) from error


@contextmanager
def _opened(path: Path, flags: int, lock: int) -> Iterator[int]:
    while True:
        try:
            descriptor = open_regular(path, flags)
        except OSError as error:
            raise _failed("opened", path, error) from error
        try:
            try:
                fcntl.flock(descriptor, lock)
            except OSError as error:
                raise _failed("locked", path, error) from error
            # Who had the lock before may have put another file in the place of this one.
            if _is_at(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)  # which releases the lock


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still the one of that name."""
    try:
        named = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _failed("opened", path, error) from error
    return os.path.samestat(os.fstat(descriptor), named)


def _read_from(descriptor: int, start: int, path: Path) -> bytes:
    try:
        size = os.fstat(descriptor).st_size
        if size < start:
            raise IntegrityError(
                f"the file has {size} bytes, and had at least {start}",
                where=str(path),
                hint="restore it from a copy; acknowledged records are gone",
            )
        pieces = []
        while start < size:
            piece = os.pread(descriptor, size - start, start)
            if not piece:
                break
            pieces.append(piece)
            start += len(piece)
    except OSError as error:
        raise _failed("read", path, error) from error
    return b"".join(pieces)


def _crc(length: bytes, data: bytes) -> bytes:
    return zlib.crc32(data, zlib.crc32(length)).to_bytes(4, "little")


def _flush(descriptor: int) -> None:
    """Flush to the disk itself; on macOS ``fsync`` alone stops at the drive's cache."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def flush_data(descriptor: int) -> None:
    """Flush what was written to a file and its size, and no more than that where it is cheaper.

    Raises:
        OSError: the disk refuses.
    """
    if hasattr(fcntl, "F_FULLFSYNC"):
        _flush(descriptor)
    else:
        os.fdatasync(descriptor)


def _failed(verb: str, path: Path, error: OSError) -> LogError:
    return LogError(
        f"the file cannot be {verb}: {error.strerror}",
        where=str(path),
        hint="free space, permissions; nothing acknowledged was lost",
    )
