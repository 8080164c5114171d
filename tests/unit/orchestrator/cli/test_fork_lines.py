"""What a fork is said to cost before it begins: nothing is made up where nobody counted."""

from __future__ import annotations

import msgspec
import pytest

from orchestrator.cli.fork import _look_lines
from replay.session.forking.report import Beginning, Estimate, GoesLive

REQUEST = GoesLive(name="POST h.example/x", task="main", is_request=True, like=8)


def _said(look):
    return "\n".join(_look_lines(look, Beginning(position=8)))


def test_requests_that_no_dialect_read_are_not_said_to_be_for_nothing():
    look = Estimate(verdict="ready", run="01A", position=8, records=86, live=(REQUEST,), whole=5)

    said = _said(look)

    assert "those like them used an unknown number of tokens" in said
    assert "5 requests in all, for an unknown number of tokens" in said


@pytest.mark.parametrize("whole", [0, 2])
def test_tokens_are_named_as_the_provider_counted_them(whole):
    live = msgspec.structs.replace(REQUEST, input_tokens=7, output_tokens=0)
    look = Estimate(
        verdict="ready",
        run="01A",
        position=8,
        records=86,
        live=(live,),
        whole=whole,
        whole_input_tokens=9 * whole,
    )

    said = _said(look)

    assert "those like them used 7 input and 0 output tokens" in said
    assert ("2 requests in all, for 18 input and 0 output tokens" in said) == (whole == 2)
    assert ("0 requests in all\n" in f"{said}\n") == (whole == 0)
