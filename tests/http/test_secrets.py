"""A key that went to a provider, and came back, stands nowhere but there."""

from __future__ import annotations

import base64
import json

import pytest

from orchestrator.testing import Answer, Echo, Rule, Script, ScriptedProvider
from tests.http.driver import LIBRARIES, PROGRAMS, record, replay
from tests.http.scanning import bundle_bytes, hits, log_bytes, spellings_of
from tests.http.scenes import fake_key

#: Processes of a loaded machine; alone they take a few seconds.
pytestmark = pytest.mark.timeout(180)

PROGRAM = PROGRAMS / "echo.py"
KEY = fake_key()
KEY_BASE64 = base64.b64encode(KEY[13:].encode())
PUBLIC = len("sk-ant-api03-")
#: Cut at every byte of the key, once.
CUTS = range(1, len(KEY))
SCRIPT = Script(
    rules=(
        Rule(path="/raw", answers=(Answer(body=b"taken"),), repeat=True),
        Rule(
            contains="echo",
            answers=tuple(Answer(echo=Echo(cut_at=(cut,))) for cut in CUTS),
        ),
        Rule(path="/v1/messages", answers=(Answer(echo=Echo()),), repeat=True),
    ),
    default=Answer(body=b"taken"),
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    with ScriptedProvider(mode="wild", script=SCRIPT) as provider:
        variables = {
            "BASE_URL": provider.base_url,
            "ANTHROPIC_API_KEY": KEY,
            "EXCHANGES": str(len(CUTS)),
        }
        found = record(
            PROGRAM, tmp_path_factory.mktemp("secrets"), variables=variables, preload=LIBRARIES
        )
        sent = [request.header("authorization") for request in provider.requests]
        assert sent.count(f"Bearer {KEY}") >= len(CUTS) + 1
        bodies = b"\n".join(request.body for request in provider.requests)
        assert KEY.encode() in bodies
    return found


@pytest.fixture(scope="module")
def replayed(recorded):
    return replay(PROGRAM, recorded, preload=LIBRARIES)


def test_the_program_had_the_true_key(recorded):
    assert recorded.stdout.count(KEY.encode()) == len(CUTS) + 1
    assert recorded.error == f"RuntimeError: cannot use {KEY}"


def test_a_replay_without_a_key_reaches_the_same_root(recorded, replayed):
    assert replayed.verdict == "identical", json.dumps(replayed.report)
    assert replayed.report["root_replayed"] == recorded.root
    assert len(replayed.stdout) == len(recorded.stdout)


def test_no_part_of_the_log_holds_more_than_the_public_prefix(recorded):
    found = [
        (name, hits(data, KEY, PUBLIC)[:3])
        for name, data in log_bytes(recorded.directory)
        if hits(data, KEY, PUBLIC)
    ]

    assert found == []


def test_no_member_of_an_exported_bundle_holds_more_than_that(recorded, tmp_path):
    found = [
        name
        for name, data in bundle_bytes(recorded.directory, tmp_path / "run.ritornello")
        if hits(data, KEY, PUBLIC)
    ]

    assert found == []


def test_what_a_replay_prints_and_reports_holds_no_more_than_that(replayed):
    assert hits(replayed.stdout, KEY, PUBLIC) == []
    assert hits(json.dumps(replayed.report).encode(), KEY, PUBLIC) == []


@pytest.mark.parametrize("sizes", [(1,), (9, 3), (14,), (40,)])
def test_a_key_that_comes_back_token_by_token_is_hidden_too(tmp_path, sizes):
    program = PROGRAMS / "echo_stream.py"
    script = Script(default=Answer(echo=Echo(), piece_sizes=sizes))
    with ScriptedProvider(mode="wild", script=script) as provider:
        variables = {"BASE_URL": provider.base_url, "ANTHROPIC_API_KEY": KEY}
        recorded = record(program, tmp_path, variables=variables, preload=LIBRARIES)

    replayed = replay(program, recorded, preload=LIBRARIES)

    assert replayed.verdict == "identical"
    assert hits(replayed.stdout, KEY, PUBLIC) == []
    assert not any(hits(data, KEY, PUBLIC) for _, data in log_bytes(recorded.directory))


def test_the_scanners_find_a_planted_key(tmp_path):
    """The same program and key, but the key lies where no rule calls it one."""
    text = PROGRAM.read_text().replace('os.environ["ANTHROPIC_API_KEY"]', 'os.environ["PLANTED"]')
    text = text.replace("base_url=BASE_URL,", 'base_url=BASE_URL, api_key="of no interest",')
    text = text.replace('headers={"authorization": f"Bearer {KEY}"}', "")
    text = text.replace("user:{KEY}@", "")
    text = text.replace("    await client.close()", "    print(KEY)\n    await client.close()")
    program = tmp_path / "planted.py"
    program.write_text(text)
    with ScriptedProvider(mode="wild", script=SCRIPT) as provider:
        variables = {"BASE_URL": provider.base_url, "PLANTED": KEY[13:], "EXCHANGES": "1"}
        recorded = record(program, tmp_path / "workspace", variables=variables, preload=LIBRARIES)
    data = dict(log_bytes(recorded.directory))
    spelled = b"".join(data.values())

    assert any(name.startswith("part") for name in data if hits(data[name], KEY, PUBLIC))
    assert any(name.startswith("dump") for name in data if hits(data[name], KEY, PUBLIC))
    # Every spelling that the program writes is one that the scanner knows.
    for window in (KEY[40:48], KEY[-8:]):
        assert spellings_of(window) & set(hits(spelled, KEY, PUBLIC)) >= {
            window.encode(),
            window.encode().hex().encode(),
            "".join(f"%{ord(letter):02X}" for letter in window).encode(),
            "".join(f"\\u{ord(letter):04x}" for letter in window).encode(),
        }
    base64_body = next(b for n, b in data.items() if KEY_BASE64[24:60] in b)
    assert hits(base64_body, KEY, PUBLIC)
    assert hits(recorded.stdout, KEY, PUBLIC)
    bundle = bundle_bytes(recorded.directory, tmp_path / "planted.ritornello")
    assert any(hits(content, KEY, PUBLIC) for _, content in bundle)
