"""Names that are no UTF-8, or empty: refused where something would go wrong, else shown."""

from __future__ import annotations

import json
import os
import sys
from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="file names are any bytes on Linux")

ODD = os.fsdecode(b"odd\xff")


@pytest.mark.parametrize(
    "arguments",
    [
        ("record", "--workspace", ODD, "--", "python", "agent.py"),
        ("run", f"{ODD}.py"),
        ("replay", "run.ritornello", "--in", ODD),
        ("fork", "last", "--secret-to", ODD, "--yes"),
        ("resume", "last", "--in", ODD),
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_program_is_started_with_one(recorded, arguments):
    ended = recorded.look(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("usage: a name is no UTF-8 text")
    assert r"odd\udcff" in ended.err


def test_no_program_is_started_in_such_a_directory(recorded, tmp_path):
    place = type(recorded)(tmp_path / ODD)
    place.path.mkdir()

    assert place.look("record", "--", "python", "agent.py").code == 2
    assert place.look("show", recorded.path / "run.ritornello").code == 0


def test_the_bundle_of_such_a_name_does_not_hide_the_others(recorded, tmp_path):
    data = (recorded.path / "run.ritornello").read_bytes()
    place = type(recorded)(tmp_path)
    place.write("agent.py", (recorded.path / "agent.py").read_text())
    (tmp_path / "bundles").mkdir()
    for name in ("good", ODD):
        (tmp_path / "bundles" / f"{name}.ritornello").write_bytes(data)

    ran = place.run("replay", "bundles", "--json", "--junit", "junit.xml")

    assert ran.code == 2, ran.err
    said = json.loads(ran.out)["replays"]
    assert [(each["subject"], each["verdict"]) for each in said] == [
        ("bundles/good.ritornello", "identical"),
        (r"bundles/odd\udcff.ritornello", None),
    ]
    assert len(ET.parse(tmp_path / "junit.xml").findall("testsuite/testcase")) == 2


@pytest.mark.parametrize("option", [("--workspace", ""), ("--workspace=",)])
def test_a_variable_without_a_value_makes_no_workspace_of_this_directory(place, recorded, option):
    bundle = str(recorded.path / "run.ritornello")

    ended = place.look("import", bundle, *option)

    assert (ended.code, list(place.path.iterdir())) == (2, [])
    assert "--workspace is empty" in ended.err
    assert place.look("import", bundle, "--workspace", ".").code == 0
