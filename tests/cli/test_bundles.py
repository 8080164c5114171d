"""Runs that travel as files."""

from __future__ import annotations

import pytest


def test_an_exported_run_verifies_and_replays_where_the_code_is(recorded):
    assert recorded.export.code == 0
    assert recorded.look("verify", "run.ritornello").code == 0
    assert recorded.run("replay", "run.ritornello").code == 0


def test_a_bundle_is_not_overwritten_unasked(recorded):
    again = recorded.look("export", "last", "-o", "run.ritornello")

    assert again.code == 2
    assert "--force" in again.err


def test_one_flipped_bit_anywhere_in_a_bundle_is_refused(recorded, tmp_path):
    data = (recorded.path / "run.ritornello").read_bytes()
    forged = tmp_path / "forged.ritornello"

    for place in (len(data) // 3, len(data) // 2, len(data) - 3):
        changed = bytearray(data)
        changed[place] ^= 1
        forged.write_bytes(changed)

        refused = recorded.look("verify", forged, "--json")

        assert refused.code == 3
        assert refused.report["integrity"] == "failed"
        assert refused.report["findings"]


def test_an_imported_run_is_one_of_the_workspace_and_replays(recorded, tmp_path):
    elsewhere = tmp_path / "audit"

    imported = recorded.look("import", "run.ritornello", "--workspace", elsewhere, "--json")
    listed = recorded.look("runs", "--workspace", elsewhere, "--json").report["runs"]

    assert imported.code == 0
    assert imported.report["root"] == recorded.export.report["root"]
    assert [(run["run"], run["state"]) for run in listed] == [(imported.report["run"], "imported")]
    assert recorded.look("verify", "--all", "--workspace", elsewhere).code == 0
    assert recorded.run("replay", "last", "--workspace", elsewhere).code == 0
    assert recorded.look("import", "run.ritornello", "--workspace", elsewhere).code == 2


@pytest.mark.parametrize("imported", [False, True])
def test_code_that_a_foreign_run_brings_in_its_command_does_not_run_unasked(place, imported):
    place.run("record", "--", "python", "-c", "open('ran', 'a').close(); print('here')")
    place.look("export", "last", "-o", "run.ritornello")
    (place.path / "ran").unlink()
    name, options = "run.ritornello", ()
    if imported:
        options = ("--workspace", "other")
        place.look("import", name, *options)
        name = "last"

    refused = place.run("replay", name, *options)

    assert refused.code == 6
    assert "--allow-command" in refused.err
    assert not (place.path / "ran").exists()
    assert place.run("replay", name, *options, "--allow-command").code == 0


@pytest.mark.parametrize("verb", ["verify", "replay", "show", "events", "import"])
def test_a_bundle_that_is_not_there_or_is_none_is_named(place, verb):
    place.write("text.ritornello", "this is no bundle")

    assert place.look(verb, "absent.ritornello").code == 4
    assert place.look(verb, "text.ritornello").code == 3
