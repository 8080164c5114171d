"""Faults at the ports: DuckDB's connection and the system calls of the engine's own files.

Everything else is real. A fault either keeps a call from happening or lets it happen and loses the
answer; it hits one call, or that call and all of its kind until the process is started again.
"""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import duckdb

from replay.log import duckdb_schema

__all__ = ["Disk", "on_disk"]

_SEAL = b'"kind":"RunSealed"'
_REAL_CONNECT = duckdb_schema.connect


class Disk:
    """What stands between the engine and its files.

    Args:
        point: the name of a write point, or several with `` and `` between them.
        happens: whether the call is made before it fails.
        lasts: whether all later calls of that name fail too.
        skip: calls of that name that go well before.
    """

    def __init__(self, point="", *, happens=False, lasts=False, skip=0):
        self.point = point
        self.happens = happens
        self.lasts = lasts
        self.skip = skip
        self.hit = 0
        self.sealing = False
        self.sealed = False
        self.passed = []
        self._lock = threading.Lock()
        self._connections = []

    def at(self, name, call, error):
        """Make a call at a write point, or fail as the table says."""
        with self._lock:
            self.passed.append(name)
            fails = name in self.point.split(" and ") and (self.lasts or not self.hit)
            fails = fails and self.passed.count(name) > self.skip
            self.hit += fails
        if not fails:
            return call()
        if self.happens:
            call()
        raise error

    def connected(self, connection):
        """Remember a connection, which may fail to close."""
        self._connections.append(connection)

    def let_go(self):
        """Close what the end of the process would close."""
        for connection in self._connections:
            connection.close()


def _no_space():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _io_error(doing):
    return duckdb.IOException(f"IO Error: Could not {doing}: No space left on device")


class _Wrapped:
    def __init__(self, real, disk):
        self._real = real
        self._disk = disk

    def __getattr__(self, name):
        return getattr(self._real, name)


class _Appender(_Wrapped):
    def append_rows(self, rows):
        rows = list(rows)
        self._disk.sealing = any(
            isinstance(field, bytes) and _SEAL in field for row in rows for field in row
        )
        self._real.append_rows(rows)


class _Cursor(_Wrapped):
    """A cursor checkpoints only on the thread that does so beside the commits."""

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self._real.close()

    def execute(self, query, *arguments):
        if query != "CHECKPOINT":
            return self._real.execute(query, *arguments)
        return self._disk.at(
            "checkpoint beside commits", lambda: self._real.execute(query), _io_error("truncate")
        )


class _Connection(_Wrapped):
    def __init__(self, real, disk):
        super().__init__(real, disk)
        self._appends = False

    def execute(self, query, *arguments):
        name = "statement"
        if query == "CHECKPOINT":
            name = "checkpoint at the end" if self._appends else "checkpoint of the new log"
        elif "CREATE TABLE log" in query:
            name = "tables of the new log"
        return self._disk.at(
            name, lambda: self._real.execute(query, *arguments), _io_error("write")
        )

    def commit(self):
        if not self._appends:
            return self._real.commit()
        sealing = self._disk.sealing

        def commit():
            self._real.commit()
            self._disk.sealed = self._disk.sealed or sealing

        return self._disk.at(
            "commit of the seal" if sealing else "commit", commit, _io_error("write")
        )

    def appender(self, table):
        self._appends = True
        return _Appender(self._real.appender(table), self._disk)

    def cursor(self):
        return _Cursor(self._real.cursor(), self._disk)

    def close(self):
        self._disk.at("closing the log", self._real.close, _io_error("close"))


class _Awaited(threading.Thread):
    """A checkpoint that is over before the next commit, so that a test knows where it fell."""

    def start(self):
        super().start()
        self.join()


class _System:
    """The module ``os`` with the calls by which the engine writes its own files."""

    def __init__(self, disk):
        self._disk = disk
        self._names = {}
        self._seals = False

    def __getattr__(self, name):
        return getattr(os, name)

    def _name(self, path):
        """Name a file as the table does; one head is the run's, the other the workspace's."""
        path = Path(os.fsdecode(path))
        if path.name in {"head", "head.new"}:
            owner = "workspace" if (path.parent / "workspace.log").exists() else "run"
            last = owner == "run" and self._disk.sealed
            return f"{'last ' if last else ''}head of the {owner}"
        if path.name == "log.journal":
            return "journal"
        if path.name == "workspace.log":
            return "workspace record"
        if path.name == "out":
            return "bundle's directory"
        if path.parent.name == "runs":
            return "directory of the run"
        return "directory of runs" if path.name == "runs" else path.name

    def open(self, path, flags, *arguments):
        descriptor = os.open(path, flags, *arguments)
        self._names[descriptor] = self._name(path)
        if flags & os.O_NONBLOCK and not flags & (os.O_WRONLY | os.O_RDWR):
            del self._names[descriptor]  # read by a file object, which closes it unseen
        return descriptor

    def write(self, descriptor, data):
        name = self._names.get(descriptor, "")
        if name == "journal":
            self._seals = _SEAL in data
            name = self._journal()
        return self._disk.at(f"{name}: write", lambda: os.write(descriptor, data), _no_space())

    def _journal(self):
        return "journal of the seal" if self._seals else "journal"

    def fdatasync(self, descriptor):
        def flush():
            os.fdatasync(descriptor)
            self._disk.sealed = self._disk.sealed or self._seals

        self._disk.at(f"{self._journal()}: flush", flush, _no_space())

    def fsync(self, descriptor):
        # What the engine did not open by itself is a bundle's temporary file.
        name = self._names.get(descriptor, "bundle")
        self._disk.at(f"{name}: flush", lambda: os.fsync(descriptor), _no_space())

    def close(self, descriptor):
        self._names.pop(descriptor, None)
        os.close(descriptor)

    def ftruncate(self, descriptor, size):
        name = self._names.get(descriptor, "")
        what = "cut" if name == "journal" else "undo"
        self._disk.at(f"{name}: {what}", lambda: os.ftruncate(descriptor, size), _no_space())

    def rename(self, source, target):
        name = self._name(target)
        self._disk.at(f"{name}: rename", lambda: Path(source).rename(target), _no_space())

    replace = rename


def on_disk(disk, put, *others):
    """Put a disk under the engine's log, and under other modules.

    Args:
        disk: the disk.
        put: sets an attribute by its dotted name, such as ``monkeypatch.setattr``.
        others: dotted names of modules that are to have its system calls too.
    """
    system = _System(disk)

    def connect(path, *, read_only):
        connection = _REAL_CONNECT(path, read_only=read_only)
        disk.connected(connection)
        return connection if read_only else _Connection(connection, disk)

    put("replay.log.duckdb_store.connect", connect)
    put("replay.log.duckdb_store._RealThread", _Awaited)
    for module in ("head", "frames", "journal", "duckdb_store", "regular_files"):
        put(f"replay.log.{module}.os", system)
    for module in others:
        put(f"{module}.os", system)
    return disk
