"""`attest --keyless` and who it is that `verify` is told to trust, against a private Sigstore."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest

from attestations.keyless import identify
from attestations.keyless.signing import SigstoreServices, sign
from attestations.statements.envelope import read_envelope
from attestations.statements.predicates import REPLAY, RUN, TOOL
from orchestrator.cli.evidence.keyless_use import KeylessSigner
from orchestrator.cli.gate.admission import admit_program
from replay.bundle import rewrite_bundle
from replay.bundle.reader import BundleReader
from replay.bundle.statements import SIGSTORE_BUNDLE, Statement
from replay.log.workspace_log import WorkspaceLog, payloads_of
from replay.session.command_line import parse_command
from tests.support.attested import pin, policy_text, said_of_replay
from tests.support.private_sigstore import PrivateSigstore
from tests.support.private_sigstore.signed import SUBJECT, pinned, statement
from tests.support.signers import attestation_key
from tools.try_docs import matches


@pytest.fixture(scope="module")
def sigstore():
    with PrivateSigstore() as sigstore:
        yield sigstore


@pytest.fixture
def signing(recorded, place, sigstore):
    """A directory with a run, its bundle, a token, and what to tell a client."""
    shutil.copytree(recorded.path, place.path, dirs_exist_ok=True)
    place.write("token", sigstore.token() + "\n")
    place.write("sigstore.json", sigstore.config().decode())
    place.write("root.json", sigstore.root().decode())
    place.root = f"root.json@sha256:{hashlib.sha256(sigstore.root()).hexdigest()}"
    place.believing = (
        *("--trusted-root", place.root),
        *("--identity", SUBJECT, "--issuer", sigstore.identities.issuer),
    )
    return place


def told(token="token", config="sigstore.json"):
    return ("--keyless", "--identity-token", token, "--trust-config", config)


KEYLESS = told()


def test_a_bundle_is_signed_without_a_key_and_verified_for_that_identity(signing):
    into = ("--predicate", "own", "--into", "run.ritornello")
    signed = signing.look("attest", "run.ritornello", *KEYLESS, *into)
    found = signing.look("verify", "run.ritornello", *signing.believing, "--json")

    assert signed.code == 0, signed.err
    assert f"signed as {SUBJECT} of https://identities.ritornello.test" in signed.err
    assert (signing.path / "token").read_text().strip() not in signed.err
    assert found.code == 0, found.out
    assert found.report["authenticity"] == "signed"
    assert found.report["anchoring"] == "timestamped"
    with BundleReader.open(signing.path / "run.ritornello") as reader:
        (statement,) = reader.statements()
        subject = hashlib.sha256(reader.checkpoint.body()).hexdigest()
    fact = identify(statement.data, pinned((signing.path / "root.json").read_bytes()))
    assert fact.subjects == (subject,)


def test_a_receipt_that_is_signed_without_a_key_is_asked_about_too(signing, monkeypatch):
    """Whose replays are believed is a question of policies, whoever signed and however."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(signing.path / "CONFIG"))
    bundle = signing.path / "run.ritornello"
    anna = attestation_key("anna")
    said = read_envelope(said_of_replay(bundle, anna)).payload
    by = KeylessSigner.prepare(signing.path / "token", signing.path / "sigstore.json")
    (made,) = by.sign([said])
    rewrite_bundle(
        bundle, bundle, statements=[Statement(media_type=SIGSTORE_BUNDLE, data=made.bundle)]
    )
    look = ("verify", "run.ritornello", *signing.believing, "--no-memory", "--json")
    assert signing.look(*look).report["authenticity"] == "signed"

    rules = [("runs", "bundle", None), ("receipts", "receipt", REPLAY)]
    policy = signing.write("receipts.toml", policy_text(rules, [anna]))
    monkeypatch.setenv("RITORNELLO_POLICY", pin(policy))
    found = signing.look(*look).report

    assert (found["authenticity"], found["anchoring"]) == ("untrusted", "none")
    assert "not admitted" in found["verdicts"]["authenticity"]["findings"][0]["message"]


def test_a_run_of_the_workspace_enters_what_was_signed_in_its_log(signing, sigstore):
    signed = signing.look("attest", "last", *KEYLESS, "-o", "run.sigstore.jsonl")

    lines = (signing.path / "run.sigstore.jsonl").read_bytes().splitlines()
    facts = [identify(line, pinned(sigstore.root())) for line in lines]
    entries, _ = WorkspaceLog(signing.path / ".ritornello").entries()
    said = [payload for _, payload in payloads_of(entries)][-2:]
    assert (signed.code, signed.out, len(facts)) == (0, "", 2)
    assert [(each.payload, each.key) for each in said] == [
        (fact.payload_sha256, fact.key_sha256) for fact in facts
    ]


@pytest.mark.full
def test_without_a_root_or_an_identity_a_bundle_is_somebodys_word(signing):
    signing.look("attest", "run.ritornello", *KEYLESS, "--into", "run.ritornello")
    alone, rooted = (
        signing.look("verify", "run.ritornello", "--no-memory", "--json", *more)
        for more in ((), ("--trusted-root", signing.root))
    )

    assert (alone.code, alone.report["authenticity"]) == (0, "untrusted")
    assert "--trusted-root" in json.dumps(alone.report["verdicts"]["authenticity"])
    assert (rooted.code, rooted.report["authenticity"]) == (0, "untrusted")
    assert SUBJECT in json.dumps(rooted.report["verdicts"]["authenticity"])
    assert rooted.report["anchoring"] == "none"


@pytest.mark.full
def test_somebody_who_is_named_has_to_have_signed(signing):
    eve = (*signing.believing[:3], "eve@ritornello.test", *signing.believing[4:])
    unsigned = signing.look("verify", "run.ritornello", *signing.believing, "--json")
    signing.look("attest", "run.ritornello", *KEYLESS, "--into", "run.ritornello")
    another = signing.look("verify", "run.ritornello", *eve, "--json")

    assert (unsigned.code, unsigned.report["unmet"]) == (1, ["--identity"])
    assert (another.code, another.report["unmet"]) == (1, ["--identity"])
    assert another.report["authenticity"] == "untrusted"


@pytest.mark.full
def test_a_statement_about_another_run_is_found_to_be_that(signing):
    signing.write("notes.txt", "other bytes")
    kind = ("--as", "prompt", "--predicate", "own", "-o", "other.json")
    assert signing.look("attest", "notes.txt", *KEYLESS, *kind).code == 0
    from replay.bundle.rewriting import rewrite_bundle
    from replay.bundle.statements import SIGSTORE_BUNDLE, Statement

    data = (signing.path / "other.json").read_bytes()
    path = signing.path / "run.ritornello"
    rewrite_bundle(path, path, statements=[Statement(media_type=SIGSTORE_BUNDLE, data=data)])
    found = signing.look("verify", "run.ritornello", *signing.believing, "--json")

    assert found.code == 3
    assert found.report["authenticity"] == "failed"
    (finding,) = found.report["verdicts"]["authenticity"]["findings"]
    assert finding["code"] == "other"
    assert "about something else" in finding["message"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--keyless",), 2, "which Sigstore signs has to be said"),
        ((*KEYLESS, "--public-sigstore"), 2, "which Sigstore signs has to be said"),
        ((*KEYLESS, "--sign", "alice"), 2, "without a key"),
        ((*KEYLESS, "--checkpoint"), 2, "without a key"),
        (("--trust-config", "sigstore.json"), 2, "add --keyless"),
        (("--public-sigstore",), 2, "add --keyless"),
        (("--keyless", "--trust-config", "sigstore.json"), 2, "SIGSTORE_IDENTITY_TOKEN"),
        (told(token="none"), 4, "the identity token cannot be read"),
        (told(token="agent.py"), 4, "the identity token is refused"),
        (told(config="none"), 4, "the trust configuration cannot be read"),
        (told(config="agent.py"), 4, "no trust configuration of Sigstore"),
    ],
)
def test_what_cannot_be_signed_is_refused_and_nothing_is_written(signing, options, code, said):
    ran = signing.look("attest", "last", *options, "-o", "out.json")

    assert (ran.code, ran.out) == (code, ""), ran.err
    assert said in ran.err
    assert not (signing.path / "out.json").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--identity", SUBJECT), 2, "--trusted-root, --identity and --issuer together"),
        (("--identity", SUBJECT, "--issuer", "x"), 2, "together"),
        (("--trusted-root", "root.json"), 2, "with the SHA-256 it must have"),
        (("--trusted-root", "root.json@" + "0" * 64), 4, "not the pinned 000"),
        (("--trusted-root", "none.json@" + "0" * 64), 4, "cannot be read"),
    ],
)
def test_whom_to_trust_is_said_whole_or_refused(signing, options, code, said):
    ran = signing.look("verify", "run.ritornello", *options)

    assert (ran.code, ran.out) == (code, ""), ran.err
    assert said in ran.err


def test_services_that_are_gone_are_the_others_fault(signing):
    with PrivateSigstore() as gone:
        signing.write("sigstore.json", gone.config().decode())
    ran = signing.look("attest", "last", *KEYLESS, "-o", "out.json")

    assert ran.code == 7
    assert "Sigstore gave no signature" in ran.err
    assert not (signing.path / "out.json").exists()


@pytest.fixture
def governed(signing, sigstore, monkeypatch):
    """A place with a signed bundle, a pinned Sigstore, and a policy that names an identity."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(signing.path / "config"))
    signing.write("config/ritornello/root.json", sigstore.root().decode())
    signing.write("config/ritornello/sigstore.pin", signing.root + "\n")
    signing.write(
        "policy.toml",
        f"""
schema = "ritornello/policy/1"
name = "acme"
trust = "required"
[signers.robot]
issuer = "{sigstore.identities.issuer}"
identity = "{SUBJECT}"
[[rules]]
name = "runs"
kind = "bundle"
predicates = ["{RUN}"]
signers = ["robot"]
seen = ["timestamped"]
""",
    )
    into = ("--predicate", "own", "--into", "run.ritornello")
    assert signing.look("attest", "run.ritornello", *KEYLESS, *into).code == 0
    return signing


def test_a_policy_lets_in_what_the_identity_that_it_names_signed(governed):
    shown = governed.look("policy", "test", "policy.toml", "run.ritornello", "--json")

    assert shown.code == 0, shown.err
    assert [each["verdict"] for each in shown.report["decisions"]] == ["allow"]


@pytest.mark.full
@pytest.mark.parametrize("wrong", ["no pin", "another identity", "another issuer", "another claim"])
def test_a_policy_denies_what_nobody_that_it_names_signed(governed, wrong):
    policy = governed.path / "policy.toml"
    text = policy.read_text()
    if wrong == "no pin":
        (governed.path / "config/ritornello/sigstore.pin").unlink()
    changed = {
        "another identity": text.replace(SUBJECT, "eve@ritornello.test"),
        "another issuer": text.replace("identities.ritornello", "identities.refrain"),
        "another claim": text.replace(
            "[[rules]]", 'claims = { build_trigger = "release" }\n[[rules]]'
        ),
    }
    policy.write_text(changed.get(wrong, text))
    shown = governed.look("policy", "test", "policy.toml", "run.ritornello", "--json")

    assert shown.code == 6
    assert [each["verdict"] for each in shown.report["decisions"]] == ["deny"]


@pytest.mark.full
def test_a_pin_of_another_root_stops_every_decision(governed):
    governed.write("config/ritornello/root.json", "{}")
    shown = governed.look("policy", "test", "policy.toml", "run.ritornello")

    assert shown.code == 4
    assert "not the pinned" in shown.err


def _judged(place, *words):
    shown = place.look("policy", "test", "policy.toml", *words, "--json")
    return shown.code, [each["code"] for each in shown.report["decisions"][0]["reasons"]]


@pytest.fixture
def spoken_of(governed, sigstore):
    """A file beside which a bundle stands with a statement of somebody else's type."""
    services = SigstoreServices.private(sigstore.config())
    made = sign(statement(b"a prompt"), sigstore.token(), services).bundle
    governed.write("greeting.txt", "a prompt")
    pretty = json.dumps(json.loads(made), indent=1)
    governed.write("greeting.txt.sigstore.json", pretty)

    def ask(more="", revocation="", at="2030-01-01T00:00:00Z"):
        text = (governed.path / "policy.toml").read_text().split("[[rules]]")[0]
        rule = (
            f'[[rules]]\nname = "prompts"\nkind = "prompt"\nsigners = ["robot"]\n'
            f'predicates = ["https://ritornello.test/said/v1"]\n{more}\n{revocation}'
        )
        governed.write("policy.toml", text + rule)
        return _judged(governed, "greeting.txt", "--kind", "prompt", *(("--at", at) if at else ()))

    return ask


def test_a_statement_of_another_type_is_as_old_as_its_sigstore_says(spoken_of):
    assert spoken_of() == (0, ["met"])
    assert spoken_of("maximum_age_days = 5", at=None) == (0, ["met"])
    assert spoken_of("maximum_age_days = 5") == (6, ["too-few-signers", "statement-too-old"])


def test_a_revoked_identity_counts_for_what_was_stamped_before(spoken_of, sigstore):
    who = f'[[revocations]]\nissuer = "{sigstore.identities.issuer}"\nidentity = "{SUBJECT}"\n'

    assert spoken_of("", who)[0] == 6
    assert spoken_of("", who + "time = 2029-01-01T00:00:00Z\n") == (0, ["met"])
    assert spoken_of("", who + "time = 2020-01-01T00:00:00Z\n")[0] == 6


def test_a_module_with_a_sigstore_bundle_beside_it_is_admitted(governed, monkeypatch):
    text = (governed.path / "policy.toml").read_text()
    code = text.replace('"bundle"', '"code"').replace(RUN, TOOL)
    policy = governed.write("code.toml", code)
    governed.write("greeting.py", "GREETING = 'good morning'\n")
    tool = ("--as", "tool", "--predicate", "own")
    for name in ("agent.py", "greeting.py"):
        signed = governed.look("attest", name, *KEYLESS, *tool, "-o", f"{name}.sigstore.json")
        assert signed.code == 0, signed.err
    monkeypatch.setenv("RITORNELLO_POLICY", pin(policy))

    with contextlib.chdir(governed.path):
        admitted = admit_program(parse_command([sys.executable, "agent.py"])).conditions.code

    files = [governed.path / name for name in ("agent.py", "greeting.py")]
    assert admitted == tuple(
        sorted(hashlib.sha256(each.read_bytes()).hexdigest() for each in files)
    )


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "sign-without-keys.md"


@pytest.mark.full
def test_the_how_to_comes_true(signing):
    signing.write("root.sha256", signing.root.rpartition(":")[2])
    blocks = PAGE.read_text().split("<!-- with a private sigstore -->\n```console\n$ ")[1:]
    assert len(blocks) == 3
    for block in blocks:
        command, _, expected = block.partition("\n```")[0].partition("\n")
        command, _, code = command.partition(" # exits with ")
        words = command.replace("$(cat root.sha256)", (signing.path / "root.sha256").read_text())
        ran = signing.run(*words.split()[1:])

        assert ran.code == int(code or 0), ran.err
        assert matches(expected, (ran.out + ran.err).rstrip("\n")), ran.out + ran.err
