"""The tree of errors: what a person and a program can read from one."""

import pytest

from replay.errors import IntegrityError, ProofError, ReplayError


def test_diagnostics_say_what_happened_where_and_what_to_try():
    error = ProofError("proof too long", where="run r1, record 7", hint="fetch the proof again")

    assert error.diagnostics() == (
        "proof: proof too long\n  where: run r1, record 7\n  try: fetch the proof again"
    )


def test_diagnostics_leave_out_what_is_not_known():
    assert IntegrityError("header is not canonical").diagnostics() == (
        "integrity: header is not canonical"
    )


def test_an_error_reads_as_its_message():
    assert str(ReplayError("it broke", where="here", hint="try that")) == "it broke"


def test_a_proof_error_is_caught_as_an_integrity_error():
    with pytest.raises(IntegrityError):
        raise ProofError("the inclusion proof leads to another root")
