"""What an effect may do without stopping the run, and what it may not see."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from contextlib import closing

import pytest

import replay
from replay import effect
from replay.doors.effects import plain_json
from replay.doors.failures import OutsideError
from replay.events.payload import decode_payload
from replay.session.opening import open_run


@effect
async def echo(value):
    return value


@effect
async def counts(values) -> int:
    return 1


class Thing:
    """What is not data."""


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


def records(workspace, kind):
    """The records of the last run whose kind begins like this."""
    with closing(open_run("last", workspace=workspace)) as log:
        return [entry for entry in log.entries() if entry.header.kind.startswith(kind)]


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


@pytest.mark.parametrize("values", [{3, 1, 2}, [Thing(), 1], {"of": Thing()}, "text", None, 1.5])
def test_arguments_are_recorded_alike_whether_all_of_them_are_data_or_not(tmp_path, values):
    async def main():
        return await counts(values)

    identical(main, tmp_path)
    (started,) = records(tmp_path, "EffectStarted")
    head, _ = decode_payload("json", started.brought[0].data)
    assert head.arguments == plain_json({"values": values})


def test_whoever_takes_an_answer_for_the_task_that_asked_knows_what_that_one_knew(tmp_path):
    async def main():
        coroutine = echo("asked")

        async def asks():
            await echo("before")
            return coroutine.send(None)

        async def takes(waits):
            await waits
            with pytest.raises(StopIteration) as ended:
                coroutine.send(None)
            return await echo(ended.value.value)

        waits = await asyncio.create_task(asks())
        waits._asyncio_future_blocking = False  # asyncio's word for a future that was handed over
        return await asyncio.create_task(takes(waits))

    assert identical(main, tmp_path) == "asked"
    answer, after = (entry.header for entry in records(tmp_path, "Effect")[3:5])
    assert (answer.kind, after.kind) == ("EffectReturned", "EffectStarted")
    assert answer.task != after.task
    assert answer.seq in after.causes


def test_what_an_effect_does_to_its_arguments_does_not_reach_the_program(tmp_path):
    async def main():
        mine = [1]
        return await appends(mine), mine

    assert identical(main, tmp_path) == (2, [1])


def test_whoever_takes_an_answer_that_has_come_knows_what_the_one_knew_who_asked(tmp_path):
    async def main():
        coroutine, box = echo("asked"), []

        async def asks():
            await echo("before")
            box.append(coroutine.send(None))
            await asyncio.sleep(1)

        async def takes():
            await asyncio.sleep(0.5)
            assert box[0].done()
            await box[0]
            return await echo("after")

        asking = asyncio.create_task(asks())
        taken = await asyncio.create_task(takes())
        coroutine.close()
        await asking
        return taken

    assert identical(main, tmp_path) == "after"
    answer, after = (entry.header for entry in records(tmp_path, "Effect")[3:5])
    assert (answer.kind, after.kind) == ("EffectReturned", "EffectStarted")
    assert answer.task != after.task
    assert answer.seq in after.causes


def test_answers_in_a_set_are_in_the_order_in_which_they_were_asked_for(tmp_path):
    async def main():
        coroutines = [echo(number) for number in range(8)]
        futures = [each.send(None) for each in coroutines]
        order = [futures.index(each) for each in {*futures}]
        for each in coroutines:
            each.close()
        return order

    assert identical(main, tmp_path) == list(range(8))


def test_a_field_of_an_argument_is_read_once(tmp_path):
    reads = []

    class Counting:
        def __get__(self, owner, kind=None):
            reads.append(owner)
            return len(reads)

        def __set__(self, owner, value):
            pass

    @dataclasses.dataclass
    class Counted:
        x: int = Counting()

    async def main():
        reads.clear()
        return await counts([Counted(), Thing()])

    identical(main, tmp_path)
    (started,) = records(tmp_path, "EffectStarted")
    assert len(reads) == 1
    assert b'{"x":1}' in started.brought[0].data
