"""The demo is a test of its own: it ends with 0 only if all it claims was observed."""

from __future__ import annotations

import pytest


@pytest.mark.full
def test_the_demo_observes_everything_it_claims(place):
    done = place.run("demo", "--json", "--keep", "demo")

    assert done.code == 0, done.err
    assert done.report["passed"] is True
    assert len(done.report["steps"]) == 8
    assert all(step["holds"] for step in done.report["steps"])
    # The commands that it proposes work where it says.
    order = place.run("events", "last", "--order", "lawyer", "editor", cwd=place.path / "demo")
    assert order.out == "concurrent\n"


def test_a_directory_that_is_there_is_left_alone(place):
    place.write("demo/mine.txt", "mine")

    refused = place.look("demo", "--keep", "demo")

    assert refused.code == 2
    assert refused.err.startswith("usage: there is something of that name already\n  where: /")
    assert "give another name" in refused.err
