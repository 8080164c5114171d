"""With a policy about code nothing of a project runs unasked, neither early nor from a cache."""

from __future__ import annotations

import os
import sys
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc, _code_to_timestamp_pyc
from importlib.util import cache_from_source, source_hash
from pathlib import Path

import pytest

from attestations.errors import PolicyError
from orchestrator.cli.gate.early_code import refuse_early_code
from orchestrator.cli.gate.trust_layers import trust_here
from replay.errors import UsageError
from replay.log.workspace import Workspace
from replay.session.command_line import parse_command, parse_recorded
from replay.session.conditions import Conditions
from tests.cli.conftest import ROOT
from tests.support.attested import CODE, envelope_of, pin, policy_text
from tests.support.signers import attestation_key

SIGNED = "VALUE = 'signed'\n"
PLANTED = "VALUE = 'planted'\n"
#: Imports each module for itself; what is refused is caught, so that the next is tried as well.
MAIN = """\
import sys
sys.path.append("archive.zip")
for name in sys.argv[1:]:
    try:
        print(name, __import__(name, fromlist=["VALUE"]).VALUE)
    except Exception as error:
        print(name, type(error).__name__)
"""
ASKED = Conditions(code=("0" * 64,))


@pytest.fixture
def guarded(place, monkeypatch):
    """A project of which main.py and every signed source are admitted."""
    anna = attestation_key("anna")
    place.write("main.py", MAIN)
    said = [envelope_of(each.encode(), anna) for each in (MAIN, SIGNED)]
    (place.path / "ritornello.intoto.jsonl").write_bytes(b"".join(said))
    policy = place.write("policy.toml", policy_text([("code", "code", CODE)], [anna]))
    monkeypatch.setenv("RITORNELLO_POLICY", pin(policy))
    return place


def _code(path):
    return compile(PLANTED, str(path), "exec")


def _plant_everything(guarded):
    """Beside signed sources, and in their place, whatever else Python would take for a module."""
    kept = {name: guarded.write(f"{name}.py", SIGNED) for name in ("dated", "hashed", "unchecked")}
    at = {name: Path(cache_from_source(str(path))) for name, path in kept.items()}
    at["dated"].parent.mkdir()
    stat = kept["dated"].stat()
    dated = _code_to_timestamp_pyc(_code(kept["dated"]), int(stat.st_mtime), stat.st_size)
    at["dated"].write_bytes(dated)
    of_source = source_hash(SIGNED.encode())
    for name, checked in (("hashed", True), ("unchecked", False)):
        at[name].write_bytes(_code_to_hash_pyc(_code(kept[name]), of_source, checked))
    guarded.write("sourceless.pyc", "").write_bytes(dated)
    guarded.write("extended.py", SIGNED)
    guarded.write("extended.abi3.so", PLANTED)
    guarded.write("shadowed.py", SIGNED)
    guarded.write("shadowed/__init__.py", PLANTED)
    guarded.write("spaced/inner.py", PLANTED)
    guarded.write("statistics.py", PLANTED)
    guarded.write("elsewhere/linked.py", PLANTED)
    (guarded.path / "linked.py").symlink_to("elsewhere/linked.py")
    for name in ("sitecustomize.py", "usercustomize.py", "planted.pth"):
        guarded.write(name, "import sys; sys.stdout.write('planted before')\n")
    with zipfile.ZipFile(guarded.path / "archive.zip", "w") as archive:
        archive.writestr("archived.py", SIGNED)


def test_only_signed_source_runs_whatever_lies_beside_it(guarded):
    _plant_everything(guarded)
    taken = ["dated", "hashed", "unchecked"]
    refused = ["archived", "extended", "linked", "shadowed", "sourceless", "spaced.inner"]
    refused.append("statistics")

    ran = guarded.run("record", "--", "python", "main.py", *taken, *refused)

    # The program caught each of them, and ends as one that did not.
    assert ran.code == 6
    assert "archive.zip" in ran.err.partition("where: ")[2].splitlines()[0]
    assert Workspace.open(guarded.path / ".ritornello").runs()[-1].reason == "failed"
    assert ran.out.splitlines() == [
        *(f"{name} signed" for name in taken),
        *(f"{name} CodeRefusedError" for name in refused),
    ]
    assert guarded.run("replay", "last").code == 0


def test_what_is_found_by_entry_point_is_asked_about_before_it_is_loaded(guarded):
    """A distribution on PYTHONPATH outside of the project, which nobody installed."""
    other = guarded.path.with_name(f"{guarded.path.name}-other")
    about = other / "planted-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Name: planted\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[ritornello.dialects]\nplanted = planted\n")
    (other / "planted.py").write_text("open('planted-ran', 'w').close()\n")
    path = os.pathsep.join([str(ROOT), str(other)])

    refused = guarded.run("record", "--", "python", "main.py", env={"PYTHONPATH": path})

    assert refused.code == 6
    assert "planted.py" in refused.err
    assert not (guarded.path / "planted-ran").exists()


@pytest.mark.parametrize("option", ["pycache_prefix=.cache", "pycache_prefix=/tmp/cache"])
def test_bytecode_of_libraries_is_not_taken_from_where_a_record_says(guarded, option):
    """Planted there it would run in the place of a library's, before any file is compared."""
    refused = guarded.look("record", "--", "python", "-X", option, "main.py")

    assert refused.code == 2
    assert option in refused.err
    assert not (guarded.path / ".ritornello").exists()
    recorded = parse_recorded([f"-X{option}", "main.py"], guarded.path)
    with pytest.raises(UsageError, match="pycache_prefix"):
        refuse_early_code(recorded, guarded.path, ASKED)
    refuse_early_code(recorded, guarded.path, Conditions())


@pytest.mark.parametrize("variable", ["PYTHONPATH", "PYTHONPYCACHEPREFIX"])
def test_a_variable_that_leads_into_the_project_is_refused(guarded, monkeypatch, variable):
    monkeypatch.chdir(guarded.path)
    program = parse_command([sys.executable, "main.py"])
    link = guarded.path.with_name(f"{guarded.path.name}-link")
    link.symlink_to(guarded.path)

    for place in (guarded.path, guarded.path / "deeper", link, Path("relative")):
        monkeypatch.setenv(variable, str(place))
        with pytest.raises(UsageError, match=variable):
            refuse_early_code(program, guarded.path, ASKED)

    for place in (guarded.path.parent, "/else/where", ""):
        monkeypatch.setenv(variable, str(place))
        refuse_early_code(program, guarded.path, ASKED)


def test_a_policy_that_is_named_by_nothing_is_refused_and_not_left_out(guarded, monkeypatch):
    """A setting that was lost on the way, such as an unset variable in a script."""
    refused = guarded.look("record", "--policy", "", "--", "python", "main.py")
    monkeypatch.setenv("RITORNELLO_POLICY", "")
    emptied = guarded.look("record", "--", "python", "main.py")

    assert (refused.code, emptied.code) == (4, 4)
    assert "pinned by its digest" in refused.err
    assert "RITORNELLO_POLICY" in emptied.err


def test_pins_that_nobody_can_look_for_are_not_taken_for_absent(guarded, monkeypatch):
    monkeypatch.delenv("RITORNELLO_POLICY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(guarded.path))
    assert trust_here(guarded.path) is None

    (guarded.path / "ritornello").symlink_to("ritornello")  # around and around

    with pytest.raises(PolicyError, match="nobody can tell"):
        trust_here(guarded.path)
