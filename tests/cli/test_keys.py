"""`ritornello keys`: made only where asked, trusted only by their owner, ended on record."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from replay.log.workspace_log import WorkspaceLog, payloads_of


@pytest.fixture
def keys():
    """Where the keys of this test's person go."""
    return Path(os.environ["XDG_CONFIG_HOME"], "ritornello", "keys")


@pytest.fixture
def workspace(recorded, place):
    """A copy of a workspace with a run in it, for tests that append to its log."""
    import shutil

    shutil.copytree(recorded.path / ".ritornello", place.path / ".ritornello")
    return place


def _kinds(place):
    entries, _ = WorkspaceLog(place.path / ".ritornello").entries()
    return [payload for _, payload in payloads_of(entries)]


def test_a_key_is_made_for_its_owner_alone_and_trusted_by_nobody(place, keys, monkeypatch):
    monkeypatch.setenv("RITORNELLO_KEY_PASSPHRASE", "correct horse")
    made = place.look("keys", "new", "alice", "--json")
    private, public = keys / "alice.key", keys / "alice.pub"

    assert made.code == 0
    assert made.report["private"] == str(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in private.read_bytes()
    assert b"PRIVATE" not in public.read_bytes()
    assert "correct horse" not in made.out + made.err + private.read_text() + public.read_text()
    listed = place.look("keys", "list", "--json").report
    assert [key["name"] for key in listed["keys"]] == ["alice"]
    assert listed["trusted"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("new", "a"), 4, "no passphrase"),
        (("new", "-x"), 2, "there is no option -x"),
        (("new", "a/b"), 2, "a key's name is"),
        (("new", "a", "--algorithm", "rsa"), 2, "no algorithm"),
        (("new", "a", "--log", "--algorithm", "ecdsa-p256"), 2, "a log key is Ed25519"),
        (("new", "a", "-o", "a.pem"), 4, "ends in .key"),
        (("new", "a", "-o", ".ritornello/a.key"), 4, "inside a workspace"),
        (("nwe",), 2, "did you mean `ritornello keys new`"),
        (("trust", "nobody"), 4, "cannot be read"),
        (("trust", "a+b+c", "--log"), 2, "key-form"),
        (("rotate", "a", "b"), 4, "cannot be read"),
        (("revoke", "a", "--reason", "bored"), 2, "reason"),
    ],
)
def test_what_cannot_be_is_refused_and_makes_nothing(place, keys, arguments, code, said):
    ran = place.look("keys", *arguments)

    assert (ran.code, said in ran.err) == (code, True)
    assert not list(place.path.rglob("*")) + list(keys.parent.rglob("*"))


def test_without_a_passphrase_nothing_is_made_unless_that_is_said(place, keys):
    refused = place.look("keys", "new", "alice")
    assert (refused.code, refused.out) == (4, "")
    assert "--no-passphrase" in refused.err
    assert not keys.exists()

    made = place.look("keys", "new", "alice", "--no-passphrase")
    assert made.code == 0
    assert "not encrypted" in made.err

    (place.path / "pass").write_text("from a file\n")
    made = place.look("keys", "new", "bob", "--passphrase-file", "pass")
    assert made.code == 0
    assert "ENCRYPTED" in (keys / "bob.key").read_text()


def test_nothing_is_written_over(place, keys):
    assert place.look("keys", "new", "--no-passphrase", "alice").code == 0
    before = (keys / "alice.key").read_bytes()

    again = place.look("keys", "new", "--no-passphrase", "alice")

    assert again.code == 4
    assert (keys / "alice.key").read_bytes() == before


def test_a_key_is_trusted_by_its_file_its_name_or_its_text(place, keys):
    place.look("keys", "new", "--no-passphrase", "alice")
    note = place.look("keys", "new", "--no-passphrase", "log.example", "--log", "--json").report[
        "vkey"
    ]
    other = place.look("keys", "new", "--no-passphrase", "bob", "-o", "bob.key")
    assert other.code == 0

    ran = [
        place.look("keys", "trust", "alice"),
        place.look("keys", "trust", "bob.pub", "--as", "builder"),
        place.look("keys", "trust", note),
    ]

    assert [each.code for each in ran] == [0, 0, 0]
    trusted = place.look("keys", "list", "--json").report["trusted"]
    assert [(key["name"], key["role"]) for key in trusted] == [
        ("alice", "attestation"),
        ("builder", "attestation"),
        ("log.example", "log"),
    ]
    assert trusted[2]["vkey"] == note
    assert "trusted already" in place.look("keys", "trust", "alice").out
    wrong = place.look("keys", "trust", "alice", "--log")
    assert (wrong.code, "key for attestations" in wrong.err) == (4, True)


def test_a_private_key_is_not_taken_for_a_public_one(place, keys):
    place.look("keys", "new", "--no-passphrase", "alice", "-o", "alice.key")

    ran = place.look("keys", "trust", "alice.key")

    assert ran.code == 2
    assert "keep this one to yourself" in ran.err


def test_a_rotation_is_on_record_and_the_new_key_is_trusted_as_the_old_one(workspace, keys):
    for name in ("old", "new"):
        workspace.look("keys", "new", "--no-passphrase", name)
    workspace.look("keys", "trust", "old")

    ran = workspace.look("keys", "rotate", "old", "new", "--json")

    assert ran.code == 0, ran.err
    assert ran.report["trusted"] is True
    assert type(_kinds(workspace)[-1]).__name__ == "KeyRotated"
    trusted = workspace.look("keys", "list", "--json").report["trusted"]
    assert [key["name"] for key in trusted] == ["old", "new"]
    assert workspace.look("verify").code == 0


def test_a_revoked_key_signs_no_more(workspace, keys):
    workspace.look("keys", "new", "--no-passphrase", "alice")
    size = len(_kinds(workspace))

    ran = workspace.look("keys", "revoke", "alice", "--reason", "lost", "--json")

    assert (ran.code, ran.report["size"]) == (0, size)
    assert _kinds(workspace)[-1].reason == "lost"
    refused = workspace.look("attest", "last", "--sign", "alice")
    assert (refused.code, "revoked" in refused.err, refused.out) == (4, True, "")
    later = workspace.look("keys", "revoke", "alice", "--reason", "lost", "--size", "999")
    assert (later.code, "records" in later.err) == (2, True)


def test_a_damaged_trust_file_trusts_nobody_and_is_left_alone(place, keys):
    place.look("keys", "new", "--no-passphrase", "alice")
    file = keys.parent / "trust.json"
    file.write_text('{"format":"ritornello/trust/1","keys":[{}]}')

    ran = [place.look("keys", "trust", "alice"), place.look("keys", "list")]

    assert [each.code for each in ran] == [4, 4]
    assert all("not of its form" in each.err for each in ran)
    assert json.loads(file.read_text())["keys"] == [{}]


def test_a_key_in_the_keyring_of_the_system(place, keys, monkeypatch):
    keyring = pytest.importorskip("keyring")

    class Kept(keyring.backend.KeyringBackend):
        priority = 1

        def __init__(self):
            super().__init__()
            self.kept = {}

        def get_password(self, service, username):
            return self.kept.get((service, username))

        def set_password(self, service, username, password):
            self.kept[service, username] = password

        def delete_password(self, service, username):
            del self.kept[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    try:
        made = place.look("keys", "new", "--no-passphrase", "log.example", "--log", "--keyring")
        again = place.look("keys", "new", "--no-passphrase", "log.example", "--log", "--keyring")
        wrong = place.look("attest", __file__, "--as", "tool", "--sign", "keyring:log.example")
    finally:
        keyring.set_keyring(before)

    assert (made.code, again.code, wrong.code) == (0, 4, 4)
    assert "a key for checkpoints, not for statements" in wrong.err
    assert not keys.exists()
