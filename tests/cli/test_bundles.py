"""Runs that travel as files."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys

import pytest

from orchestrator.cli.gate.origin import refuse_foreign_command
from replay.bundle import Statement, rewrite_bundle
from replay.errors import HermeticError
from replay.session.launcher import launch_replay
from replay.tree import NoteSignature
from tests.cli.conftest import ROOT, Place


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


@pytest.mark.sample(2)
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


def test_a_bundle_that_is_exchanged_after_it_was_looked_at_starts_nothing_else(place):
    """What is looked at is what is started, whatever stands under the name by then."""
    place.write("agent.py", "print('harmless')\n")
    place.run("record", "--", "python", "agent.py")
    place.look("export", "last", "-o", "run.ritornello")
    place.run("record", "--", "python", "-c", "open('ran', 'a').close()")
    place.look("export", "last", "-o", "evil.ritornello")
    (place.path / "ran").unlink()
    name, workspace = str(place.path / "run.ritornello"), place.path / ".ritornello"

    allow = refuse_foreign_command(name, workspace, place.path, allowed=False)
    (place.path / "evil.ritornello").replace(name)

    with pytest.raises(HermeticError, match="comes from elsewhere"):
        launch_replay(name, workspace, directory=place.path, allow=allow)
    assert not (place.path / "ran").exists()


def test_a_line_break_in_a_name_makes_no_line_of_its_own(place):
    ran = place.look("verify", "none\n  try: rm -r /\x1b[31m.ritornello")

    assert ran.code == 4
    assert ran.err.splitlines() == [
        "not-found: no such bundle",
        r"  where: none\x0a  try: rm -r /\x1b[31m.ritornello",
    ]


@pytest.mark.parametrize("verb", ["verify", "replay", "show", "events", "import"])
def test_a_bundle_that_is_not_there_or_is_none_is_named(place, verb):
    place.write("text.ritornello", "this is no bundle")

    assert place.look(verb, "absent.ritornello").code == 4
    assert place.look(verb, "text.ritornello").code == 3


def test_a_bundle_holds_what_the_workspace_says_of_the_run_and_again_when_it_comes_back(place):
    place.write("agent.py", "print('said')")
    place.run("record", "--", "python", "agent.py")
    first = place.look("export", "last", "-o", "a.ritornello", "--json").report
    second = place.look("export", "last", "-o", "b.ritornello", "--json").report

    said = [place.look("verify", f"{n}.ritornello", "--json").report for n in "ab"]

    began = ["WorkspaceCreated", "RunRegistered", "RunClosed"]
    assert [found["workspaces"][0]["records"] for found in said] == [
        began,
        [*began, "RunExported"],
    ]
    assert (first["root"], first["entered"]) == (second["root"], True)
    assert first["bundle"] != second["bundle"]  # the second knows of the first
    assert "WorkspaceCreated, RunRegistered, RunClosed" in place.look("show", "a.ritornello").out
    shown = place.look("show", "b.ritornello", "--json").report
    assert shown["workspace_records"] == 4
    assert shown["statements"] == {}
    shutil.rmtree(next((place.path / ".ritornello" / "runs").iterdir()))
    place.look("import", "b.ritornello")
    back = place.look("export", "last", "-o", "c.ritornello", "--json").report
    assert back["bundle"] == second["bundle"]


def test_an_imported_run_goes_out_as_the_bundle_that_came_in(recorded, tmp_path):
    place = Place(tmp_path)
    came = tmp_path / "came.ritornello"
    rewrite_bundle(
        recorded.path / "run.ritornello",
        came,
        statements=[
            Statement(media_type="text/plain", data=b"read by nobody"),
            Statement(media_type="application/timestamp-reply", data=b"token"),
        ],
        signatures=[NoteSignature("witness.example", b"\0\0\0\1", b"cosigned")],
    )
    imported = place.look("import", came, "--json").report
    assert (imported["workspace_records"], imported["statements"]) == (3, 2)

    for name in ("again.ritornello", "once-more.ritornello"):
        exported = place.look("export", "last", "-o", name, "--json").report
        assert exported["bundle"] == imported["bundle"]
        assert (tmp_path / name).read_bytes() == came.read_bytes()

    lines = place.look("verify", "again.ritornello").out
    assert "statements    1 of application/timestamp-reply" in lines
    assert "signature     witness.example" in lines
    report = place.look("verify", "again.ritornello", "--json").report
    assert report["unknown_statements"] == 1
    assert report["authenticity"] == "untrusted"
    assert place.look("verify", "last").code == 0


@contextlib.contextmanager
def read_only(path):
    """Give what runs a command where a directory may be read and not written."""
    if os.geteuid():
        for each in (path, *path.rglob("*")):
            each.chmod(0o500 if each.is_dir() else 0o400)
        try:
            yield []
        finally:
            for each in (path, *path.rglob("*")):
                each.chmod(0o700)
        return
    # Who may everything cannot be kept from writing by a mode.
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, str(path)]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nothing can be made read-only for this user: {error}")
    yield command


def test_a_run_is_read_and_exported_where_nothing_may_be_written(recorded, tmp_path):
    workspace = tmp_path / "medium" / ".ritornello"
    shutil.copytree(recorded.path / ".ritornello", workspace)
    log = (workspace / "workspace.log").read_bytes()
    with read_only(workspace.parent) as prefix:
        output = ["-o", tmp_path / "out.ritornello"]
        for verb in (["verify", "--all"], ["show", "last"], ["export", "last", *output]):
            done = subprocess.run(
                [
                    *prefix,
                    sys.executable,
                    "-m",
                    "orchestrator.cli",
                    *verb,
                    "--workspace",
                    workspace,
                ],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=50,
                check=False,
            )
            assert done.returncode == 0, done.stderr

    assert "its log does not say that this was exported" in done.stderr
    assert (workspace / "workspace.log").read_bytes() == log
    assert recorded.look("verify", tmp_path / "out.ritornello").code == 0
