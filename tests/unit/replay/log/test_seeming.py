"""What is named where a run belongs is told by its first bytes, and the verb for it is said."""

import os

import pytest

from attestations.verdicts import parse_requirements
from orchestrator.cli.batch.several import expanded
from orchestrator.cli.evidence.anchoring import Anchors
from orchestrator.cli.evidence.verifying import Demands, verify_run
from replay.bundle.reader import BundleReader
from replay.errors import BundleError, NotFoundError
from replay.log.seeming import seeming
from replay.log.workspace import Workspace


@pytest.mark.parametrize(
    ("name", "data", "what", "verb"),
    [
        ("a.note", b"ritornello/run/01\n5\n", "a pin: the head of a run", "--pin FILE"),
        ("a.note", b"ritornello/workspace/01\n5\n", "workspace's log", "--workspace --pin"),
        ("x", b"ritornello/proof/v1\nheader", "the proof of one event", "FILE.proof"),
        ("log.duckdb", b"\0" * 8 + b"DUCK" + b"\0" * 40, "a DuckDB file", "--workspace"),
        ("r.jsonl", b'{"payload":"e30=","payloadType":"x"}', "a receipt", "--receipt FILE"),
        ("k.pub", b"ritornello key, version 1\nrole: log\n", "a key", "--log-key"),
        ("k.pem", b"-----BEGIN PUBLIC KEY-----", "a key or a certificate", "--key"),
        ("b", b"PK\3\4" + b"\0" * 26 + b"checkpoint.note", "under another name", "rename"),
        ("b.zip", b"PK\3\4" + b"\0" * 26 + b"something-else.", "a zip that is no bundle", "export"),
        ("agent.py", b"print()", "a program", "ritornello record"),
        ("tape.yaml", b"interactions:", "a cassette", "ritornello import"),
        ("x.bin", b"", "none of what this engine writes", "ritornello runs"),
    ],
)
def test_a_file_is_told_and_its_verb_named(tmp_path, monkeypatch, name, data, what, verb):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(data)

    said, hint = seeming(tmp_path / name)
    assert (what in said, verb in hint) == (True, True)
    with pytest.raises(NotFoundError) as refused:
        Workspace.open(tmp_path / "w", create=True).run_directory(name)
    assert (said in refused.value.message, refused.value.hint) == (True, hint)


def test_nothing_is_seen_where_nothing_is_and_a_pipe_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    assert seeming(tmp_path / "nothing") is None
    assert seeming(tmp_path / "pipe") == ("no regular file", "name a file")


def test_a_run_that_is_not_there_names_the_workspace_and_the_option(tmp_path):
    with pytest.raises(NotFoundError) as refused:
        Workspace.open(tmp_path / "w", create=True).run_directory("01NOPE")

    assert refused.value.where == str(tmp_path / "w")
    assert "--workspace DIR" in refused.value.hint


def test_a_directory_without_bundles_is_told_too(tmp_path):
    Workspace.open(tmp_path / "w", create=True)
    run = tmp_path / "w" / "runs" / "01RUN"
    run.mkdir(parents=True)
    (run / "log.duckdb").write_bytes(b"")
    (tmp_path / "w" / "workspace.log").write_bytes(b"")

    for place, what, verb in (
        (tmp_path / "w", "a workspace", f"--workspace {tmp_path / 'w'}"),
        (run, "the directory of a run", f"--workspace {tmp_path / 'w'} 01RUN"),
        (tmp_path, "no bundle in this directory", "a bundle's name ends in"),
    ):
        with pytest.raises(NotFoundError) as refused:
            expanded([str(place)])
        assert what in refused.value.message
        assert verb in refused.value.hint


def test_a_file_that_is_only_called_a_bundle_is_told_by_every_reader(tmp_path):
    path = tmp_path / "b.ritornello"
    path.write_bytes(b"ritornello/run/01\n5\n" + b"x" * 40)
    demands = Demands(requirements=parse_requirements([]), anchors=Anchors(memory=None))

    with pytest.raises(BundleError) as refused:
        BundleReader.open(path)
    finding = verify_run(str(path), tmp_path, demands).verdicts.integrity.findings[0]

    assert "it seems to be a pin" in refused.value.hint
    assert "it seems to be a pin" in finding.message


def test_a_file_is_told_also_where_there_is_no_workspace(tmp_path):
    (tmp_path / "agent.py").write_text("print()")
    demands = Demands(requirements=parse_requirements([]), anchors=Anchors(memory=None))

    with pytest.raises(NotFoundError, match="it seems to be a program"):
        verify_run(str(tmp_path / "agent.py"), tmp_path / "nowhere", demands)
