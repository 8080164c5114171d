"""A workspace that came along with a project is believed as far as its user lets it be."""

from __future__ import annotations

import contextlib

import pytest

from attestations.admission.pins import read_pins
from attestations.errors import PolicyError
from orchestrator.cli.gate.elsewhere import is_from_elsewhere
from orchestrator.cli.gate.trust_layers import trust_here
from tests.support.attested import RUN, pin, policy_text
from tests.support.signers import attestation_key

PINS = 'schema = "ritornello/pins/1"\n'


@pytest.fixture
def named(tmp_path, monkeypatch):
    """Writes which workspaces are one's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "ritornello").mkdir()

    def name(*places):
        listed = ", ".join(f"'{each}'" for each in places)
        (tmp_path / "ritornello/pins.toml").write_text(f"{PINS}workspaces = [{listed}]\n")

    return name


def test_where_own_workspaces_are_named_a_run_of_another_came_from_elsewhere(
    recorded, named, tmp_path
):
    workspace = recorded.path / ".ritornello"
    link = tmp_path / "link"
    link.symlink_to(recorded.path)
    assert not is_from_elsewhere("last", workspace)

    for places in ((), (recorded.path,), (tmp_path / "other/.ritornello",)):
        named(*places)
        assert is_from_elsewhere("last", workspace)

    for place in (workspace, link / ".ritornello", "../link/.ritornello"):
        named(tmp_path / "other", place)
        assert not is_from_elsewhere("last", workspace)
        with contextlib.chdir(recorded.path):
            assert not is_from_elsewhere("last", workspace.relative_to(recorded.path))


def test_a_run_of_a_workspace_that_is_not_named_neither_goes_on_nor_starts_its_command(
    recorded, named
):
    named("/else/where")

    resumed = recorded.look("resume", "last")
    forked = recorded.look("fork", "last", "--yes")

    assert (resumed.code, forked.code) == (2, 6)
    assert "`workspaces` of pins.toml" in resumed.err
    assert "--allow-command" in forked.err


def test_a_rule_about_bundles_is_asked_about_a_run_of_a_workspace_that_is_not_named(
    recorded, named, tmp_path, monkeypatch
):
    policy = tmp_path / "policy.toml"
    rules = [("runs", "bundle", RUN), ("code", "code", None)]
    policy.write_text(policy_text(rules, [attestation_key("anna")]))
    monkeypatch.setenv("RITORNELLO_POLICY", pin(policy))
    named("/else/where")

    refused = recorded.look("replay", "last")

    assert refused.code == 6
    assert "the bundle may not run" in refused.err


def test_a_file_of_pins_without_a_policy_decides_nothing(recorded, named):
    named()

    assert trust_here(recorded.path) is None
    assert "no policy holds here" in recorded.look("policy", "explain").err


@pytest.mark.parametrize("line", ['workspaces = "x"', 'workspaces = [""]', "workspaces = [1]"])
def test_workspaces_that_are_no_paths_are_refused(line):
    with pytest.raises(PolicyError, match="workspaces"):
        read_pins((PINS + line).encode())
