"""With `trust = "required"`, what nobody vouched for does not run, and nothing is written."""

from __future__ import annotations

import contextlib
import os
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from attestations.admission.evaluation import evaluate
from attestations.admission.facts import Artifact, Facts
from attestations.admission.layers import Layer, merge
from attestations.admission.policy_file import read_policy
from orchestrator.cli.gate.admission import Admission, admit_program
from orchestrator.cli.gate.code_statements import signed_among
from orchestrator.cli.import_cassette import import_cassette
from replay.bundle import Statement, rewrite_bundle
from replay.bundle.statements import DSSE_ENVELOPE
from replay.errors import CodeRefusedError, HermeticError, IntegrityError, UsageError
from replay.events.workspace_kinds import RunAdmitted, RunImported
from replay.log.workspace import Workspace
from replay.session.admitted_code import AdmittedCode
from replay.session.command_line import parse_command
from replay.session.conditions import Conditions
from replay.session.launcher import launch_recording, launch_replay, launch_task
from replay.session.messages import Task
from tests.cli.conftest import PROGRAM, Place
from tests.support.attested import CODE, RUN, envelope_of, pin, policy_text, said_of_run
from tests.support.signers import attestation_key

RULES = [("runs", "bundle", RUN), ("code", "code", CODE)]
MAIN = "import beside\nprint('main ran', beside.VALUE)\n"
BESIDE = "VALUE = 7\n"


@pytest.fixture(scope="module")
def anna():
    return attestation_key("anna")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A run of a program of one file, recorded without a policy, and its bundle."""
    place = Place(tmp_path_factory.mktemp("admission"))
    place.write("agent.py", PROGRAM)
    assert place.run("record", "--", "python", "agent.py").code == 0
    assert place.look("export", "last", "-o", "run.ritornello").code == 0
    return place


@pytest.fixture
def guarded(place, anna, shared, monkeypatch):
    """A place where a pinned policy decides, with the bundle and its program."""
    for name in ("agent.py", "run.ritornello"):
        (place.path / name).write_bytes((shared.path / name).read_bytes())
    place.bundle = place.path / "run.ritornello"
    place.policy = place.write("policy.toml", policy_text(RULES, [anna]))
    monkeypatch.setenv("RITORNELLO_POLICY", pin(place.policy))
    return place


def _signed(place, *names, key):
    lines = [envelope_of((place.path / name).read_bytes(), key, name=name) for name in names]
    (place.path / "ritornello.intoto.jsonl").write_bytes(b"".join(lines))


def _files(place):
    return sorted(str(file.relative_to(place.path)) for file in place.path.rglob("*"))


def test_an_unsigned_bundle_is_neither_replayed_nor_imported_nor_forked(guarded):
    before = _files(guarded)

    for verb in (
        ["replay", "run.ritornello"],
        ["import", "run.ritornello"],
        ["fork", "run.ritornello", "--yes", "--allow-command"],
    ):
        refused = guarded.look(*verb)

        assert refused.code == 6
        assert "the bundle may not run" in refused.err
        assert "rule acme/runs" in refused.err
        assert "run.ritornello" in refused.err
    assert _files(guarded) == before


@pytest.mark.full
def test_a_signed_bundle_replays_with_signed_code_and_says_what_was_decided(guarded, anna):
    said = Statement(media_type=DSSE_ENVELOPE, data=said_of_run(guarded.bundle, anna))
    with_statement = guarded.path / "signed.ritornello"
    rewrite_bundle(guarded.bundle, with_statement, statements=[said])

    refused = guarded.look("replay", "signed.ritornello")
    _signed(guarded, "agent.py", key=anna)
    replayed = guarded.run("replay", "signed.ritornello", "--json")

    assert refused.code == 6
    assert "the code may not run" in refused.err
    assert "agent.py" in refused.err
    assert replayed.code == 0
    decisions = replayed.report["admission"]["decisions"]
    assert [(each["artifact"]["kind"], each["verdict"]) for each in decisions] == [
        ("bundle", "allow"),
        ("code", "allow"),
    ]
    assert guarded.look("import", "signed.ritornello").code == 0
    assert guarded.look("replay", "last").code == 0


def test_what_was_decided_about_an_import_stands_in_the_log_and_adds_nothing_to_the_bundle(
    guarded, anna
):
    said = Statement(media_type=DSSE_ENVELOPE, data=said_of_run(guarded.bundle, anna))
    rewrite_bundle(guarded.bundle, guarded.path / "signed.ritornello", statements=[said])

    imported = guarded.look("import", "signed.ritornello", "--json")

    assert imported.code == 0
    place = Workspace.open(guarded.path / ".ritornello", create=False)
    brought, decided = (payload for _, payload in place.payloads()[1:])
    assert isinstance(brought, RunImported)
    assert isinstance(decided, RunAdmitted)
    (decision,) = imported.report["admission"]["decisions"]
    assert (decided.run, decided.action, decided.subject) == (brought.run, "import", "bundle")
    assert (decided.digest, decided.verdict) == (decision["artifact"]["digest"], "allow")
    assert list(decided.policies) == decision["policies"]
    exported = guarded.look("export", "last", "-o", "again.ritornello", "--json")
    assert exported.report["bundle"] == imported.report["bundle"]
    assert guarded.look("verify", "--workspace").code == 0


def test_without_a_policy_the_log_says_nothing_about_admission(guarded, monkeypatch):
    monkeypatch.delenv("RITORNELLO_POLICY")

    assert guarded.look("import", "run.ritornello", "--json").report["admission"] is None
    place = Workspace.open(guarded.path / ".ritornello", create=False)
    assert [type(payload) for _, payload in place.payloads()[1:]] == [RunImported]


@pytest.mark.full
def test_revoking_the_key_stops_the_next_run(guarded, anna, monkeypatch):
    _signed(guarded, "agent.py", key=anna)
    assert guarded.run("record", "--", "python", "agent.py").code == 0
    revoked = f'[[revocations]]\nkey = "{anna.public.keyid}"\nreason = "lost"\n'
    second = guarded.write("more.toml", policy_text([], trust="observe") + revoked)

    refused = guarded.look("record", "--policy", pin(second), "--", "python", "agent.py")

    assert refused.code == 6
    assert "is revoked" in refused.err


def test_the_decision_is_an_input_of_the_run_and_a_replay_decides_anew(guarded, anna, monkeypatch):
    _signed(guarded, "agent.py", key=anna)
    recorded = guarded.run("record", "--json", "--", "python", "agent.py")
    events = guarded.look("events", "last", "--jsonl").out

    assert recorded.code == 0
    assert '"kind":"AdmissionDecided"' in events
    assert '"verdict":"allow"' in events
    assert guarded.look("verify", "last").code == 0
    assert guarded.run("replay", "last").code == 0

    (guarded.path / "ritornello.intoto.jsonl").unlink()
    assert guarded.look("replay", "last").code == 6

    monkeypatch.delenv("RITORNELLO_POLICY")
    free = guarded.run("replay", "last", "--json")
    assert free.code == 0
    assert free.report["admission"] is None
    assert free.report["verdict"] == "identical"


@pytest.mark.full
def test_a_policy_that_looks_on_refuses_nothing_and_records_what_it_saw(guarded, monkeypatch):
    seen = guarded.write("seen.toml", policy_text(RULES, [attestation_key()], trust="observe"))
    monkeypatch.setenv("RITORNELLO_POLICY", pin(seen))

    recorded = guarded.run("record", "--json", "--", "python", "agent.py")
    replayed = guarded.run("replay", "run.ritornello", "--json")

    (decision,) = recorded.report["admission"]["decisions"]
    assert (recorded.code, replayed.code) == (0, 0)
    assert (decision["verdict"], decision["judged"]) == ("allow", "deny")
    assert '"judged":"deny"' in guarded.look("events", "last", "--jsonl").out


def test_a_statement_beside_an_imported_file_admits_that_file(guarded, anna):
    guarded.write("agent.py", MAIN)
    beside = guarded.write("parts/beside.py", BESIDE)
    hidden = guarded.write(".cache/hidden.py", "VALUE = 9\n")
    installed = guarded.write("env/lib/other.py", "VALUE = 10\n")
    guarded.write("env/pyvenv.cfg", "")
    _signed(guarded, "agent.py", key=anna)
    for file in (beside, hidden, installed):
        said = envelope_of(file.read_bytes(), anna, name=file.name)
        file.with_name(file.name + ".intoto.jsonl").write_bytes(said)

    with contextlib.chdir(guarded.path):
        admitted = admit_program(parse_command([sys.executable, "agent.py"])).conditions.code

    named = [guarded.path / "agent.py", beside]
    assert admitted == tuple(sorted(sha256(each.read_bytes()).hexdigest() for each in named))


def test_directories_nested_a_thousand_deep_are_looked_into_without_an_error(guarded, anna):
    _signed(guarded, "agent.py", key=anna)
    deep = [Path(f"{guarded.path}{'/a' * n}") for n in range(1, sys.getrecursionlimit() + 100)]
    for place in deep:
        place.mkdir()

    with contextlib.chdir(guarded.path):
        admitted = admit_program(parse_command([sys.executable, "agent.py"])).conditions.code

    for place in reversed(deep):  # what clears up behind tests calls itself too
        place.rmdir()
    assert admitted == (sha256((guarded.path / "agent.py").read_bytes()).hexdigest(),)


def test_what_strangers_say_of_files_is_looked_at_once_and_not_for_each_file(guarded, anna):
    """Each of their envelopes may name a thousand files, and a project may bring many."""
    stranger = attestation_key("stranger")
    data = (guarded.path / "agent.py").read_bytes()
    said = [envelope_of(data, key, name="agent.py") for key in (anna, stranger)]

    policy = read_policy(guarded.policy.read_bytes())
    trust = merge([Layer(policy=policy, digest="0" * 64, source="pinned")])
    wrapped = b'{"dsseEnvelope":{"payload":""}}'

    assert list(signed_among(trust, [*said, wrapped, b"no envelope"])) == said[:1]


@pytest.mark.full
@pytest.mark.parametrize("name", ["beside.py", "beside.pyc", "beside.abi3.so"])
def test_a_revoked_module_does_not_run_though_any_code_may(guarded, monkeypatch, name):
    guarded.write("agent.py", MAIN)
    revoked = guarded.write(name, BESIDE)
    digest = sha256(revoked.read_bytes()).hexdigest()
    text = policy_text([("code", "code", None)]) + f'[[revocations]]\ndigest = "{digest}"\n'
    monkeypatch.setenv("RITORNELLO_POLICY", pin(guarded.write("any.toml", text)))

    ran = guarded.run("record", "--", "python", "agent.py")

    assert ran.code == 6
    assert "main ran" not in ran.out
    assert "a policy revokes this file" in ran.err


def test_what_is_revoked_goes_along_though_any_code_may_run(guarded, monkeypatch):
    more = f'[[revocations]]\ndigest = "{"5" * 64}"\n'
    text = policy_text([("code", "code", None)]) + more
    monkeypatch.setenv("RITORNELLO_POLICY", pin(guarded.write("any.toml", text)))

    with contextlib.chdir(guarded.path):
        found = admit_program(parse_command([sys.executable, "agent.py"])).conditions

    assert (found.code, found.revoked, found.asks_about_code) == (None, ("5" * 64,), True)
    revoked = AdmittedCode(None, (sha256(b"bad").hexdigest(),))
    revoked.require(b"good", "beside.py")
    with pytest.raises(CodeRefusedError, match="revokes"):
        revoked.require(b"bad", "beside.py")


@pytest.mark.full
@pytest.mark.parametrize("change", ["unsigned", "altered", "cached", "extension", "archive"])
def test_a_module_beside_the_program_runs_only_if_it_is_vouched_for(guarded, anna, change):
    guarded.write("agent.py", MAIN)
    beside = guarded.write("beside.py", BESIDE)
    _signed(guarded, "agent.py", "beside.py", key=anna)
    if change == "unsigned":
        _signed(guarded, "agent.py", key=anna)
    elif change == "altered":
        beside.write_text("VALUE = 8\n")
    elif change == "cached":  # bytecode of other source, with the time and size of the signed one
        _plant_bytecode(beside, "print('planted')\nVALUE = 9\n")
    elif change == "extension":
        beside.unlink()
        guarded.write("beside.abi3.so", "no library")
    else:
        beside.rename(guarded.path / "beside.pyc")

    ran = guarded.run("record", "--", "python", "agent.py")

    assert "planted" not in ran.out
    if change == "cached":  # the cache is not looked at; the signed source ran
        assert ran.code == 0
        assert ran.out == "main ran 7\n"
    else:
        assert ran.code == 6
        assert "main ran" not in ran.out
        assert "code-refused" in ran.err


def _plant_bytecode(path, source):
    from importlib._bootstrap_external import _code_to_timestamp_pyc
    from importlib.util import cache_from_source

    stat = path.stat()
    data = _code_to_timestamp_pyc(
        compile(source, str(path), "exec"), int(stat.st_mtime), stat.st_size
    )
    cached = Path(cache_from_source(str(path)))
    cached.parent.mkdir(exist_ok=True)
    cached.write_bytes(data)


@pytest.mark.parametrize(
    "command",
    [
        ["python", "-c", "print('ran')"],
        ["python", "-m", "beside"],
        ["python", "-m", "timeit"],
        ["python", "."],
    ],
)
def test_every_way_to_start_a_program_is_asked_about(guarded, command):
    guarded.write("beside.py", "print('ran')\n")
    guarded.write("__main__.py", "print('ran')\n")
    before = _files(guarded)

    refused = guarded.look("record", "--", *command)

    assert refused.code == 6
    assert "ran" not in refused.out
    assert _files(guarded) == before


@pytest.mark.full
def test_a_function_of_a_file_is_asked_about(guarded, anna):
    guarded.write("flow.py", "async def main():\n    return 3\n")

    assert guarded.look("run", "flow.py").code == 6

    _signed(guarded, "flow.py", key=anna)

    assert guarded.run("run", "flow.py").code == 0


def test_a_record_that_is_swapped_after_the_decision_does_not_run(guarded, tmp_path):
    """The decision goes along as a digest; launcher and child compare what they open with it."""
    workspace, other = guarded.path / ".ritornello", Conditions(record="0" * 64)
    with contextlib.chdir(guarded.path):
        program = parse_command([sys.executable, "agent.py"])
    task = Task(
        action="replay",
        program=program,
        workspace=str(workspace),
        run=str(guarded.bundle),
        conditions=other,
    )

    with contextlib.chdir(guarded.path):
        with pytest.raises(IntegrityError, match="no longer the one"):
            launch_replay("run.ritornello", workspace, conditions=other)
        with pytest.raises(IntegrityError, match="no longer the one"):
            launch_task(task, hash_seed="0", directory=None, output_to_stderr=True)


def test_a_program_that_is_swapped_after_the_decision_does_not_run(guarded, capfd):
    before = _files(guarded)
    decided = Conditions(code=("0" * 64,))

    with contextlib.chdir(guarded.path), pytest.raises(CodeRefusedError, match="not"):
        program = parse_command([sys.executable, "agent.py"])
        launch_recording(program, guarded.path / ".ritornello", conditions=decided)

    assert capfd.readouterr().out == ""
    assert _files(guarded) == before


@pytest.mark.parametrize("path", [".", ":/else/where", "/else/where:beside", ":"])
def test_a_path_that_leads_into_the_programs_directory_is_refused(guarded, monkeypatch, path):
    """Python would run a `sitecustomize` there, before the engine is up."""
    guarded.write("sitecustomize.py", "open('ran', 'a').close()\n")
    decided = Conditions(code=("0" * 64,))
    monkeypatch.setenv("PYTHONPATH", path)

    with contextlib.chdir(guarded.path), pytest.raises(UsageError, match="PYTHONPATH"):
        program = parse_command([sys.executable, "agent.py"])
        launch_recording(program, guarded.path / ".ritornello", conditions=decided)

    assert not (guarded.path / "ran").exists()


@pytest.mark.parametrize("name", ["ritornello.policy.toml", "agent.py.intoto.jsonl"])
def test_a_pipe_in_place_of_a_file_of_the_projects_is_refused_without_waiting(guarded, name):
    os.mkfifo(guarded.path / name)

    refused = guarded.look("record", "--", "python", "agent.py")

    assert refused.code == 4
    assert "it is no file" in refused.err


def test_an_expired_policy_lets_nothing_run(guarded, anna, monkeypatch):
    _signed(guarded, "agent.py", key=anna)
    text = policy_text(RULES, [anna], more="expires = 2026-01-01T00:00:00Z")
    monkeypatch.setenv("RITORNELLO_POLICY", pin(guarded.write("old.toml", text)))

    refused = guarded.look("record", "--", "python", "agent.py")

    assert refused.code == 6
    assert "ran out" in refused.err


def test_a_cassette_that_nobody_vouched_for_is_not_imported(guarded):
    guarded.write("tape.yaml", "version: 1\ninteractions: []\n")

    refused = guarded.look("import", "tape.yaml")

    assert refused.code == 6
    assert "tape.yaml" in refused.err


def test_a_cassette_that_is_swapped_after_the_decision_is_not_imported(guarded, anna):
    tape = guarded.write("tape.yaml", "version: 1\ninteractions: []\n")
    decided = Artifact(kind="bundle", digest="0" * 64, name="tape.yaml")
    admission = Admission(decisions=(evaluate(merge([]), Facts(artifact=decided), 0),))
    before = _files(guarded)

    with pytest.raises(HermeticError, match="no longer the one"):
        import_cassette(tape, guarded.path / ".ritornello", admission, as_json=True)

    assert _files(guarded) == before
