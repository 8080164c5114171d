"""Statements of ours are accepted by other readers, and contradictions by none of ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement as TheirStatement
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.signer import SSlibKey
from sigstore import dsse as sigstore_dsse
from sigstore.dsse._predicate import SLSAPredicateV1_0

from attestations.errors import StatementError
from attestations.keys.public import ALGORITHMS
from attestations.statements import predicates as p
from attestations.statements.checking import check_statement
from attestations.statements.envelope import sign
from attestations.statements.provenance import (
    BUILD_RECORD,
    PROVENANCE,
    make_provenance,
    resources_of,
)
from attestations.statements.statement import Statement, Subject, read_statement
from replay.events.digest import content_hash
from replay.tree import Checkpoint
from tests.support.signers import attestation_key

CHECKPOINT = Checkpoint("ritornello/run/01", 3, sha256(b"root").digest())
CLAIM = p.CheckpointClaim.of(CHECKPOINT)
RUN = Subject.of(CHECKPOINT.origin, CHECKPOINT.body())
TOOL = b"PK tool"
FILE = p.CodeFile(blake3=content_hash(b"x"), path="agent.py", sha256="1" * 64, size_bytes=1)
LIBRARY = p.Distribution(name="Anthropic_SDK", version="2.11.0+local")

TIME = "2026-11-21T12:00:00Z"
REPLAY = p.ReplayPredicate(
    checkpoint=CLAIM,
    claimed_time=TIME,
    code=(FILE,),
    code_state="same",
    distributions=(LIBRARY,),
    engine="0.1.0",
    guard="kernel",
    replayed=p.Replayed(derived_computed=2, events=3, inputs_taken=1, root=CHECKPOINT.root.hex()),
    run="01",
)


def _file(kind):
    return kind(
        blake3=content_hash(TOOL),
        claimed_time=TIME,
        media_type="application/zip",
        name="t",
        size_bytes=7,
        version="1",
    )


SAID = {
    "run": (
        RUN,
        p.RunPredicate(checkpoint=CLAIM, claimed_time=TIME, engine="0.1.0", run="01", sealed=True),
    ),
    "replay": (RUN, REPLAY),
    "tool": (Subject.of("t", TOOL), _file(p.ToolPredicate)),
    "prompt": (Subject.of("t", TOOL), _file(p.PromptPredicate)),
    "policy": (Subject.of("t", TOOL), _file(p.PolicyPredicate)),
    "erasure": (
        RUN,
        p.ErasurePredicate(
            authority="the data protection officer",
            checkpoint=CLAIM,
            claimed_time=TIME,
            events=(1,),
            parts=2,
            reason="asked for",
            run="01",
            workspace=p.CheckpointClaim.of(
                Checkpoint("ritornello/workspace/02", 9, sha256(b"w").digest())
            ),
        ),
    ),
}


def _provenance():
    return make_provenance(
        RUN,
        build_type=BUILD_RECORD,
        parameters={"run": "01"},
        engine="0.1.0",
        invocation="01",
        started_on="2026-11-21T12:00:00Z",
        dependencies=resources_of([FILE], [LIBRARY]),
    )


STATEMENTS = {
    "provenance": _provenance(),
    **{name: p.make_statement(*said) for name, said in SAID.items()},
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", STATEMENTS)
def test_independent_readers_accept_our_statements(name, algorithm):
    key = attestation_key("alice", algorithm)
    line = sign(STATEMENTS[name].encode(), [key]).encode()

    theirs = TheirEnvelope.from_dict(json.loads(line))
    public = SSlibKey.from_crypto(load_der_public_key(key.public.spki), keyid=key.public.keyid)
    assert list(theirs.verify([public], 1)) == [key.public.keyid]
    parsed = json_format.Parse(theirs.payload, statement_pb2.Statement())
    TheirStatement.copy_from_pb(parsed).validate()
    digest = parsed.subject[0].digest["sha256"]
    assert digest == STATEMENTS[name].subject[0].digest.sha256
    assert sigstore_dsse.Statement(theirs.payload)._inner.predicate_type == parsed.predicate_type


def test_independent_readers_accept_our_provenance():
    predicate = json.loads(bytes(STATEMENTS["provenance"].predicate))

    read = json_format.ParseDict(predicate, provenance_pb2.Provenance())
    model = SLSAPredicateV1_0.model_validate(predicate)

    assert read.build_definition.build_type == BUILD_RECORD
    assert read.run_details.metadata.invocation_id == "01"
    uris = [each.uri for each in model.build_definition.resolved_dependencies]
    assert uris == [None, "pkg:pypi/anthropic-sdk@2.11.0%2Blocal"]


@pytest.mark.parametrize("name", SAID)
def test_a_predicate_is_read_as_it_was_made(name):
    subject, said = SAID[name]

    statement = read_statement(STATEMENTS[name].encode())

    assert p.read_predicate(statement) == said
    assert statement.subject == (subject,)


def _altered(statement, **fields):
    predicate = {**json.loads(bytes(statement.predicate)), **fields}
    return msgspec.structs.replace(
        statement, predicate=msgspec.Raw(json.dumps(predicate, separators=(",", ":")).encode())
    )


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("replay", {"verdict": "diverged"}),
        ("replay", {"liveEffects": 1}),
        ("replay", {"replayed": {**msgspec.to_builtins(REPLAY.replayed), "root": "0" * 64}}),
        ("replay", {"guard": "none"}),
        ("replay", {"claimedTime": "today"}),
        ("replay", {"more": 1}),
        ("run", {"checkpoint": {**msgspec.to_builtins(CLAIM), "size": 4}}),
        ("run", {"checkpoint": {**msgspec.to_builtins(CLAIM), "origin": "a b"}}),
        ("run", {"sealed": 1}),
        ("tool", {"sizeBytes": -1}),
        ("tool", {"blake3": "0" * 64 + "\n"}),
        ("erasure", {"events": [2**60]}),
    ],
)
def test_a_predicate_that_contradicts_itself_is_refused(name, fields):
    with pytest.raises(StatementError):
        p.read_predicate(_altered(STATEMENTS[name], **fields))


def test_a_predicate_about_another_checkpoint_or_several_is_refused():
    other = Subject.of("ritornello/run/02", b"x")
    for subject in ((other,), (RUN, other)):
        statement = msgspec.structs.replace(STATEMENTS["run"], subject=subject)
        with pytest.raises(StatementError):
            p.read_predicate(statement)


def test_a_predicate_in_another_encoding_is_refused():
    spaced = json.dumps(json.loads(bytes(STATEMENTS["run"].predicate))).encode()

    with pytest.raises(StatementError, match="canonical"):
        p.read_predicate(msgspec.structs.replace(STATEMENTS["run"], predicate=msgspec.Raw(spaced)))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'{"_type":"https://in-toto.io/Statement/v0.1","subject":[],"predicateType":"x"}',
        STATEMENTS["run"].encode()[:-1] + b',"predicateType":"x"}',
        STATEMENTS["run"].encode().replace(b'"sha256"', b'"blake3"', 1),
        STATEMENTS["run"].encode().replace(b'"subject":[', b'"subject":[],"s":['),
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":[],"predicateType":"x",'
        b'"subject":[{"digest":{"sha256":"' + b"0" * 64 + b'"}}]}',
    ],
)
def test_what_is_no_statement_is_refused(payload):
    with pytest.raises(StatementError):
        read_statement(payload)


def test_a_foreign_statement_is_read_with_what_it_has_beside():
    foreign = json.loads(STATEMENTS["provenance"].encode())
    foreign["later"] = 1
    foreign["predicateType"] = "https://example.invalid/x"
    foreign["subject"][0]["digest"]["sha512"] = "00"
    foreign["subject"][0]["annotations"] = {}

    statement = read_statement(json.dumps(foreign).encode())

    assert p.read_predicate(statement) is None
    assert statement.subject == (RUN,)


def test_a_fact_says_who_signed_what_about_which_bytes():
    alice, bob = attestation_key("alice"), attestation_key("bob")
    line = sign(STATEMENTS["replay"].encode(), [alice]).encode()

    fact = check_statement(line, [alice.public, bob.public], RUN)

    assert (fact.verdict, fact.reason) == ("signed", "")
    assert fact.signers == (alice.public.keyid,)
    assert fact.said == REPLAY
    assert (fact.claimed_time, fact.version) == (TIME, "")
    assert fact.identity == sha256(STATEMENTS["replay"].encode()).hexdigest()


def test_a_fact_says_why_an_envelope_is_worth_nothing():
    alice, bob = attestation_key("alice"), attestation_key("bob")
    keys = [alice.public, bob.public]
    good = sign(STATEMENTS["replay"].encode(), [alice]).encode()
    other = Subject.of("ritornello/run/02", b"x")
    renamed = Subject(name="other", digest=RUN.digest)
    wire = json.loads(good)
    wire["payload"] = json.loads(sign(STATEMENTS["run"].encode(), [bob]).encode())["payload"]
    swapped = json.dumps(wire).encode()
    lie = sign(_altered(STATEMENTS["replay"], liveEffects=1).encode(), [alice]).encode()

    found = [
        check_statement(good, [bob.public], RUN),
        check_statement(good, [], RUN),
        check_statement(good, keys, RUN, threshold=2),
        check_statement(b"{}", keys, RUN),
        check_statement(swapped, keys, RUN),
        check_statement(good, keys, other),
        check_statement(good, keys, renamed),
        check_statement(good, keys, RUN, predicate_types=frozenset({PROVENANCE})),
        check_statement(lie, keys, RUN),
        check_statement(sign(b"{}", [alice]).encode(), keys, RUN),
    ]

    assert [(each.verdict, each.reason) for each in found] == [
        ("untrusted", "keys"),
        ("untrusted", "keys"),
        ("untrusted", "keys"),
        ("failed", "form"),
        ("failed", "signature"),
        ("failed", "subject"),
        ("failed", "subject"),
        ("failed", "predicate"),
        ("failed", "statement"),
        ("failed", "statement"),
    ]
    assert all(each.said is None and each.message for each in found)


def test_statements_are_what_they_say_they_are():
    assert isinstance(STATEMENTS["run"], Statement)
    assert {each.predicate_type for each in STATEMENTS.values()} == {
        PROVENANCE,
        *p.PREDICATE_TYPES,
    }


def test_the_documented_examples_are_read_by_the_types():
    text = (Path(__file__).parents[4] / "attestations" / "PREDICATES.md").read_text()
    examples = re.findall(r"Type URI: `(\S+)`.*?```json\n(.*?)```", text, re.DOTALL)

    assert {uri for uri, _ in examples} == set(p.PREDICATE_TYPES)
    for uri, example in examples:
        raw = json.dumps(json.loads(example), separators=(",", ":")).encode()
        said = msgspec.json.decode(raw, type=p.PREDICATE_TYPES[uri])
        assert msgspec.json.encode(said) == raw


def test_reading_statements_imports_no_store_no_client_and_no_signer():
    line = sign(STATEMENTS["replay"].encode(), [attestation_key()]).encode()
    program = (
        "import sys\n"
        "from attestations.statements.run_evidence import check_envelopes\n"
        "from replay.tree import Checkpoint\n"
        f"print(check_envelopes([{line!r}], [], Checkpoint('a', 1, bytes(32)))[0].verdict)\n"
        "heavy = {'duckdb', 'httpx', 'httpx2', 'anthropic', 'sigstore', 'securesystemslib',"
        " 'in_toto', 'google', 'pydantic', 'cryptography'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stdout.splitlines() == ["untrusted", "[]"], ran.stderr
