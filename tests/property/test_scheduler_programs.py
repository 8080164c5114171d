"""Any program: recorded live, replayed to the same root, the same output, the same schedule."""

import random
import tempfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.determinism.hazards import noise
from tests.determinism.programs import difference, draw_program, record_tree, replay_tree

_SLOW = settings(suppress_health_check=list(HealthCheck), deadline=None)


def check(tree, seed):
    with tempfile.TemporaryDirectory() as workspace:
        recorded = record_tree(tree, workspace)
        kept = noise(seed)
        assert difference(recorded, replay_tree(recorded)) == ""
        del kept


@settings(_SLOW, max_examples=6)
@given(st.randoms(use_true_random=False), st.integers(0, 1000))
def test_a_drawn_program_replays_identically(rng, seed):
    check(draw_program(rng), seed)


@pytest.mark.full
@pytest.mark.timeout(900)
@settings(_SLOW, max_examples=120)
@given(st.randoms(use_true_random=False), st.integers(0, 1000))
def test_very_many_drawn_programs_replay_identically(rng, seed):
    check(draw_program(rng), seed)


def test_a_step_more_or_less_in_a_drawn_program_is_found(tmp_path):
    found = 0
    for seed in range(4):
        tree = draw_program(random.Random(seed))
        recorded = record_tree(tree, tmp_path)
        changed = recorded | {"tree": [["effect", 0, 0], *tree] if seed % 2 else tree[1:]}
        replayed = replay_tree(changed)
        assert replayed["verdict"] == "diverged"
        assert replayed["live_effects"] == 0
        found += 1
    assert found == 4
