"""What other threads do while a stopped run is taken down is in no record."""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import closing

import pytest

from replay.errors import CaptureError
from replay.events.kinds import ReadingsTaken
from replay.session.opening import open_run
from replay.session.record import record_program
from replay.session.replay import replay_log
from replay.sources.history import History


def test_a_thread_that_unwinds_after_the_stop_records_no_reading(tmp_path):
    unwound = []

    def waits(forever):
        try:
            forever.wait()
        finally:
            unwound.append(True)
            print("late", time.time_ns(), file=sys.stderr)

    def program():
        forever = threading.Event()
        threads = [threading.Thread(target=waits, args=(forever,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        print("before", time.time_ns())
        socket.create_connection(("127.0.0.1", 9))

    with pytest.raises(CaptureError):
        record_program(program, entry="test", workspace=tmp_path, dialects=())
    assert unwound == [True, True]
    (directory,) = (tmp_path / "runs").iterdir()
    with closing(open_run(directory.name, workspace=tmp_path)) as store:
        history = History(store)
        taken = [
            reading.source
            for entry in store.entries()
            if entry.header.kind == "ReadingsTaken"
            and isinstance(payload := history.payload(entry)[0], ReadingsTaken)
            for reading in payload.readings
        ]
        assert taken.count("time_ns") == 1, taken
        assert replay_log(store, program, dialects=()).verdict == "incomplete"
