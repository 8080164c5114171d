"""Credentials that a run meets on its way: in answers, in their heads, in addresses."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

import httpx
import httpx2
import pytest

from orchestrator.cli.export import export_run
from orchestrator.cli.searching.secret_search import Search, search_run
from orchestrator.testing import Answer, Delivery, Rule, Script, ScriptedProvider
from replay.bundle.withholding import parse_withheld
from replay.events.kinds import ResponseStarted, SecretRegistered, SecretSuspected
from replay.events.payload import decode_payload
from replay.log.duckdb_store import DuckDBStore
from replay.log.workspace import Workspace
from replay.session.record import record_program
from replay.session.replay import replay_log
from tests.fault.resuming.scene import Scene

TOKEN = "tk9Qm2xVw7LrZ4pYb8Ns3"
EVENTS = b"".join(
    b"data: " + json.dumps({"text": piece}).encode() + b"\n\n"
    for piece in (TOKEN[:5], TOKEN[5:11], TOKEN[11:])
)
SCRIPT = Script(
    rules=(
        Rule(path="/tok", answers=(Answer(body=json.dumps({"tok": TOKEN}).encode()),)),
        Rule(
            path="/packed",
            answers=(
                Answer(body=json.dumps({"tok": TOKEN}).encode(), delivery=Delivery(gzip=True)),
            ),
        ),
        Rule(
            path="/stream",
            answers=(Answer(body=EVENTS, content_type="text/event-stream"),),
        ),
        Rule(
            path="/login",
            answers=(
                Answer(
                    status=302,
                    body=b"over there",
                    headers=(
                        ("Location", f"/landed?token={TOKEN}&page=2"),
                        ("Refresh", f"0; url=/landed?api_key={TOKEN}2"),
                        ("Link", f'<https://elsewhere/?x=1&password={TOKEN}3>; rel="next"'),
                        ("X-Auth-Token", f"{TOKEN}4"),
                        ("Authorization", f"Bearer {TOKEN}5"),
                        ("X-Api-Key", "short"),
                    ),
                ),
            ),
        ),
    ),
    default=Answer(body=b"fine"),
)
LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2])


@pytest.fixture(scope="module", autouse=True)
def _warm():
    """What a library reads and imports with its first request is no part of a run here."""
    with ScriptedProvider(script=SCRIPT) as provider:
        for library in (httpx, httpx2):
            library.get(provider.base_url)
            asyncio.run(_asked(library, provider.base_url))


async def _asked(library, url):
    async with library.AsyncClient() as client:
        await client.get(url)


def recorded(program, tmp_path):
    with ScriptedProvider(script=SCRIPT) as provider:
        recording = record_program(
            lambda: program(provider.base_url), entry="t", workspace=tmp_path, dialects=()
        )
        sent = list(provider.requests)
    if recording.error is not None:
        raise recording.error
    store = DuckDBStore.open(recording.directory, read_only=True)
    report = replay_log(store, lambda: program(provider.base_url), dialects=())
    entries = list(store.entries())
    store.close()
    assert report.verdict == "identical", report.divergence
    return recording, sent, entries


def payloads(entries, kind):
    parts = {part.ordinal: part.data for entry in entries for part in entry.brought}
    return [
        decode_payload(entry.header.media, b"".join(parts[n] for n in entry.parts))[0]
        for entry in entries
        if entry.header.kind == kind.__name__
    ]


def everything(entries):
    return b"\n".join(part.data for entry in entries for part in entry.brought)


def token_of(response):
    if "tok" in response.text:
        return response.json()["tok"]
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    return "".join(json.loads(line)["text"] for line in lines)


def with_a_thread(library, path):
    def program(url):
        with library.Client(base_url=url) as client:
            token = token_of(client.get(path))
            client.get("/data", headers={"Authorization": f"Bearer {token}"})

    return program


def with_a_task(library, path):
    async def main(url):
        async with library.AsyncClient(base_url=url) as client:
            token = token_of(await client.get(path))
            await client.get("/data", headers={"Authorization": f"Bearer {token}"})

    return lambda url: asyncio.run(main(url))


@LIBRARIES
@pytest.mark.parametrize("way", [with_a_thread, with_a_task])
@pytest.mark.parametrize("path", ["/tok", "/packed", "/stream"])
def test_a_token_out_of_an_answer_keeps_the_run_here(library, way, path, tmp_path):
    recording, _, entries = recorded(way(library, path), tmp_path)
    noted = payloads(entries, SecretSuspected)
    place = Workspace.open(tmp_path, create=False)
    file = tmp_path / "run.ritornello"

    kinds = {entries[each.record].header.kind for each in noted}
    assert kinds == {"ChunksReceived"}
    store = DuckDBStore.open(recording.directory)
    late = [each for each in search_run("it", store, Search({})) if each.what == "late"]
    store.close()
    assert {(each.event, each.source) for each in late} == {
        (each.record, "header:authorization") for each in noted
    }
    assert export_run(recording.run_id, place, file) is None
    held = ",".join(str(each.record) for each in noted)
    exported = export_run(recording.run_id, place, file, (parse_withheld(held),))
    assert exported is not None
    assert TOKEN[:5].encode() not in file.read_bytes()


def test_a_key_that_no_record_holds_is_no_hindrance(tmp_path):
    def program(url):
        httpx.get(f"{url}/data", headers={"X-Api-Key": TOKEN})

    recording, _, entries = recorded(program, tmp_path)

    assert payloads(entries, SecretSuspected) == []
    assert len(payloads(entries, SecretRegistered)) == 1
    place = Workspace.open(tmp_path, create=False)
    assert export_run(recording.run_id, place, tmp_path / "run.ritornello") is not None


@LIBRARIES
def test_what_the_head_of_an_answer_brings_has_a_surrogate(library, tmp_path):
    seen = []

    def program(url):
        with library.Client(base_url=url, follow_redirects=True) as client:
            response = client.get("/login")
            print(response.url, response.history[0].headers["x-auth-token"])
            seen.append([*response.history[0].headers.raw])
            client.post("/use", json={"again": response.history[0].headers["x-auth-token"]})

    recording, sent, entries = recorded(program, tmp_path)

    live, replayed = (dict(each) for each in seen)
    assert f"token={TOKEN}&page=2" in live[b"Location"].decode()
    assert [r.path for r in sent][:2] == ["/login", "/landed"]
    assert TOKEN.encode() not in everything(entries)
    assert len(live) == len(replayed)
    for name, value in live.items():
        assert (replayed[name] == value) == (TOKEN.encode() not in value), name
    assert replayed[b"Authorization"].startswith(b"Bearer ")
    assert replayed[b"X-Api-Key"] == b"short"
    assert [each.source for each in payloads(entries, SecretRegistered)] == [
        "answer:location?token",
        "answer:refresh?api_key",
        "answer:link?password",
        "answer:x-auth-token",
        "answer:authorization",
    ]
    assert recording.reason == "completed"


def test_an_asynchronous_redirect_replays_too(tmp_path):
    async def main(url):
        async with httpx2.AsyncClient(base_url=url, follow_redirects=True) as client:
            print((await client.get("/login")).url)

    _, _, entries = recorded(lambda url: asyncio.run(main(url)), tmp_path)

    assert TOKEN.encode() not in everything(entries)
    assert len(payloads(entries, ResponseStarted)) == 2


@pytest.mark.parametrize("name", ["password", "client_secret", "X-Amz-Signature"])
def test_a_credential_in_the_query_of_a_request_has_a_surrogate(name, tmp_path):
    def program(url):
        print(httpx.get(f"{url}/data?a=1&{name}={TOKEN}%2Fx&b=2").request.url)

    _, sent, entries = recorded(program, tmp_path)

    assert TOKEN in str(sent[0])
    assert TOKEN.encode() not in everything(entries)
    assert [e.source for e in payloads(entries, SecretRegistered)] == [f"query:{name.lower()}"]


def test_a_server_cannot_make_a_run_hold_any_number_of_secrets(tmp_path):
    links = ", ".join(f"</{n}?token={TOKEN}{n:03}>" for n in range(40))
    script = Script(default=Answer(body=b"fine", headers=(("Link", links),)))

    def program(url):
        for _ in range(3):
            httpx.get(url)

    with ScriptedProvider(script=script) as provider:
        recording = record_program(
            lambda: program(provider.base_url), entry="t", workspace=tmp_path, dialects=()
        )
    store = DuckDBStore.open(recording.directory, read_only=True)
    report = replay_log(store, lambda: program(provider.base_url), dialects=())
    entries = list(store.entries())
    store.close()

    assert report.verdict == "identical"
    assert len(payloads(entries, SecretRegistered)) == 16


RESUMED = """
import os
import httpx

with httpx.Client(base_url=os.environ["BASE_URL"], follow_redirects=True) as client:
    client.get("/login")
    client.get("/data", headers={"Authorization": "Bearer " + client.get("/tok").json()["tok"]})
    client.get("/wait", timeout=60)
    landed = client.get("/again")
    print(landed.status_code, landed.url.path)
"""


def test_a_run_that_met_credentials_goes_on_after_a_crash(tmp_path):
    (tmp_path / "program.py").write_text(RESUMED)
    again = Answer(status=302, body=b"over", headers=(("Location", f"/landed?token=new{TOKEN}"),))
    slow = Answer(body=b"late", delivery=Delivery(latency_ms=60_000))
    found = f"x{TOKEN[:-1]}".swapcase()
    rules = (
        Rule(path="/tok", answers=(Answer(body=json.dumps({"tok": found}).encode()),)),
        Rule(path="/wait", answers=(slow, Answer(body=b"now"))),
        Rule(path="/again", answers=(again,), repeat=True),
    )
    with ScriptedProvider(
        script=Script(rules=(*rules, *SCRIPT.rules), default=SCRIPT.default)
    ) as p:
        scene = Scene(tmp_path, BASE_URL=p.base_url)
        arguments = ("record", "--", sys.executable, "program.py")
        assert scene.killed(lambda: any(r.path == "/wait" for r in p.requests), *arguments)
        resumed = scene.run("resume", "last")
        asked = [r.path for r in p.requests]

    assert resumed.code == 0, resumed.err
    assert resumed.out.endswith("200 /landed\n")
    assert asked.count("/landed") == 2
    assert asked.count("/wait") == 2
    kinds = Counter(header.kind for header, _, _ in scene.records())
    assert kinds["SecretSuspected"] == 1
    data = b"".join(part.encode() for part in map(repr, scene.records()))
    assert TOKEN.encode() not in data
    replayed = scene.run("replay", "last")
    assert replayed.code == 0, replayed.out + replayed.err
    assert scene.run("export", "last", "-o", "run.ritornello").code == 6
