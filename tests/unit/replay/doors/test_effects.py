"""What an effect may do without stopping the run, and what it may not see."""

from __future__ import annotations

import asyncio
import sys

import pytest

import replay
from replay import effect
from replay.doors.failures import OutsideError


@effect
async def echo(value):
    return value


@effect
async def raises_half_characters():
    raise ValueError("\ud800")


@effect
async def cancels_itself():
    raise asyncio.CancelledError


@effect
async def leaves():
    sys.exit(3)


@effect
def leaves_from_a_thread():
    sys.exit(3)


@effect
async def appends(items: list[int]) -> int:
    items.append(9)
    return len(items)


def identical(main, workspace):
    recording = replay.record(main, workspace=workspace, dialects=())
    assert recording.error is None
    assert replay.replay("last", main, workspace=workspace, dialects=()).verdict == "identical"
    return recording.result()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "broken", [raises_half_characters, cancels_itself, leaves, leaves_from_a_thread]
)
def test_an_effect_that_ends_oddly_answers_and_the_next_one_still_runs(tmp_path, broken):
    async def main():
        with pytest.raises(OutsideError):
            await broken() if asyncio.iscoroutinefunction(broken) else broken()
        return await echo("next")

    assert identical(main, tmp_path) == "next"


def test_an_effect_gets_its_arguments_as_they_were_recorded(tmp_path):
    async def main():
        asked = [1]
        answer = asyncio.create_task(echo({"asked": asked}))
        await asyncio.sleep(0)
        asked.append(2)
        return await answer

    assert identical(main, tmp_path) == {"asked": [1]}


def test_what_an_effect_does_to_its_arguments_does_not_reach_the_program(tmp_path):
    async def main():
        mine = [1]
        return await appends(mine), mine

    assert identical(main, tmp_path) == (2, [1])
