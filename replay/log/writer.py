"""The writer: one thread that makes records durable in groups and says when they are.

The one invariant: a callback asked for with :meth:`Writer.after` runs only once its record is in
the store for good, and never after a failed commit. Nobody but this thread appends. As soon as
somebody waits, it commits whatever has gathered; a crowd shares one commit. Records that nobody
waits for linger a little for company: nothing outside depends on them yet, and a commit costs the
processor as much as the disk.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Final
from weakref import WeakSet

from replay.errors import LogError, ReplayError
from replay.events.entry import Entry
from replay.log.batch import entry_size_bytes
from replay.log.port import LogReader, Store
from replay.own_locks import OwnLock
from replay.tree.leaf import event_leaf, event_leaves
from replay.tree.merkle import Frontier

__all__ = ["Writer"]

# While a run is on stage, the methods of queues wait in its schedule; these are the real ones.
_put: Final = SimpleQueue.put
_get: Final = SimpleQueue.get
_qsize: Final = SimpleQueue.qsize
_RealThread = Thread
# A program's own handlers are run when it ends, which is earlier.
_register: Final = atexit.register
_unregister: Final = atexit.unregister

#: One commit takes at most this much; the rest makes the next one.
_GROUP_RECORDS_MAX: Final = 16_384
_GROUP_BYTES_MAX: Final = 32 * 1024 * 1024
#: Nothing lingers once this much has gathered.
_LINGER_BYTES_MAX: Final = 1024 * 1024
#: The hook is called no more often than this: to write the head costs as much as a commit.
_HOOK_PAUSE_S: Final = 0.05

_Callback = Callable[[], None]
#: In the queue: an entry or "close" (None).
_Item = Entry | None


class Writer:
    """Appends submitted records to a store, in order, on a thread named ``ritornello-writer``.

    Args:
        store: where records go. The writer appends to it until closed and does not close it.
        on_commit: called on the writer's thread after a commit and the callbacks it released,
            with the number of durable records and their root; writes the head. Commits within
            50 ms of the last call share the next one, which comes when that time is over. An
            error it raises fails the writer.
        on_failure: called once on the writer's thread, after ``failed`` was set.
        frontier: the tree over the records already in the store, if the caller has it; rebuilt
            from the store otherwise, at one read of all records.
        linger_ms: how long a record that nobody waits for may stay uncommitted.
    """

    def __init__(
        self,
        store: Store,
        *,
        on_commit: Callable[[int, bytes], None] | None = None,
        on_failure: Callable[[LogError], None] | None = None,
        frontier: Frontier | None = None,
        linger_ms: int = 50,
    ) -> None:
        self._store = store
        self._linger = linger_ms / 1000
        self._on_commit = on_commit
        self._on_failure = on_failure
        if frontier is None:
            frontier = Frontier()
            for entry in store.entries():
                frontier.append(event_leaf(entry.raw))
        if frontier.size != store.size():
            raise LogError(f"the tree has {frontier.size} leaves, the store {store.size()} records")
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        # Ends a linger: somebody waits, much has gathered, or the end has come.
        self._nudges: SimpleQueue[None] = SimpleQueue()
        # Guarded by the lock: what both the writer's thread and others look at together.
        self._lock = OwnLock()
        self._frontier = frontier
        self._durable = frontier.size
        self._waiting: list[tuple[int, int, _Callback]] = []
        self._waited = 0
        # Whether callbacks of records that are durable are still being called.
        self._calling = False
        self._gates: list[tuple[int, int, OwnLock]] = []
        # Written only by the writer's thread: what the hook was told, and when it is due again.
        self._hooked = frontier.size
        self._hook_due = 0.0
        self._failed: LogError | None = None
        self._told = False
        self._closed = False
        # Bytes are added by the submitting thread and taken off by the writer's.
        self._submitted_bytes = 0
        self._settled_bytes = 0
        self._submitted = frontier.size
        self._thread = _RealThread(target=self._run, name="ritornello-writer", daemon=True)
        self._running = True
        _writers.add(self)
        self._thread.start()
        # A program that ends without closing would cut the thread off in the middle of a commit.
        _register(self._close_at_exit)

    @property
    def durable(self) -> int:
        """The number of records that survive a crash."""
        return self._durable

    @property
    def failed(self) -> LogError | None:
        """Why nothing is written any more, or None."""
        return self._failed

    @property
    def pending_bytes(self) -> int:
        """Bytes of headers and new parts submitted and not yet durable; for back-pressure."""
        return self._submitted_bytes - self._settled_bytes

    def root(self) -> tuple[int, bytes]:
        """Return the number of durable records and the root of the tree over them."""
        with self._lock:
            return self._frontier.size, self._frontier.root()

    def frontier(self) -> Frontier:
        """Return a copy of the tree over the durable records."""
        with self._lock:
            return self._frontier.copy()

    def submit(self, entry: Entry) -> None:
        """Hand over the next record; returns at once. One thread at a time submits.

        Raises:
            LogError: an earlier record could not be made durable, or the writer is closed.
        """
        self._check()
        self._submitted += 1
        self._submitted_bytes += entry_size_bytes(entry)
        _put(self._queue, entry)
        if self._submitted_bytes - self._settled_bytes > _LINGER_BYTES_MAX:
            _put(self._nudges, None)

    def after(self, seq: int, callback: _Callback) -> None:
        """Call back once record ``seq`` is durable: on the writer's thread, in order of ``seq``.

        Calls at once on the caller's thread if the record is durable already. The callback must be
        short and must not raise. It is dropped if the writer fails.

        Raises:
            LogError: the writer has failed or is closed, and the record is not durable.
        """
        if seq >= self._durable:
            self._check()
        with self._lock:
            # What was durable before is called first: while the writer's thread is at that, this
            # one stands in line, or output would overtake output.
            waits = self._failed is None and (seq >= self._durable or self._calling)
            if waits:
                self._waited += 1
                heappush(self._waiting, (seq, self._waited, callback))
        if waits:
            _put(self._nudges, None)
            return
        if seq >= self._durable:
            self._check()
        callback()

    def flush(self) -> None:
        """Wait until every record submitted so far is durable.

        Raises:
            LogError: one of them could not be made durable.
        """
        target = self._submitted - 1
        gate = OwnLock()
        gate.acquire()
        with self._lock:
            waits = target >= self._durable and self._failed is None and self._running
            if waits:
                self._waited += 1
                heappush(self._gates, (target, self._waited, gate))
                _put(self._nudges, None)
        if waits:
            gate.acquire()
        if target >= self._durable:
            self._check()

    def reader(self) -> LogReader:
        """Return what reads the records submitted so far, once they are durable.

        Raises:
            LogError: one of them could not be made durable.
        """
        self.flush()
        return self._store

    def close(self) -> None:
        """Make durable what was submitted and end the thread. Closing twice is harmless.

        Raises:
            LogError: the writer has failed, and no call has said so yet: the hook may have been
                called when nobody listened any more.
        """
        self._closed = True
        _put(self._queue, None)
        _put(self._nudges, None)
        self._thread.join()
        _unregister(self._close_at_exit)
        if self._failed is None and self._durable != self._submitted:
            self._failed = LogError("records were submitted while the writer was closing")
        if self._failed is not None and not self._told:
            self._told = True
            raise self._failed

    def _close_at_exit(self) -> None:
        if self._running:
            self.close()

    def _check(self) -> None:
        if self._failed is not None:
            self._told = True
            raise self._failed
        if self._closed:
            raise LogError("the writer is closed")
        if not self._running:
            raise LogError(
                "the writer's thread is not in this process",
                hint="do not fork a recording process; start a new one (multiprocessing: spawn)",
            )

    # --- on the writer's thread -------------------------------------------------------------------

    def _run(self) -> None:
        closing = False
        while not closing:
            group, size, closing = self._gather()
            if self._failed is None:
                try:
                    if group:
                        self._commit(group, size)
                    self._call_hook(closing=closing)
                except Exception as error:  # noqa: BLE001 - whatever it is, no record may follow
                    self._fail(error)
        self._running = False

    def _gather(self) -> tuple[list[Entry], int, bool]:
        """Take records until somebody waits for them and no more are there; say if closing.

        Comes back with none when it is time for the hook.
        """
        queue = self._queue
        group: list[Entry] = []
        size = 0
        deadline = 0.0
        while len(group) < _GROUP_RECORDS_MAX and size < _GROUP_BYTES_MAX:
            if group and not _qsize(queue):
                if size > _LINGER_BYTES_MAX or not self._lingers(deadline):
                    break
                continue
            try:
                item = _get(queue, timeout=None if group else self._hook_wait())
            except Empty:
                break
            if item is None:
                return group, size, True
            if not group:
                deadline = monotonic() + self._linger
            group.append(item)
            size += entry_size_bytes(item)
        return group, size, False

    def _lingers(self, deadline: float) -> bool:
        """Wait for company, asleep whatever comes; return whether to look for more.

        To wake for every record would cost more than to make it durable.
        """
        nudges = self._nudges
        while _qsize(nudges):
            _get(nudges)
        if self._waiting or self._gates:
            return _qsize(self._queue) > 0
        remaining = deadline - monotonic()
        if remaining <= 0:
            return False
        with suppress(Empty):
            _get(nudges, timeout=remaining)
        return True

    def _commit(self, group: list[Entry], size: int) -> None:
        self._store.append(group)
        leaves = event_leaves([entry.raw for entry in group])
        with self._lock:
            self._frontier.extend(leaves)
            self._durable = durable = self._frontier.size
            self._settled_bytes += size
            while self._gates and self._gates[0][0] < durable:
                heappop(self._gates)[2].release()
            self._calling = True
        self._call_waiting()

    def _call_hook(self, *, closing: bool) -> None:
        """Call the hook, unless it knows all or was called a moment ago."""
        if self._hooked == self._durable:
            return
        if closing or monotonic() >= self._hook_due:
            self._hooked = self._durable
            self._hook_due = monotonic() + _HOOK_PAUSE_S
            if self._on_commit is not None:
                self._on_commit(*self.root())

    def _hook_wait(self) -> float | None:
        """Return how long to wait for a record before the hook is called, in seconds."""
        if self._hooked == self._durable or self._failed is not None:
            return None
        return max(0.0, self._hook_due - monotonic())

    def _call_waiting(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._waiting[0][0] >= self._durable:
                    self._calling = False
                    return
                callback = heappop(self._waiting)[2]
            callback()

    def _fail(self, error: Exception) -> None:
        if isinstance(error, LogError):
            failure = error
        else:
            what = error.message if isinstance(error, ReplayError) else repr(error)
            failure = LogError(f"the writer stopped: {what}")
            failure.__cause__ = error
        with self._lock:
            self._failed = failure
            self._waiting.clear()
            for _, _, gate in self._gates:
                gate.release()
            self._gates.clear()
        if self._on_failure is not None:
            self._on_failure(failure)


def _forked() -> None:
    """A forked child inherits the writers, but not their threads."""
    for writer in list(_writers):
        writer._running = False


_writers: Final[WeakSet[Writer]] = WeakSet()
os.register_at_fork(after_in_child=_forked)
