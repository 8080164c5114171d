"""The global generator, one for each run, under every name it was imported."""

import asyncio
import random
from random import choice, gauss, getrandbits, getstate, seed, setstate
from random import random as draw

import replay
from replay.doors.surroundings.global_random import GlobalRandomDoor

SEED = bytes(range(16))


def drawn():
    first = [draw(), getrandbits(70), choice(range(1000)), gauss(0, 1), random.randbytes(3).hex()]
    state = getstate()
    second = [gauss(0, 1), draw(), random.uniform(2, 3)]
    setstate(state)
    again = [gauss(0, 1), draw(), random.uniform(2, 3)]
    seed(7)
    return [first, second == again, draw(), gauss(0, 1), random.betavariate(2, 3)]


def test_a_run_draws_the_same_from_its_seed_whatever_the_process_draws(tmp_path):
    async def main():
        return drawn()

    expected = random.Random(int.from_bytes(SEED, "little"))
    results = []
    for number in (1, 2):
        random.seed(number)
        recording = replay.record(main, workspace=tmp_path, dialects=(), seed=SEED)
        results.append(recording.result())

    assert results[0] == results[1]
    assert results[0][0][0] == expected.random()
    assert results[0][1] is True
    assert results[0][2] == random.Random(7).random()
    assert replay.replay("last", main, workspace=tmp_path, dialects=()).verdict == "identical"


def test_the_process_goes_on_as_if_no_run_had_been(tmp_path):
    async def main():
        return drawn()

    random.seed(5)
    before = [draw(), gauss(0, 1)]
    replay.record(main, workspace=tmp_path, dialects=())
    after = [gauss(0, 1), draw()]
    own = random.Random(5)

    assert before + after == [own.random(), own.gauss(0, 1), own.gauss(0, 1), own.random()]
    assert type(vars(random)["_inst"]) is random.Random
    assert repr(draw).startswith("<built-in method random of Random object")


def test_a_thread_of_the_service_draws_from_its_own_while_a_run_is_on_stage(tmp_path):
    async def main():
        for _ in range(3):
            await asyncio.sleep(0)
        return draw()

    async def service():
        random.seed(11)
        mine = []
        task = asyncio.ensure_future(replay.record(main, workspace=tmp_path, dialects=()))
        while not task.done():
            mine.append(draw())
            await asyncio.sleep(0.001)
        return mine

    mine = asyncio.run(service())
    own = random.Random(11)

    assert len(mine) > 1
    assert mine == [own.random() for _ in mine]


def test_imports_of_the_engine_draw_from_nothing_that_counts():
    door = GlobalRandomDoor()
    random.seed(2)
    door.install()
    try:
        with door.spared():
            draw()
    finally:
        door.remove()

    assert draw() == random.Random(2).random()
