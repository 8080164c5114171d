"""What a revoked key signed counts where a head of the log, kept elsewhere, shows it was before."""

from __future__ import annotations

import msgspec
import pytest

from attestations.anchors import HeadMemory
from attestations.checkpoints import cosign_checkpoint, sign_checkpoint
from attestations.keys.public import PublicKey
from attestations.keys.trust import Revocation, Trust, TrustedKey, write_trust
from attestations.statements.envelope import read_envelope, sign
from replay.bundle import Statement
from replay.bundle.statements import DSSE_ENVELOPE
from replay.events.workspace_kinds import (
    RunClosed,
    RunImported,
    RunRegistered,
    StatementSigned,
    WorkspaceCreated,
)
from replay.log.excerpt import excerpt_of
from replay.tree import Checkpoint, root_of, workspace_leaves
from tests.cli.test_verdicts import LOG, LOG_KEY, WITNESSES
from tests.support.attested import RUN, policy_text, said_of_run
from tests.support.bundle_forging import WorkspaceChain, export, head_of, small_entries
from tests.support.signers import attestation_key

NAME = "01JDTESTRUN0000000000000"
ORIGIN = "ritornello/workspace/01JDTESTWORKSPACE0000000"
#: Sizes of the log: it says from 4 on how the run ended, from 5 on that the statement was signed.
CLOSED, SIGNED, EXCERPT = 4, 5, 7
POLICY = ["policy", "test", "policy.toml", "run.ritornello"]


def _log(said, *, foreign=False):
    head = head_of(small_entries())
    ended = {"run": NAME, "size": head.size, "root": head.root.hex()}
    log = WorkspaceChain()
    log.record(WorkspaceCreated(workspace=ORIGIN.rpartition("/")[2]))
    log.record(RunRegistered(run="another", entry="command"))
    log.record(RunRegistered(run=NAME, entry="command"))
    log.record(
        RunImported(**ended, manifest="0" * 64)
        if foreign
        else RunClosed(**ended, reason="completed")
    )
    log.record(said)
    log.record(RunRegistered(run="a third", entry="command"))
    log.record(msgspec.structs.replace(said, payload="0" * 64))
    return log.entries


class Scene:
    """A bundle that anna and a log key signed, in a place whose owner has revoked both keys."""

    def __init__(self, place, monkeypatch):
        for name in ("CONFIG", "STATE"):
            monkeypatch.setenv(f"XDG_{name}_HOME", str(place.path / name))
        self.place, self.anna = place, attestation_key("anna")
        self.bundle = place.path / "run.ritornello"
        self.config = place.path / "CONFIG" / "ritornello"
        place.write("policy.toml", policy_text([("runs", "bundle", RUN)], [self.anna]))
        export(small_entries(), self.bundle)
        self.said = said_of_run(self.bundle, self.anna)
        self.write()

    def write(self, *, foreign=False, said=None, witnesses=0, signed=None):
        """Write the bundle; its log says that `signed` was signed, and `said` lies in it."""
        payload = read_envelope(signed or self.said).identity
        word = StatementSigned(run=NAME, payload=payload, key=self.anna.public.keyid)
        self.log = _log(word, foreign=foreign)
        excerpt = excerpt_of(self.log, NAME)
        lines = [
            cosign_checkpoint(excerpt.checkpoint, key, own, 1_790_000_000)
            for own, key in WITNESSES[:witnesses]
        ]
        self.bundle.unlink()
        export(
            small_entries(),
            self.bundle,
            excerpts=[msgspec.structs.replace(excerpt, signatures=tuple(lines))],
            statements=[Statement(media_type=DSSE_ENVELOPE, data=said or self.said)],
            signatures=[sign_checkpoint(head_of(small_entries()), LOG_KEY, LOG)],
        )

    def revoke(self, size, *, log_key=False):
        """Trust the keys, and revoke one at a size of the log."""
        log = PublicKey.from_raw(LOG_KEY.public_key)
        keyid = log.keyid if log_key else self.anna.public.keyid
        trust = Trust(
            keys=(
                TrustedKey.of("anna", "attestation", self.anna.public),
                TrustedKey.of(LOG_KEY.name, "log", log),
            ),
            revoked=(Revocation(keyid=keyid, origin=ORIGIN, reason="lost", size=size),),
        )
        write_trust(self.config / "trust.json", trust)

    def keep(self, size, *, root=None):
        """Keep a head of the log, in the configuration and as a pin for `verify`."""
        kept = root or root_of(workspace_leaves(each.raw for each in self.log[:size]))
        self.config.mkdir(parents=True, exist_ok=True)
        (self.config / "seen.note").write_bytes(Checkpoint(ORIGIN, size, kept).note(()))
        pins = 'schema = "ritornello/pins/1"\nheads = ["seen.note"]\n'
        (self.config / "pins.toml").write_text(pins)

    def name_witnesses(self, needed):
        self.config.mkdir(parents=True, exist_ok=True)
        keys = ", ".join(f'"{key.text()}"' for _, key in WITNESSES)
        (self.config / "pins.toml").write_text(
            f'schema = "ritornello/pins/1"\nwitnesses = [{keys}]\nwitnesses_needed = {needed}\n'
        )

    def admitted(self):
        return self.place.look(*POLICY).code == 0

    def authenticity(self, *words):
        ran = self.place.look("verify", "run.ritornello", "--json", *words)
        found = ran.report["verdicts"]["authenticity"]["findings"]
        by = {each["message"].split()[0]: each["code"] for each in found}
        return ran.code, by


@pytest.fixture
def scene(place, monkeypatch):
    return Scene(place, monkeypatch)


@pytest.mark.parametrize(
    ("revoked", "kept", "admitted"),
    [
        (6, None, False),  # nobody saw it
        (6, CLOSED, False),  # what was seen is from before it was signed
        (6, SIGNED, True),
        (SIGNED, SIGNED, True),
        (6, 6, True),  # of another run's record only the place is known, and is enough
        (SIGNED, 6, False),  # what was seen is from after the revocation
        (EXCERPT, EXCERPT, True),
        (CLOSED, SIGNED, False),  # signed after it
    ],
)
def test_a_statement_of_a_revoked_key_admits_where_a_kept_head_shows_it_was_before(
    scene, revoked, kept, admitted
):
    assert scene.admitted()
    scene.revoke(revoked)
    if kept is not None:
        scene.keep(kept)

    assert scene.admitted() is admitted


def test_a_kept_head_of_another_log_shows_nothing(scene):
    scene.revoke(6)
    scene.keep(SIGNED, root=bytes(32))

    assert not scene.admitted()
    assert "is revoked" in scene.place.look(*POLICY).out


def test_a_log_that_contradicts_a_pin_is_no_witness_though_the_memory_saw_it_first(scene):
    """Who shows a forged log before the true one is in the memory; a pin is to catch just that."""
    scene.write(witnesses=2)
    seen = Checkpoint(ORIGIN, SIGNED, root_of(workspace_leaves(e.raw for e in scene.log[:SIGNED])))
    HeadMemory(scene.place.path / "STATE" / "ritornello").see(seen, seen.note(()), lambda _: b"")
    pin = ("--pin", "CONFIG/ritornello/seen.note", "--require", "authenticity=signed")
    scene.revoke(6)
    assert scene.admitted()
    assert scene.authenticity()[1]["anna"] == "good"

    scene.keep(SIGNED, root=bytes(32))

    assert not scene.admitted()
    assert scene.authenticity(*pin) == (1, {"anna": "unknown", LOG_KEY.name: "good"})
    assert "--pin" in scene.place.look("verify", "run.ritornello", *pin, "--json").report["unmet"]


def test_what_a_thief_signed_is_not_admitted_by_what_the_owner_signed_before(scene):
    forged = _said_otherwise(scene)
    scene.write(said=forged)
    assert scene.admitted()
    scene.revoke(6)
    scene.keep(SIGNED)

    assert not scene.admitted()


def _said_otherwise(scene):
    payload = read_envelope(scene.said).payload
    dated = payload.replace(b'"claimedTime":"2026', b'"claimedTime":"2001')
    assert dated != payload
    return sign(dated, [scene.anna]).encode()


def test_one_key_was_not_seen_to_sign_because_another_was(scene):
    """The log names the key: of two under one statement only that one was seen."""
    ben = attestation_key("ben")
    both = said_of_run(scene.bundle, scene.anna, ben)
    scene.write(said=both)
    scene.keep(SIGNED)

    def enough(threshold):
        rule = ("runs", "bundle", RUN, 'seen = ["pinned"]', f"threshold = {threshold}")
        scene.place.write("policy.toml", policy_text([rule], [scene.anna, ben]))
        return scene.admitted()

    assert (enough(1), enough(2)) == (True, False)


def test_verify_of_a_bundle_takes_a_pin_of_the_log_in_which_the_run_stands(scene):
    scene.revoke(6)
    scene.keep(SIGNED)
    pin = ("--pin", "CONFIG/ritornello/seen.note", "--no-memory")

    assert scene.authenticity("--no-memory")[1]["anna"] == "unknown"
    assert scene.authenticity(*pin) == (0, {"anna": "good", LOG_KEY.name: "good"})
    scene.keep(2)  # a head of that log in which the run does not stand: it pins nothing of it
    assert scene.authenticity(*pin) == (1, {"anna": "unknown", LOG_KEY.name: "good"})


def test_verify_of_a_bundle_takes_the_word_of_witnesses_on_the_log(scene):
    scene.write(witnesses=2)
    scene.revoke(EXCERPT)
    named = [word for _, key in WITNESSES[:2] for word in ("--witness", key.text())]

    assert scene.authenticity("--no-memory", *named)[1]["anna"] == "good"
    assert scene.authenticity("--no-memory")[1]["anna"] == "unknown"
    scene.revoke(EXCERPT - 1)
    assert scene.authenticity("--no-memory", *named)[1]["anna"] == "unknown"
    scene.write(witnesses=1)
    scene.revoke(EXCERPT)
    assert scene.authenticity("--no-memory", *named)[1]["anna"] == "unknown"


@pytest.mark.parametrize(
    ("revoked", "kept", "foreign", "outcome"),
    [
        (6, CLOSED, False, "good"),
        (6, None, False, "unknown"),
        (6, 3, False, "unknown"),
        (CLOSED, SIGNED, False, "unknown"),
        (6, CLOSED, True, "unknown"),  # the workspace only took it in: others made it
    ],
)
def test_a_checkpoint_signed_by_a_revoked_key_counts_where_its_log_was_seen_before(
    scene, revoked, kept, foreign, outcome
):
    scene.write(foreign=foreign)
    scene.revoke(revoked, log_key=True)
    words = ["--no-memory"]
    if kept is not None:
        scene.keep(kept)
        words += ["--pin", "CONFIG/ritornello/seen.note"]

    assert scene.authenticity(*words)[1][LOG_KEY.name] == outcome


def test_two_revocations_of_a_key_must_both_have_come_later(scene):
    scene.revoke(6)
    scene.keep(SIGNED)
    more = f'[[revocations]]\nkey = "{scene.anna.public.keyid}"\n'
    text = policy_text([("runs", "bundle", RUN)], [scene.anna])
    scene.place.write("policy.toml", text + more)

    assert not scene.admitted()
    where = f'workspace = "{ORIGIN}"\nsize = 5\n'
    scene.place.write("policy.toml", text + more + where)
    assert scene.admitted()


@pytest.mark.parametrize(
    ("cosigned", "needed", "admitted"), [(2, 2, True), (3, 2, True), (1, 2, False), (2, 3, False)]
)
def test_a_decision_takes_the_word_of_as_many_witnesses_as_the_person_named(
    scene, cosigned, needed, admitted
):
    scene.write(witnesses=cosigned)
    scene.revoke(EXCERPT)
    assert not scene.admitted()  # nobody has named a witness
    scene.name_witnesses(needed)
    assert scene.admitted() is admitted


def test_more_witnesses_than_are_named_are_an_error_of_configuration(scene):
    scene.write(witnesses=3)
    scene.revoke(EXCERPT)
    scene.name_witnesses(4)
    ran = scene.place.look(*POLICY)
    assert ran.code == 4
    assert "4 of 3 witnesses" in ran.err
