"""Whatever order answers come in, it is the recorded one that comes again."""

from __future__ import annotations

import itertools
import random

import pytest

from orchestrator.testing import Answer, Delivery, Rule, Script, ScriptedProvider
from tests.http.driver import LIBRARIES, PROGRAMS, record_many, replay_many
from tests.http.scenes import fake_key

#: Processes of a loaded machine; alone they take a few seconds.
pytestmark = pytest.mark.timeout(180)

PROGRAM = PROGRAMS / "order.py"
STEP_MS = 25


def _script(orders):
    """Question n is answered at the place that it has in the order."""
    return Script(
        rules=tuple(
            Rule(
                contains=f"question {number}",
                answers=tuple(
                    Answer(delivery=Delivery(latency_ms=STEP_MS * order.index(number)))
                    for order in orders
                ),
            )
            for number in range(5)
        )
    )


@pytest.mark.parametrize("count", [3, pytest.param(50, marks=pytest.mark.full)])
def test_each_order_of_arrival_replays_as_itself(tmp_path, count):
    orders = random.Random(11).sample(list(itertools.permutations(range(5))), count)
    with ScriptedProvider(mode="wild", script=_script(orders)) as provider:
        variables = {"BASE_URL": provider.base_url, "ANTHROPIC_API_KEY": fake_key()}
        recordings = record_many(
            PROGRAM,
            [tmp_path / str(n) for n in range(count)],
            variables=[variables] * count,
            preload=LIBRARIES,
        )

    replays = replay_many([(PROGRAM, each) for each in recordings], preload=LIBRARIES)

    # A slow machine may mix two of them up; that most differ is what is meant.
    assert len({each.stdout for each in recordings}) > count // 2
    for recorded, replayed in zip(recordings, replays, strict=True):
        assert replayed.verdict == "identical", replayed.report
        assert replayed.report["root_replayed"] == recorded.root
        assert replayed.stdout == recorded.stdout
