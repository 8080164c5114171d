"""An import that is cut off leaves nothing that passes for a run; one done twice is one run."""

from __future__ import annotations

import json

import pytest

from replay.log.duckdb_store import DuckDBStore
from replay.log.head import HEAD_NAME

CASSETTE = {
    "version": 1,
    "interactions": [
        {
            "request": {"method": "GET", "uri": "http://h.example/"},
            "response": {"status": {"code": 200}},
        }
    ],
}


@pytest.mark.parametrize("name", ["run.ritornello", "cassette.json"])
@pytest.mark.parametrize("what", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_stops_halfway_can_be_imported_again(place, recorded, monkeypatch, name, what):
    data = (recorded.path / "run.ritornello").read_bytes()
    (place.path / "run.ritornello").write_bytes(data)
    place.write("cassette.json", json.dumps(CASSETTE))

    def stopped(*_):
        raise what

    with monkeypatch.context() as patched:
        patched.setattr(DuckDBStore, "append", stopped)
        cut = place.look("import", name)
    listed = place.look("runs")
    again = place.look("import", name)

    assert cut.code == (130 if isinstance(what, KeyboardInterrupt) else 4)
    assert "gone" in listed.out
    assert again.code == 0, again.err
    assert place.look("verify", "last").code == 0


def test_the_piece_that_a_kill_left_is_told_for_what_it_is(place, recorded):
    bundle = recorded.path / "run.ritornello"
    assert place.look("import", bundle).code == 0
    [directory] = (place.path / ".ritornello/runs").iterdir()
    (directory / HEAD_NAME).unlink()  # it is written last

    again = place.look("import", bundle)

    assert again.code == 2
    assert "was cut off" in again.err
    assert f"  where: .ritornello/runs/{directory.name}\n" in again.err
    assert "remove this directory" in again.err
    assert "there already" in recorded.look("import", bundle).err


def test_a_cassette_that_is_imported_twice_is_one_run_with_one_root(place):
    place.write("cassette.json", json.dumps(CASSETTE))
    both = [place.look("import", "cassette.json", "--workspace", n, "--json") for n in ("a", "b")]

    one, other = (each.report for each in both)
    assert (one["run"], one["root"]) == (other["run"], other["root"])
    # Whoever verified the first one remembers its root.
    assert [place.look("verify", "last", "--workspace", n).code for n in ("a", "b")] == [0, 0]
