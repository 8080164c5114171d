"""Event loops that would run outside the schedule are refused by name, live and in a replay."""

from __future__ import annotations

import asyncio

import pytest

from replay.errors import LoopMethodError, UsageError
from replay.scheduler.loop import DeterministicLoop
from replay.scheduler.outside import OutsideMethods
from tests.support.reruns import identical

uvloop = pytest.importorskip("uvloop")


async def _nothing():
    return 1


def _run(loop):
    try:
        return loop.run_until_complete(_nothing())
    finally:
        loop.close()


@pytest.mark.parametrize("make", [uvloop.new_event_loop, uvloop.Loop])
def test_uvloop_is_refused_by_name_in_a_recording_and_in_its_replay(make, tmp_path):
    async def main():
        def elsewhere():
            waiting = _nothing()
            try:
                return make().run_until_complete(waiting)
            finally:
                waiting.close()

        try:
            await asyncio.to_thread(elsewhere)
        except UsageError as error:
            print(error.message)

    found = identical(main, tmp_path)

    assert found.live == "uvloop.Loop would run outside the schedule\n"


def test_uvloop_runs_where_no_run_is():
    assert _run(uvloop.new_event_loop()) == 1


def test_every_method_of_an_event_loop_is_there_or_refused_by_name():
    ours = {name for kind in (DeterministicLoop, OutsideMethods) for name in vars(kind)}
    # Asyncio's own, which say `NotImplementedError`.
    left = {"add_signal_handler", "remove_signal_handler"}

    missing = {
        name
        for name, value in vars(asyncio.AbstractEventLoop).items()
        if not name.startswith("_") and callable(value) and name not in ours | left
    }

    assert missing == set()


def test_a_refused_method_is_named_and_is_what_libraries_look_out_for(tmp_path):
    async def main():
        try:
            asyncio.get_running_loop().add_reader(0, print)
        except NotImplementedError as error:
            print(isinstance(error, LoopMethodError), error)

    found = identical(main, tmp_path)

    assert found.live == "True the event loop of a run has no add_reader\n"
