"""The engine's own doing on a thread of the program is marked as such, and only that."""

from __future__ import annotations

import os
import time

import pytest

import replay
from replay.doors.context import bound, current
from replay.scheduler.engine_side import EngineSide


def test_no_door_stands_in_the_way_of_it_and_all_do_behind_it(tmp_path):
    seen = []

    def program():
        scheduler = bound().scheduler
        with EngineSide(scheduler):
            seen.append(current())
            with EngineSide(scheduler):
                os.urandom(3)
            seen.append(current())
            time.time_ns()
        seen.append(current())
        with pytest.raises(ZeroDivisionError), EngineSide(scheduler):
            1 / 0  # noqa: B018
        seen.append(current())
        return time.time_ns()

    recording = replay.record(program, workspace=tmp_path)
    assert isinstance(recording.result(), int)
    assert [each is None for each in seen] == [True, True, False, False]
    seen.clear()
    assert replay.replay(recording, program, workspace=tmp_path).verdict == "identical"
