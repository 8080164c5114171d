"""Every write point of an export, failing or killing: the file is there whole, or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.export import export_run
from replay.bundle.reader import BundleReader
from replay.log.workspace import Workspace
from replay.session.record import record_program
from tests.fault.failing import Disk, on_disk
from tests.fault.kills import bytes_of

ROOT = Path(__file__).parents[2]
#: (point, whether the call happens before it fails, whether the bundle is there then).
POINTS = [
    ("bundle: write", False, False),
    ("bundle: flush", False, False),
    ("bundle: flush", True, False),
    ("bundle: rename", False, False),
    ("bundle: rename", True, True),
    ("bundle's directory: flush", False, True),
    ("bundle's directory: flush", True, True),
    ("workspace record: write", False, False),
    ("workspace record: flush", True, False),
    ("head of the workspace: rename", True, False),
]
SAMPLE = {POINTS[row] for row in (0, 3, 4, 6, 8)}
ROWS = [
    pytest.param(
        *row,
        id=f"{row[0]}, {'answer lost' if row[1] else 'not done'}",
        marks=[] if row in SAMPLE else [pytest.mark.full],
    )
    for row in POINTS
]


def put_under(disk, put):
    """Put a disk under an export too: its file is written by Python's own objects."""
    from replay.bundle.spool import Spool

    fails = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assemble, replace = Spool.assemble, Path.replace
    put(
        "replay.bundle.spool.Spool.assemble",
        lambda self, out: disk.at("bundle: write", lambda: assemble(self, out), fails),
    )
    put(
        "pathlib.Path.replace",
        lambda self, target: disk.at("bundle: rename", lambda: replace(self, target), fails),
    )
    on_disk(disk, put, "replay.bundle.publishing")


@pytest.fixture
def recorded(tmp_path):
    recording = record_program(
        lambda: print("said"), workspace=tmp_path / "w", entry="t", dialects=()
    )
    (tmp_path / "out").mkdir()
    return recording


def whole(bundle):
    with BundleReader.open(bundle) as reader:
        return reader.verify().events


def entered(workspace, run):
    """Return whether the workspace log knows of the bundle: none is out of which it does not."""
    excerpt = Workspace.open(workspace).excerpt(run)
    return "RunExported" in [record.header.kind for record in excerpt.records]


@pytest.mark.parametrize(("point", "happens", "there"), ROWS)
def test_an_export_that_fails_leaves_a_whole_bundle_or_none(
    tmp_path, recorded, point, happens, there
):
    workspace, bundle = Workspace.open(tmp_path / "w"), tmp_path / "out" / "run.ritornello"
    before = bytes_of(recorded.directory)
    with pytest.MonkeyPatch.context() as patched:
        disk = Disk(point, happens=happens)
        put_under(disk, patched.setattr)
        export_failed = False
        try:
            exported = export_run(recorded.run_id, workspace, bundle)
        except Exception as error:
            export_failed = "No space left" in str(error)
        else:
            # The file is there and whole: what the workspace log lacks is said, and no failure.
            export_failed = exported is None or not exported.entered

    assert disk.hit
    assert export_failed
    assert sorted(path.name for path in bundle.parent.iterdir()) == [bundle.name] * there
    if there:
        assert whole(bundle) == recorded.events
        assert entered(tmp_path / "w", recorded.run_id)
    assert bytes_of(recorded.directory) == before
    assert Workspace.open(tmp_path / "w").verify().integrity == "ok"
    export_run(recorded.run_id, Workspace.open(tmp_path / "w"), bundle)
    assert whole(bundle) == recorded.events


CHILD = """\
import os, signal, sys
from pathlib import Path
from orchestrator.cli.export import export_run
from replay.log.workspace import Workspace
from tests.fault.kills import _deadly, _put
from tests.fault.test_export_points import put_under

def put(name, value):
    owner, _, attribute = name.rpartition(".")
    if owner == "pathlib.Path":
        Path.replace = value
    elif owner.endswith("Spool"):
        from replay.bundle.spool import Spool
        Spool.assemble = value
    else:
        _put(name, value)

workspace, point, when = sys.argv[1:]
put_under(_deadly(point, 0, when), put)
export_run("last", Workspace.open(Path(workspace)), Path(workspace).parent / "out/run.ritornello")
"""


@pytest.mark.parametrize(
    ("point", "when", "there"),
    [
        ("bundle: rename", "after", True),
        pytest.param("bundle: write", "after", False, marks=pytest.mark.full),
        pytest.param("bundle: flush", "during", False, marks=pytest.mark.full),
        pytest.param("bundle: rename", "before", False, marks=pytest.mark.full),
        pytest.param("workspace record: write", "before", False, marks=pytest.mark.full),
        pytest.param("workspace record: write", "after", False, marks=pytest.mark.full),
    ],
)
def test_an_export_that_is_killed_leaves_a_whole_bundle_or_none(
    tmp_path, recorded, point, when, there
):
    bundle = tmp_path / "out" / "run.ritornello"
    before = bytes_of(recorded.directory)

    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "w"), point, when], cwd=ROOT, check=False
    )

    assert done.returncode == -signal.SIGKILL
    assert bundle.exists() == there
    if there:
        assert whole(bundle) == recorded.events
        assert entered(tmp_path / "w", recorded.run_id)
    assert bytes_of(recorded.directory) == before
    assert Workspace.open(tmp_path / "w").verify().integrity == "ok"
    export_run(recorded.run_id, Workspace.open(tmp_path / "w"), bundle)
    assert whole(bundle) == recorded.events
