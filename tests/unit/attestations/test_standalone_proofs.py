"""The proof of one event by the second verifier: it agrees with the engine on each."""

import io
import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestations import standalone
from attestations.standalone import verify
from replay.bundle.proof import proof_bytes, read_proof
from replay.errors import IntegrityError
from replay.tree import NoteSignature
from tests.contract.entries import Chain
from tests.support.bundle_forging import head_of, small_entries
from tests.unit.replay.bundle.test_proof import proof_of

ENTRIES = small_entries()
WHOLE = [
    proof_bytes(proof_of(ENTRIES, seq, withhold=withhold))
    for seq in (0, 3, 5)
    for withhold in (False, True)
]


def both(data):
    """Whether it holds, by both, which have to agree."""
    report = verify(io.BytesIO(data), proof=True)
    try:
        read_proof(data)
    except IntegrityError:
        assert report.integrity == "failed", data
        return False
    assert report.integrity == "ok", report.refused
    return True


@pytest.mark.parametrize("size", [1, 2, 3, 8, 13])
def test_the_proof_of_each_event_holds(size):
    entries = Chain(5).take(size)

    assert all(both(proof_bytes(proof_of(entries, seq))) for seq in range(size))


def test_it_says_what_it_holds_and_what_it_did_not_check(tmp_path, capsys):
    path = tmp_path / "x.proof"
    path.write_bytes(WHOLE[2])

    assert standalone.main([str(path)]) == 0
    out = capsys.readouterr().out

    assert "integrity     ok\n" in out
    assert "completeness  not checked\n" in out
    assert "authenticity  unsigned\n" in out
    assert "event         3\n" in out
    assert "events        6, as the checkpoint says\n" in out
    assert "not checked   what the payload means\n" in out
    assert standalone.main([str(path), "--json", "--root", head_of(ENTRIES).root.hex()]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["subject"], told["event"], told["compared"]["root"]) == ("proof", 3, "equal")


def test_signatures_are_named_and_not_checked():
    signed = proof_of(ENTRIES, 2, signatures=[NoteSignature("log.example", b"\0\1\2\3", b"x")])
    data = proof_bytes(signed)

    report = verify(io.BytesIO(data))

    assert both(data)
    assert (report.authenticity, report.signature_lines) == ("not checked", ["log.example"])


def test_a_proof_is_told_by_its_first_line_and_a_file_of_that_name_is_taken_for_one(tmp_path):
    path = tmp_path / "x.proof"
    path.write_bytes(b"x")

    assert verify(io.BytesIO(WHOLE[0])).subject == "proof"
    assert standalone.main([str(path)]) == 3


def test_both_agree_on_each_changed_and_each_missing_byte():
    for data in WHOLE:
        for offset in range(len(data)):
            both(data[:offset] + bytes((data[offset] ^ 1,)) + data[offset + 1 :])
            both(data[:offset] + data[offset + 1 :])
    assert both(WHOLE[0])


@given(st.sampled_from(WHOLE), st.data())
def test_both_agree_on_changed_proofs(whole, data):
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, min(start + 9, len(whole))))
    inner = data.draw(st.sampled_from([b"", b" ", b"\n", b"\n\n", b"-", b"=", b"0"]) | st.binary())

    both(whole[:start] + inner + whole[stop:])


@given(st.sampled_from(WHOLE), st.permutations(range(3)))
def test_both_agree_on_sections_in_another_order(whole, order):
    sections = whole.split(b"\n\n")[:3]

    assert both(b"\n\n".join(sections[at] for at in order)) == (order == [0, 1, 2])


def test_the_start_of_another_run_is_refused():
    """Origin and size are the checkpoint's word, but the first record says which run it is."""
    first = proof_bytes(proof_of(ENTRIES, 0))
    run = head_of(ENTRIES).origin.encode()

    assert not both(first.replace(run, run[:-1] + b"Z"))
    other = proof_bytes(proof_of(ENTRIES, 3))
    assert both(other.replace(run, run[:-1] + b"Z"))


def test_a_line_that_lists_a_part_twice_or_none_is_refused():
    lines = WHOLE[2].split(b"\n")
    part = next(line for line in lines if line.startswith(b"part "))

    assert not both(WHOLE[2].replace(part, part + b"\n" + part))
    assert not both(WHOLE[2].replace(part + b"\n", b""))
    assert not both(WHOLE[2].replace(part, part + b" "))
    assert not both(WHOLE[2].replace(b" " + b64encode(b"")[:0] + b"present ", b" missing "))
