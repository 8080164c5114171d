"""A witness cosigns what continues what it cosigned, and nothing else, whoever asks and when."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestations.checkpoints import VerifierKey, check_signature
from attestations.errors import KeyFormError, StateError
from attestations.witness import WitnessState, parse_cosignatures
from attestations.witness.protocol import SIZE_TYPE
from replay.tree import NoteSignature
from tests.support.witnessing import (
    LOG_KEY,
    LOG_SIGNER,
    NOW_S,
    ORIGIN,
    WITNESS_KEY,
    begun,
    head,
    submission,
    witness_on,
)


@pytest.fixture
def state(tmp_path):
    return begun(tmp_path / "state")


def ask(witness, *given, **changed):
    answer = witness.add_checkpoint(submission(*given, **changed).encode())
    return answer.status, answer.body


def test_a_head_is_cosigned_with_its_time_and_kept_with_the_signature_of_its_log(state, tmp_path):
    answer = witness_on(state).add_checkpoint(submission(5).encode())

    assert answer.status == 200
    (line,) = parse_cosignatures(head(5), answer.body)
    assert check_signature(head(5).body(), line, WITNESS_KEY) == NOW_S
    (kept,) = (tmp_path / "state" / "heads").iterdir()
    assert kept.read_bytes() == head(5).note(submission(5).signatures)


def test_a_log_that_grows_is_cosigned_again_and_again(state):
    witness = witness_on(state)

    assert [ask(witness, size, old)[0] for size, old in ((1, 0), (4, 1), (4, 4), (9, 4))] == [
        200,
        200,
        200,
        200,
    ]


def test_a_log_that_was_rolled_back_or_rewritten_is_refused(state):
    witness = witness_on(state)
    assert ask(witness, 7)[0] == 200

    assert ask(witness, 3) == (409, b"7\n")
    assert ask(witness, 3, 7)[0] == 400
    assert ask(witness, 7, 7, "other") == (409, b"7\n")
    assert ask(witness, 9, 7, "other")[0] == 422
    assert ask(witness, 9, 0, "other") == (409, b"7\n")
    assert state.last(ORIGIN) == head(7)


def test_a_size_that_the_witness_does_not_have_is_answered_with_its_own(state):
    witness = witness_on(state)
    first = witness.add_checkpoint(submission(7, 3).encode())
    ask(witness, 4)
    then = witness.add_checkpoint(submission(7, 3).encode())

    assert (first.status, first.media_type, first.body) == (409, SIZE_TYPE, b"0\n")
    assert (then.status, then.media_type, then.body) == (409, SIZE_TYPE, b"4\n")


def test_a_proof_from_nothing_or_of_too_many_hashes_does_not_hold(state):
    witness = witness_on(state)
    made = submission(7, 3)
    from_nothing = made.encode().replace(b"old 3", b"old 0")

    assert witness.add_checkpoint(from_nothing).status == 422
    assert ask(witness, 3)[0] == 200
    line = made.encode().split(b"\n")[1] + b"\n"
    assert witness.add_checkpoint(made.encode().replace(line, line * 2)).status == 422


def test_an_unknown_origin_and_an_unknown_or_bad_signature_are_told_apart(state):
    witness = witness_on(state)
    stranger = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    unknown = VerifierKey("stranger", stranger.public_key().public_bytes_raw())

    assert ask(witness, 5, origin="elsewhere.example/log")[0] == 404
    assert ask(witness, 5, origin=LOG_KEY.name)[0] == 200
    assert ask(witness, 5, key=unknown, signer=stranger)[0] == 403
    forged = NoteSignature(LOG_KEY.name, LOG_KEY.key_id, b"\0" * 64)
    body = b"old 0\n\n" + head(5).note([forged])
    assert witness.add_checkpoint(body).status == 403
    assert witness.add_checkpoint(b"old 0\n\n" + head(5).note()).status == 403
    assert state.last(ORIGIN) is None


def test_lines_under_unknown_keys_are_passed_over_and_not_kept(state, tmp_path):
    more = NoteSignature("stranger", b"1234", b"anything")
    made = submission(5)
    body = b"old 0\n\n" + head(5).note([more, *made.signatures])

    assert witness_on(state).add_checkpoint(body).status == 200
    (kept,) = (tmp_path / "state" / "heads").iterdir()
    assert b"stranger" not in kept.read_bytes()


def test_logs_are_followed_apart(state):
    witness = witness_on(state)

    assert ask(witness, 5)[0] == 200
    assert ask(witness, 3, origin="ritornello/workspace/w")[0] == 200
    assert ask(witness, 3, origin="ritornello/run/r2")[0] == 200


def test_the_state_is_there_before_the_signature_and_outlives_its_witness(state, tmp_path):
    class Dies:
        def sign(self, _message):
            assert state.last(ORIGIN) == head(5)
            raise SystemError("as if it were killed here")

    with pytest.raises(SystemError):
        witness_on(state, signer=Dies()).add_checkpoint(submission(5).encode())
    again = witness_on(WitnessState.open(tmp_path / "state", WITNESS_KEY))

    assert ask(again, 5, 0, "other") == (409, b"5\n")
    assert ask(again, 5, 5, "other") == (409, b"5\n")
    assert ask(again, 5, 5)[0] == 200


def test_what_cannot_be_kept_is_not_cosigned(state, tmp_path):
    witness = witness_on(state)
    ask(witness, 3)
    (kept,) = (tmp_path / "state" / "heads").iterdir()
    kept.write_text("nonsense")

    assert ask(witness, 5, 3)[0] == 503
    assert kept.read_text() == "nonsense"
    kept.unlink()
    (tmp_path / "state" / "heads").rmdir()
    assert ask(witness, 5, 0)[0] == 503


def test_a_state_that_goes_away_while_the_witness_runs_is_not_an_empty_one(state, tmp_path):
    witness = witness_on(state)
    assert ask(witness, 5)[0] == 200
    (tmp_path / "state").rename(tmp_path / "away")

    assert ask(witness, 5, 0, "other")[0] == 503
    (tmp_path / "state").mkdir()
    assert ask(witness, 5, 0, "other")[0] == 503


def test_a_state_begins_once_and_for_one_key(tmp_path):
    other = VerifierKey("w2", WITNESS_KEY.public_key, "cosignature/v1")
    with pytest.raises(StateError, match="no witness keeps its state here"):
        WitnessState.open(tmp_path / "state", WITNESS_KEY)
    (tmp_path / "state" / "heads").mkdir(parents=True)
    (tmp_path / "state" / ".0011.new").write_text("killed before the first state was begun")
    begun(tmp_path / "state")
    with pytest.raises(StateError, match="not empty"):
        begun(tmp_path / "state")
    with pytest.raises(StateError, match="another key"):
        WitnessState.open(tmp_path / "state", other)
    left = tmp_path / "state" / "heads" / ".0011.new"
    left.write_text("a kill left it")

    WitnessState.open(tmp_path / "state", WITNESS_KEY)

    assert not left.exists()


def test_keys_for_the_other_use_are_refused(state):
    with pytest.raises(KeyFormError, match="a key for cosignatures"):
        witness_on(state, key=LOG_KEY, signer=LOG_SIGNER)
    with pytest.raises(KeyFormError, match="makes cosignatures"):
        witness_on(state, log_keys=[WITNESS_KEY])
