"""`ritornello export --withhold`: counted holes, the same root, and a replay that stops."""

from __future__ import annotations

import base64
import json
import re

import pytest

from orchestrator.cli.export import export_run
from orchestrator.cli.searching.withheld_text import decoded_text, refuse_beside
from replay.bundle import BundleReader
from replay.bundle.statements import DSSE_ENVELOPE, Statement
from replay.bundle.withholding import parse_withheld, select_withheld
from replay.errors import UsageError
from replay.events.kinds import OutputWritten
from replay.log.workspace import Workspace
from tests.cli.conftest import PROGRAM
from tests.support import second_reader
from tests.support.chats import SENTENCE, record_chat
from tests.support.recordings import ListReader, Recording

pytestmark = pytest.mark.imports_sdk


def kinds(place, bundle):
    lines = place.look("events", bundle, "--jsonl").out.splitlines()
    return [(e["header"]["seq"], e["header"]["kind"], e["state"]) for e in map(json.loads, lines)]


@pytest.fixture
def shared(recorded, tmp_path):
    """Gives a function that exports the recorded run with something withheld."""

    def export(*words):
        path = tmp_path / "shared.ritornello"
        ran = recorded.look("export", "last", "-o", path, "--force", "--json", *words)
        assert ran.code == 0, ran.err
        return path, ran.report

    return export


def test_what_is_withheld_is_counted_and_the_root_is_the_same(recorded, shared):
    path, report = shared("--withhold", "kind=OutputWritten")

    assert report["root"] == recorded.export.report["root"]
    assert report["withheld"] == report["holes"] >= report["records_withheld"] == 1
    verified = recorded.look("verify", path, "--json")
    assert (verified.code, verified.report["integrity"]) == (0, "ok")
    assert verified.report["holes"]["withheld"] == report["withheld"]
    assert [state for _, kind, state in kinds(recorded, path) if kind == "OutputWritten"] == [
        "withheld"
    ]
    assert second_reader.judged(path).parts["withheld"] == report["withheld"]
    with BundleReader.open(path) as reader:
        members = b"".join(reader.plain(member.name) for member in reader.manifest.members)
    assert b"said 0." not in members
    assert second_reader.judged(path).root == report["root"]


def test_a_replay_says_withheld_and_stops_before_the_input(recorded, shared):
    path, _ = shared("--withhold", "kind=ReadingsTaken")
    first = next(seq for seq, kind, _ in kinds(recorded, path) if kind == "ReadingsTaken")

    ran = recorded.run("replay", path, "--json")

    assert ran.code == 6
    assert (ran.report["verdict"], ran.report["live_effects"]) == ("erased", 0)
    assert ran.report["events"] <= first
    assert ran.report["notes"] == [f"payload is withheld: event {first}"]


@pytest.mark.full
def test_a_result_withheld_without_its_salt_cannot_be_compared_and_with_it_can(recorded, shared):
    path, _ = shared("--withhold", "kind=OutputWritten")
    seq = next(seq for seq, kind, _ in kinds(recorded, path) if kind == "OutputWritten")
    stopped = recorded.run("replay", path, "--json")
    assert (stopped.code, stopped.report["notes"]) == (
        6,
        [f"payload and salt are withheld: event {seq}"],
    )

    path, _ = shared("--withhold", "kind=OutputWritten", "--keep-salts")
    compared = recorded.run("replay", path, "--json")
    assert (compared.code, compared.report["verdict"]) == (0, "identical"), compared.out


def test_a_change_of_what_is_withheld_is_told_without_fields(recorded, shared, tmp_path):
    path, _ = shared("--withhold", "kind=TaskSpawned", "--keep-salts")
    spawned = [seq for seq, kind, _ in kinds(recorded, path) if kind == "TaskSpawned"]
    (tmp_path / "agent.py").write_text(PROGRAM.replace("child-{n}", "another-{n}"))

    ran = recorded.run("replay", path, "--in", tmp_path, "--json")

    assert (ran.code, ran.report["verdict"]) == (1, "diverged"), ran.err
    found = ran.report["divergence"]
    assert found["seq"] in spawned
    assert found["fields"] == []
    assert found["note"] == (
        f"the payload of event {found['seq']} was withheld; its content cannot be compared"
    )


def test_by_actor_and_by_text(recorded, shared):
    _, by_actor = shared("--withhold", "actor=main/child-1,kind=ReadingsTaken")
    _, by_text = shared("--withhold", "text=said 0.")

    assert by_actor["records_withheld"] == 1
    assert by_text["records_withheld"] >= 1


@pytest.mark.parametrize(
    "words",
    [
        ("--withhold", "kind=Nonsense"),
        ("--withhold", "colour=red"),
        ("--withhold", ""),
        ("--withhold", "100000"),
        ("--keep-salts",),
    ],
)
def test_an_expression_that_names_nothing_is_refused_and_nothing_is_written(
    recorded, words, tmp_path
):
    ran = recorded.look("export", "last", "-o", tmp_path / "x.ritornello", *words)

    assert ran.code == 2, ran.err
    assert list(tmp_path.iterdir()) == []


_DELTA = re.compile(rb'"text_delta","text":"((?:[^"\\]|\\.)*)"')


def texts_of(path):
    """What the parts of a bundle read as: their strings, and its streams put together."""
    with BundleReader.open(path) as reader:
        data = b"".join(part.data or b"" for entry in reader.entries() for part in entry.brought)
    deltas = "".join(json.loads(b'"' + each + b'"') for each in _DELTA.findall(data))
    strings = re.sub(
        r'\\(?:u[0-9a-f]{4}|["\\n])',
        lambda match: json.loads(f'"{match[0]}"'),
        data.decode("utf-8", "replace"),
    )
    return deltas, strings


def test_a_text_that_is_withheld_stands_in_no_decoded_byte_of_the_export(tmp_path):
    """It was streamed in pieces of four characters, and each later prompt repeats it, escaped."""
    record_chat(tmp_path / "w", 6)
    place = Workspace.open(tmp_path / "w", create=False)
    whole, shared = tmp_path / "whole.ritornello", tmp_path / "shared.ritornello"
    export_run("last", place, whole)

    done = export_run("last", place, shared, [parse_withheld(f"text={SENTENCE}")])

    assert [SENTENCE in text for text in texts_of(whole)] == [True, True]
    assert [SENTENCE in text for text in texts_of(shared)] == [False, False]
    assert "12 Café" not in texts_of(shared)[0]
    assert done.withheld.holed >= 3
    assert second_reader.judged(shared).root == second_reader.judged(whole).root


def test_a_text_is_withheld_however_its_white_space_is_written():
    run = Recording()
    for n, written in enumerate(("Jane Doe", "Jane\n  Doe", "Jane\u00a0Doe", "Jane Roe")):
        run.add(OutputWritten(stream="stdout", marks=()), body=f"{n}: {written}\n".encode())
    reader = ListReader(run.seal().entries)

    selected = select_withheld(
        reader,
        [parse_withheld("text=Jane Doe")],
        {},
        {"Jane Doe": decoded_text(reader, "Jane Doe")},
    )

    assert selected.named == {1, 2, 3}


def test_a_text_in_what_travels_beside_the_run_is_refused():
    said = base64.b64encode(json.dumps({"note": "the quiet part"}).encode()).decode()
    envelope = json.dumps({"payload": said, "payloadType": "text/plain", "signatures": []})
    beside = [Statement(media_type=DSSE_ENVELOPE, data=envelope.encode())]

    refuse_beside(["the loud part"], [], beside)
    with pytest.raises(UsageError, match="stands in a statement"):
        refuse_beside(["the quiet part"], [], beside)
