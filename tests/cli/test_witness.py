"""A witness of one's own: `ritornello witness` cosigns, `anchor` asks it, `verify` believes it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from attestations.checkpoints import parse_vkey
from attestations.witness import WitnessState
from orchestrator.cli.key_verbs.key_use import witness_key
from tests.cli.test_anchors import forged
from tests.support.bundle_forging import export, head_of, small_entries
from tests.support.witnessing import LOG_KEY, begun, served, witness_on

ROOT = Path(__file__).parents[2]
HELD = ("--no-memory", "--witnesses", "1", "--require", "anchoring=witnessed", "--json")


@pytest.fixture
def keys(place):
    """The note keys of a log and of a witness, whose private halves are among the person's."""
    log = place.look("keys", "new", "mylog", "--log", "--no-passphrase", "--json")
    witness = place.look("keys", "new", "w1", "--witness", "--no-passphrase", "--json")
    return log.report["vkey"], witness.report["vkey"]


@pytest.fixture
def witness(place, keys):
    """The address of a witness that cosigns for that log."""
    log, own = map(parse_vkey, keys)
    state = WitnessState.begin(place.path / "state", own)
    signer = witness_key("w1", None)
    made = witness_on(state, key=own, signer=signer, log_keys=[log], clock=time.time)
    with served(made) as server:
        yield server.url


def ask(place, run, url, *words):
    return place.look(
        "anchor", run, "--sign", "mylog", "--witness-url", url, "--witness", "w1", *words
    )


def test_a_recorded_run_is_cosigned_and_takes_the_cosignature_along(recorded, place, keys, witness):
    shutil.copytree(recorded.path / ".ritornello", place.path / ".ritornello")

    asked = ask(place, "last", witness, "--json")
    here = place.look("verify", "last", "--log-key", keys[0], "--witness", keys[1], *HELD)
    place.look("export", "last", "-o", "run.ritornello")
    taken = place.look("verify", "run.ritornello", "--witness", keys[1], *HELD)
    place.look("pin", "last", "--write", "run.note")
    place.look("prove", "last", "0", "-o", "one.proof")

    assert (asked.code, asked.err) == (0, "")
    assert asked.report["cosigned"].endswith("+00:00")
    assert asked.report["time"] is None
    found = [(ran.code, ran.report["anchoring"]) for ran in (here, taken)]
    assert found == [(0, "witnessed")] * 2
    assert "\u2014 w1 " in (place.path / "one.proof").read_text()
    assert here.report["authenticity"] == "signed"
    pinned = (place.path / "run.note").read_text()
    assert "\u2014 w1 " in pinned
    assert "\u2014 mylog " in pinned
    assert place.look("verify", "--all").code == 0


def test_a_bundle_that_its_log_key_signed_is_cosigned_once(place, keys, witness):
    export(small_entries(), place.path / "run.ritornello")
    place.look(
        "attest", "run.ritornello", "--checkpoint", "--sign", "mylog", "--into", "run.ritornello"
    )
    asked = ("anchor", "run.ritornello", "--witness-url", witness, "--witness", keys[1])
    first = place.look(*asked)
    bundle = (place.path / "run.ritornello").read_bytes()
    again = place.look(*asked)

    assert (first.code, again.code) == (0, 0)
    assert "6 records cosigned, at 20" in first.err
    assert "6 records cosigned before, at 20" in again.err
    assert (place.path / "run.ritornello").read_bytes() == bundle
    held = place.look("verify", "run.ritornello", "--witness", keys[1], *HELD)
    assert (held.code, held.report["root"]) == (0, head_of(small_entries()).root.hex())


def test_a_run_that_grew_is_cosigned_again_and_one_that_did_not_is_a_conflict(place, keys, witness):
    entries = small_entries()
    paths = {
        name: export(made, place.path / f"{name}.ritornello").path
        for name, made in (
            ("early", entries[:3]),
            ("late", entries),
            ("forged", forged()),
            ("back", entries[:4]),
        )
    }
    before = {name: path.read_bytes() for name, path in paths.items()}
    early, late = (ask(place, f"{name}.ritornello", witness) for name in ("early", "late"))
    fork, back = (ask(place, f"{name}.ritornello", witness) for name in ("forged", "back"))

    assert (early.code, late.code, fork.code, back.code) == (0, 0, 3, 3)
    assert "has cosigned another version of this log, of 6 records too" in fork.err
    assert "has cosigned 6 records of this log, here are 4" in back.err
    assert paths["forged"].read_bytes() == before["forged"]
    assert paths["back"].read_bytes() == before["back"]
    refused = place.look("verify", "forged.ritornello", "--witness", keys[1], *HELD)
    assert (refused.code, refused.report["anchoring"]) == (1, "none")


def test_a_forged_continuation_of_what_was_cosigned_is_a_conflict(place, keys, witness):
    export(small_entries()[:3], place.path / "early.ritornello")
    export(forged(), place.path / "forged.ritornello")
    assert ask(place, "early.ritornello", witness).code == 0

    ran = ask(place, "forged.ritornello", witness)

    assert ran.code == 3
    assert "witness-conflict: the witness has cosigned 3 records" in ran.err


def test_who_gives_no_cosignature_that_holds_changes_nothing(place, keys, tmp_path):
    path = export(small_entries(), place.path / "run.ritornello").path
    before = path.read_bytes()
    gone = ask(place, "run.ritornello", "http://127.0.0.1:1")
    with served(witness_on(begun(tmp_path / "other"))) as server:
        stranger = ask(place, "run.ritornello", server.url)  # it trusts another log key
    trusting = witness_on(begun(tmp_path / "third"), log_keys=[LOG_KEY, parse_vkey(keys[0])])
    with served(trusting) as server:
        otherwise = ask(place, "run.ritornello", server.url)  # it has another key

    assert [ran.code for ran in (gone, stranger, otherwise)] == [7, 7, 7]
    assert "witness-service: the witness did not answer" in gone.err
    assert "trusts no key that signed this head" in stranger.err
    assert "the witness did not cosign with w1+" in otherwise.err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing says who is to be asked"),
        (("--witness-url", "http://127.0.0.1:1"), "believed by its key"),
        (("--witness", "w1"), "nothing says who is to be asked"),
        (("--tsa", "http://x", "--sign", "mylog"), "--sign signs what a witness gets"),
        (("--witness-url", "http://127.0.0.1:1", "--witness", "w1"), "nobody has signed this head"),
        (("--witness-url", "http://x", "--witness", "mylog"), "makes no cosignatures"),
    ],
)
def test_what_is_missing_is_said_before_anybody_is_asked(place, keys, words, said):
    export(small_entries(), place.path / "run.ritornello")

    ran = place.look("anchor", "run.ritornello", *words)

    assert ran.code == 2
    assert said in ran.err
    assert "  try: " in ran.err


def test_a_kept_cosignature_that_was_changed_fails_and_is_never_passed_over(
    recorded, place, keys, witness
):
    shutil.copytree(recorded.path / ".ritornello", place.path / ".ritornello")
    ask(place, "last", witness)
    lines = list((place.path / ".ritornello").rglob("*.line"))
    for line in lines:
        line.write_text("nonsense")

    ran = place.look("verify", "last", "--witness", keys[1], *HELD)

    assert len(lines) == 2
    assert (ran.code, ran.report["integrity"]) == (3, "failed")
    assert place.look("export", "last", "-o", "x.ritornello").code == 3


def test_a_witness_s_key_does_nothing_else_and_no_other_key_cosigns(place, keys):
    found = [
        place.look("keys", "trust", keys[1]),
        place.look("keys", "trust", "w1"),
        place.look("keys", "revoke", "w1", "--reason", "lost"),
        place.look("keys", "rotate", "w1", "mylog", "--log"),
        place.look("keys", "new", "x", "--log", "--witness"),
        place.look("witness", "--key", "mylog", "--log-key", "mylog", "--state", "s", "--new"),
        place.look("witness", "--key", "w1", "--log-key", "w1", "--state", "s", "--new"),
    ]

    assert [ran.code for ran in found] == [4, 4, 2, 4, 2, 4, 2]
    assert "this is a witness's key" in found[0].err
    assert "a key for checkpoints, not for cosignatures" in found[5].err
    assert not (place.path / "s").exists()
    listed = place.look("keys", "list", "--json").report["keys"]
    assert [(key["role"], key["vkey"]) for key in listed] == [
        ("log", keys[0]),
        ("witness", keys[1]),
    ]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--state", "s"), 4, "no witness keeps its state here"),
        (("--state", "s", "--new", "--listen", "8461"), 2, "no address to listen on"),
        (("--state", "s", "--new", "--listen", "127.0.0.1:70000"), 2, "no address to listen on"),
        (("--state", "s", "--new", "--listen", "192.0.2.1:0"), 2, "cannot listen there"),
        (("--state", "full", "--new"), 4, "the directory is not empty"),
    ],
)
def test_a_witness_that_cannot_start_says_what_to_try(place, keys, words, code, said):
    place.write("full/x", "")

    ran = place.look("witness", "--key", "w1", "--log-key", "mylog", *words)

    assert ran.code == code
    assert said in ran.err
    assert "  try: " in ran.err


def test_the_command_serves_until_it_is_interrupted_and_goes_on_when_started_again(place, keys):
    export(small_entries()[:3], place.path / "early.ritornello")
    export(small_entries(), place.path / "late.ritornello")
    codes = []
    for bundle, ending, new in (
        ("early", signal.SIGINT, ("--new",)),
        ("late", signal.SIGTERM, ()),
    ):
        words = ("witness", "--key", "w1", "--log-key", keys[0], "--state", "s", *new)
        started = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", *words, "--listen", "127.0.0.1:0"],
            cwd=place.path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            url = started.stdout.readline().split()[1]
            assert keys[1] in started.stdout.readline()
            codes.append(ask(place, f"{bundle}.ritornello", url).code)
            started.send_signal(ending)
            _, told = started.communicate(timeout=20)
        finally:
            started.kill()
        codes.append(started.returncode)
        assert f"200 {head_of(small_entries()).origin}, " in told

    assert codes == [0, 130, 0, -signal.SIGTERM]
