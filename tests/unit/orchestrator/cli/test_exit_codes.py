"""Every error and every verdict has its exit code."""

from __future__ import annotations

from typing import get_args

import pytest

import replay.errors
from orchestrator.cli.exit_codes import ExitCode, code_of
from orchestrator.cli.record import code_of_proof
from orchestrator.cli.replay import VERDICT_CODES
from orchestrator.cli.verify import with_directory
from replay.errors import BundleError, HermeticError, LogError, NotFoundError, ReplayError
from replay.session.proving import Proof, Trial
from replay.session.report import Report, Verdict

ERRORS = [getattr(replay.errors, name) for name in replay.errors.__all__]


@pytest.mark.parametrize("kind", [kind for kind in ERRORS if kind is not ReplayError])
def test_no_error_of_a_class_of_its_own_is_taken_for_our_mistake(kind):
    error = ReplayError.__new__(kind)

    assert code_of(error) != ExitCode.OUR_MISTAKE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BundleError("no", member="file"), 3),
        (NotFoundError("no"), 4),
        (LogError("no"), 4),
        (HermeticError("no"), 6),
        (ReplayError("no"), 70),
    ],
)
def test_the_codes_are_those_that_are_promised(error, code):
    assert code_of(error) == code


def test_each_verdict_has_a_code_and_only_identical_is_0():
    assert set(VERDICT_CODES) == set(get_args(Verdict))
    assert [verdict for verdict, code in VERDICT_CODES.items() if code == 0] == ["identical"]


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_a_proof_ends_as_its_replay_would(verdict):
    report = Report(
        verdict=verdict,
        run="",
        events=0,
        root_recorded="",
        root_replayed="",
        live_effects=0,
        guard="process",
        inputs_taken=0,
        derived_computed=0,
    )

    of_trial = code_of_proof(Proof(trials=(Trial(name="surroundings", report=report),)))
    of_seed = code_of_proof(Proof(trials=(Trial(name="hash seed", report=report),)))

    assert (of_trial, of_seed) == (VERDICT_CODES[verdict], ExitCode.OK)


def test_a_proof_whose_replay_said_nothing_is_not_judged():
    proof = Proof(trials=(Trial(name="surroundings", report=None),))

    assert code_of_proof(proof) == ExitCode.NOT_JUDGED


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], []),
        (["--workspace"], []),
        (["--workspace", "--json"], ["--json"]),
        (["--workspace", "there", "last"], ["--workspace", "there", "last"]),
        (["last", "--workspace"], ["last"]),
    ],
)
def test_verify_takes_a_workspace_without_a_directory(given, kept):
    assert with_directory(given) == kept
