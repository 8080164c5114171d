"""`ritornello scan`: where a secret stands is said, what it is is not."""

from __future__ import annotations

import base64
import gzip
import json
import random
import zipfile

import pytest

from orchestrator.cli.searching import secret_search
from orchestrator.cli.searching.secret_search import Search, search_file, search_run
from replay.bundle.reader import BundleReader
from replay.bundle.statements import DSSE_ENVELOPE, Statement
from replay.bundle.writer import write_bundle
from replay.events.kinds import (
    ChunksReceived,
    OutputWritten,
    RequestSent,
    ResponseEnded,
    ResponseStarted,
    SecretRegistered,
)
from tests.support.chats import record_chat
from tests.support.recordings import ListReader, Recording

pytestmark = pytest.mark.imports_sdk

PLANTED = "sk-ant-api03-" + "Zq7" * 30
UNSHAPED = "correct-horse-battery-staple"
PROGRAM = """\
import asyncio, os, replay

@replay.effect
async def leak(piece: str) -> str:
    return "A" * 20000 + " " + piece

async def main():
    print(os.environ["OPENAI_API_KEY"])
    await leak({planted!r})

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def leaky(recorded, tmp_path_factory):
    """A recorded program that holds a key which no variable gave, and one that a variable did."""
    place = type(recorded)(tmp_path_factory.mktemp("leaky"))
    place.write("agent.py", PROGRAM.format(planted=PLANTED))
    environment = {"OPENAI_API_KEY": "sk-proj-" + "a1B2" * 12}
    place.recording = place.run("record", "--", "python", "agent.py", env=environment)
    assert place.recording.code == 0, place.recording.err
    return place


def test_a_clean_bundle_is_clean(recorded):
    assert recorded.look("scan", "run.ritornello", "last", "agent.py").code == 0


def test_a_secret_in_a_run_is_named_by_event_and_byte_and_not_shown(leaky):
    ran = leaky.look("scan", "last", "--json")
    shown = leaky.look("scan", "last")

    # The variable's value has a surrogate; the key in the program's own text has none.
    assert ran.code == shown.code == 1
    assert ran.report["surrogates"] == 1
    events = [
        record["header"] for record in leaky.look("events", "last", "--json").report["events"]
    ]
    found = ran.report["found"]
    assert [events[each["event"]]["kind"] for each in found] == ["EffectStarted", "EffectReturned"]
    assert [each["member"] for each in found] == ["payload", "payload"]
    assert found[1]["offset"] > 20_000  # behind a cut between two parts
    assert PLANTED[13:] not in ran.out + ran.err + shown.out + shown.err


def test_the_value_of_a_variable_is_found_whatever_its_shape(recorded, monkeypatch, tmp_path):
    monkeypatch.setenv("MY_PASSWORD", UNSHAPED)
    file = tmp_path / "notes.txt"
    file.write_text(f"one\ntwo {UNSHAPED}\n")

    ran = recorded.look("scan", file)

    assert ran.code == 1
    assert f"{file}:2: at byte 8, {len(UNSHAPED)} characters: the value of MY_PASSWORD" in ran.out
    assert UNSHAPED not in ran.out + ran.err


def test_a_planted_example_says_so_on_its_own_line(recorded, tmp_path):
    file = tmp_path / "example.py"
    file.write_text(f"a = '{PLANTED}'  # ritornello-scan: allow\n")
    assert recorded.look("scan", file).code == 0

    file.write_text(f"# ritornello-scan: allow\na = '{PLANTED}'\n")
    assert recorded.look("scan", file).code == 1


def test_what_is_not_there_or_damaged_is_worse_than_what_was_found(recorded, tmp_path):
    leaking = tmp_path / "a.txt"
    leaking.write_text(PLANTED)
    damaged = tmp_path / "b.ritornello"
    damaged.write_bytes(b"PK" + bytes(60))

    assert recorded.look("scan", leaking, "nowhere").code == 1
    assert recorded.look("scan", leaking, damaged).code == 3
    assert recorded.look("scan", "nowhere").code == 4


@pytest.mark.parametrize("position", range(0, 90, 7))
def test_a_secret_across_two_pieces_of_a_file_is_found_once(monkeypatch, tmp_path, position):
    monkeypatch.setattr(secret_search, "_PIECE_BYTES", 256)
    monkeypatch.setattr(secret_search, "_OVERLAP_BYTES", 128)
    file = tmp_path / "long.txt"
    file.write_text("\n" * (230 + position) + PLANTED + "\n" + "x " * 400)

    found = list(search_file(file, Search({})))

    assert [(each.offset, each.length, each.line) for each in found] == [
        (230 + position, len(PLANTED), 231 + position)
    ]


def test_verify_takes_several_bundles_and_says_the_worst(recorded, tmp_path):
    data = (recorded.path / "run.ritornello").read_bytes()
    (tmp_path / "good.ritornello").write_bytes(data)
    (tmp_path / "short.ritornello").write_bytes(data[:-30])

    both = recorded.look("verify", tmp_path, "--json")
    good = recorded.look("verify", tmp_path / "good.ritornello", "last")

    assert both.code == 3
    assert [result["exit_code"] for result in both.report["results"]] == [0, 3]
    assert (good.code, good.out.count("integrity ok, completeness sealed")) == (0, 2)
    assert recorded.look("verify", "last", tmp_path / "none.ritornello").code == 4


@pytest.mark.full
@pytest.mark.parametrize("how", ["base64", "json", "percent"])
def test_a_secret_under_another_spelling_is_found(tmp_path, recorded, how):
    spelled = {
        "base64": base64.b64encode(f"user:{PLANTED}".encode()).decode(),
        "json": "".join(f"\\u{ord(c):04x}" for c in PLANTED),
        "percent": "".join(f"%{ord(c):02x}" for c in PLANTED),
    }
    record_chat(tmp_path / "runs", 4, sentence=f"Here: {spelled[how]} Bye.")

    found = found_in(recorded, tmp_path / "runs")

    assert found
    assert {each["decoded"].split()[-1] for each in found} <= {how, "json"}


def test_a_secret_cut_over_the_events_of_a_stream_is_found(tmp_path, recorded):
    record_chat(tmp_path / "runs", 4, sentence=f"Here: {PLANTED} Bye.")

    found = found_in(recorded, tmp_path / "runs")

    assert [each["decoded"] for each in found if each["decoded"]] == ["stream"]


def found_in(place, workspace):
    ran = place.look("scan", "last", "--json", "--workspace", workspace)
    assert (ran.code, PLANTED[13:] in ran.out) == (1, False)
    return [{"decoded": None, **each} for each in ran.report["found"]]


def test_a_secret_in_a_compressed_member_of_a_file_is_found(tmp_path, recorded):
    file = tmp_path / "some.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("notes.txt", f"key: {PLANTED}\n" * 3)

    assert recorded.look("scan", file).code == 1
    assert "(zip)" in recorded.look("scan", file).out


def test_a_secret_in_a_statement_beside_the_run_is_found(tmp_path, recorded):
    said = base64.b64encode(json.dumps({"note": PLANTED}).encode()).decode()
    envelope = json.dumps({"payload": said, "payloadType": "text/plain", "signatures": []})
    file = tmp_path / "said.ritornello"
    with BundleReader.open(recorded.path / "run.ritornello") as reader:
        write_bundle(
            reader,
            file,
            checkpoint=reader.checkpoint,
            sealed=True,
            engine=reader.manifest.engine,
            statements=(Statement(media_type=DSSE_ENVELOPE, data=envelope.encode()),),
        )

    ran = recorded.look("scan", file, "--json")

    (found,) = ran.report["found"]
    assert (ran.code, found["decoded"], PLANTED[13:] in ran.out) == (1, "base64", False)
    assert found["member"].startswith("statements")


def test_what_is_packed_too_deep_to_be_looked_at_is_named_and_no_pass(tmp_path, recorded):
    data = f"key: {PLANTED}\n".encode() * 3
    for _ in range(7):
        data = gzip.compress(data + b" " * 5000, mtime=0)  # else it would be stored as it is
    file = tmp_path / "deep.gz"
    file.write_bytes(data)

    ran, told = recorded.look("scan", file), recorded.look("scan", file, "--json")

    assert (ran.code, told.code) == (125, 125)
    assert f"{file}: not looked at: what is packed more than 5 times\n" in ran.out
    assert told.report["not_looked_at"] == [
        {"subject": str(file), "what": "what is packed more than 5 times"}
    ]
    assert (
        recorded.look("scan", recorded.path / "run.ritornello", "--json").report["not_looked_at"]
        == []
    )


def test_an_archive_that_is_longer_than_what_is_read_at_once_is_not_said_to_be_clean(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(secret_search, "_PIECE_BYTES", 1 << 20)
    monkeypatch.setattr(secret_search, "_OVERLAP_BYTES", 1 << 10)
    file = tmp_path / "large.zip"
    with zipfile.ZipFile(file, "w") as members:
        members.writestr("noise", random.Random(5).randbytes(1 << 20))
        members.writestr("notes", PLANTED * 9, zipfile.ZIP_DEFLATED)
    search = Search({})

    assert list(search_file(file, search)) == []
    assert search.passed_over == ["what is packed behind the first 1 MiB"]


def test_a_response_in_a_coding_that_is_not_undone_is_named_and_no_pass():
    run = Recording()
    asked = run.add(
        RequestSent(method="GET", path="/x", query="", headers=(), credentials=()), body=b""
    )
    headers = (("Content-Encoding", "br"),)
    run.add(
        ResponseStarted(status=200, headers=headers, http_version="HTTP/1.1", reason="OK"),
        answers=asked,
    )
    run.add(ChunksReceived(chunks=((4, 1),)), body=b"\x1b\x14\x00\xf8", answers=asked, part=0)
    run.add(ResponseEnded(), answers=asked)
    search = Search({})

    assert list(search_run("run", ListReader(run.seal().entries), search)) == []
    assert search.passed_over == [f"event {asked}: the response, in the coding 'br'"]


@pytest.mark.parametrize("surrogate", ["", "-", "sk-ant-api0"])
def test_a_surrogate_that_no_recorder_makes_covers_no_key(surrogate):
    run = Recording()
    run.add(SecretRegistered(number=0, source="env:X", surrogate=surrogate, public=0))
    run.add(OutputWritten(stream="stdout", marks=()), body=PLANTED.encode())

    found = list(search_run("run", ListReader(run.seal().entries), Search({})))

    assert {each.event for each in found} == {2}
