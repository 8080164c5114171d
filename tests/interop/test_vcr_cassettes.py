"""Cassettes that vcrpy really records, with real clients over loopback, imported and looked at."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import httpx2
import pytest
import requests
import vcr
import yaml

from orchestrator.cli.reading.records import iter_events
from orchestrator.testing import ScriptedProvider
from replay.errors import IntegrityError
from replay.interop.observed_run import observe_cassette
from replay.log.fsck import check
from replay.log.memory import MemoryStore
from replay.session.extensions import load_dialects
from replay.session.replay import replay_log

pytestmark = pytest.mark.imports_sdk

KEY = "sk-ant-api03-" + "Q7x" * 31
BINARY = bytes(range(256)) * 3


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/moved":
            self.send_response(302)
            self.send_header("location", "/binary")
            self.send_header("set-cookie", "session=verysecretvalue; Path=/")
            self.end_headers()
            return
        body = {"/binary": BINARY, "/zipped": gzip.compress(b'{"word": "tide"}', mtime=0)}.get(
            path, b""
        )
        self.send_response(200)
        if path == "/zipped":
            self.send_header("content-encoding", "gzip")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def observed(path):
    run = observe_cassette(
        path.read_bytes(), name=path.name, dialects=load_dialects(), entropy=lambda n: bytes(n)
    )
    store = MemoryStore()
    store.append(run.entries)
    return run, store, list(iter_events(store))


def kinds(events):
    return [event.header.kind for event in events]


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A cassette of the real SDK: a plain answer, a stream, a refusal."""
    import anthropic

    path = tmp_path_factory.mktemp("cassettes") / "ask.yaml"
    with ScriptedProvider(mode="pure") as provider, vcr.use_cassette(str(path)):
        client = anthropic.Anthropic(api_key=KEY, base_url=provider.base_url)
        messages = [{"role": "user", "content": "What is the tide?"}]
        told = client.messages.create(model="m-1", max_tokens=50, messages=messages)
        with client.messages.stream(model="m-2", max_tokens=50, messages=messages) as stream:
            streamed = stream.get_final_text()
        client.close()
    return path, told.content[0].text, streamed


def test_prompts_and_responses_of_the_real_sdk_appear(asked):
    path, told, streamed = asked

    run, store, events = observed(path)

    assert (run.exchanges, run.read) == (2, 2)
    prompts = [e.payload for e in events if e.header.kind == "PromptSent"]
    assert [(p.model, p.messages, p.stream) for p in prompts] == [
        ("m-1", 1, False),
        ("m-2", 1, True),
    ]
    responses = [e.payload for e in events if e.header.kind == "ResponseReceived"]
    assert [(r.text, r.complete, r.status) for r in responses] == [
        (told, True, 200),
        (streamed, True, 200),
    ]
    assert all(r.input_tokens for r in responses)
    assert check(store).integrity == "ok"


def test_a_key_in_a_cassette_stands_in_no_record(asked):
    path, _, _ = asked
    assert KEY.encode() in path.read_bytes()

    run, store, events = observed(path)

    assert run.secrets == 1
    for entry in store.entries():
        assert KEY.encode() not in entry.raw
        assert all(KEY.encode() not in (part.data or b"") for part in entry.brought)
    sent = next(e.payload for e in events if e.header.kind == "RequestSent")
    assert sent.credentials in {(("authorization", "Bearer"),), (("x-api-key", ""),)}


def test_an_observed_run_is_marked_and_no_replay_of_it_runs_anything(asked):
    path, _, _ = asked
    run, store, events = observed(path)

    found = check(store)
    report = replay_log(store, lambda: pytest.fail("it ran"))

    assert (found.integrity, found.completeness, found.observed) == ("ok", "sealed", True)
    assert found.root == run.root.hex()
    assert dict(events[0].payload.observed)["format"] == "vcrpy cassette 1"
    assert report.verdict == "incomplete"
    assert "not replay-verified" in report.notes[0]


@pytest.mark.parametrize("client", ["httpx", "httpx2", "requests"])
def test_gzip_bodies_binary_bodies_and_redirects_of_every_client(address, tmp_path, client):
    path = tmp_path / "wire.yaml"
    with vcr.use_cassette(str(path)):
        if client == "requests":
            with requests.Session() as session:
                session.get(f"{address}/moved?page=1&token=notforrecords1")
                session.post(f"{address}/zipped", data=BINARY)
        else:
            library = {"httpx": httpx, "httpx2": httpx2}[client]
            with library.Client(follow_redirects=True) as session:
                session.get(f"{address}/moved?page=1&token=notforrecords1")
                session.post(f"{address}/zipped", content=BINARY)

    run, _, events = observed(path)

    assert run.exchanges == 3
    assert kinds(events).count("ResponseEnded") == 3
    requests_sent = [e for e in events if e.header.kind == "RequestSent"]
    assert [e.payload.path for e in requests_sent] == ["/moved", "/binary", "/zipped"]
    assert requests_sent[0].payload.query == "page=1&token="
    bodies = [e for e in events if e.header.kind == "ChunksReceived"]
    by_path = {
        requests_sent[n].payload.path: e
        for e in bodies
        for n, r in enumerate(requests_sent)
        if r.header.seq == e.header.answers
    }
    assert base64.b64decode(by_path["/binary"].body_base64) == BINARY
    assert base64.b64decode(requests_sent[2].body_base64) == BINARY
    heads = [e.payload for e in events if e.header.kind == "ResponseStarted"]
    encoded = {k.lower(): v for k, v in heads[2].headers}.get("content-encoding")
    zipped = by_path["/zipped"]
    if encoded is None:
        assert zipped.body == '{"word": "tide"}'
    else:
        assert gzip.decompress(base64.b64decode(zipped.body_base64)) == b'{"word": "tide"}'
    text = path.read_text()
    assert "verysecretvalue" in text
    assert all("verysecretvalue" not in str(e.payload) for e in events)
    assert all("notforrecords1" not in str(e.payload) for e in events)


def test_a_cassette_in_json_gives_the_same_records_as_one_in_yaml(asked, tmp_path):
    path, _, _ = asked
    plain = yaml.safe_load(path.read_text())
    other = tmp_path / "ask.json"
    other.write_text(json.dumps(plain))

    _, _, from_yaml = observed(path)
    _, _, from_json = observed(other)

    assert [e.payload for e in from_json[2:]] == [e.payload for e in from_yaml[2:]]


def test_vcrpys_own_json_is_read(address, tmp_path):
    path = tmp_path / "own.json"
    with (
        vcr.use_cassette(str(path), serializer="json"),
        httpx.Client() as client,
    ):
        client.get(f"{address}/empty")

    run, _, events = observed(path)

    assert run.exchanges == 1
    assert "ChunksReceived" not in kinds(events)


def test_the_command_takes_a_cassette_shows_it_and_refuses_to_replay_it(asked, tmp_path, place):
    path, told, _ = asked

    imported = place.look("import", path, "--json")
    again = place.look("import", path)

    assert imported.code == 0, imported.err
    assert (imported.report["observed"], imported.report["exchanges"]) == (True, 2)
    assert again.code == 2
    assert "is there already" in again.err
    assert "observed, not replay-verified" in place.look("show", "last").out
    assert place.look("show", "last", "--json").report["observed"] is True
    verified = place.look("verify", "last", "--json")
    assert (verified.code, verified.report["observed"]) == (0, True)
    assert "evidence      observed, not replay-verified" in place.look("verify", "last").out
    assert told[:20] in place.look("events", "last").out
    assert place.look("export", "last", "-o", "seen.ritornello").code == 0
    for name in ("last", "seen.ritornello"):
        replayed = place.look("replay", name, "--json")
        assert replayed.code == 125
        assert replayed.report["verdict"] == "incomplete"
    assert place.look("verify", "seen.ritornello", "--json").report["observed"] is True
    assert place.look("scan", "seen.ritornello").code == 0
    assert place.look("scan", path).code == 1


def _one(status, date):
    exchange = {
        "request": {"method": "GET", "uri": "http://h.example/"},
        "response": {"status": {"code": status}, "headers": {"date": date}},
    }
    return json.dumps({"version": 1, "interactions": [exchange]}).encode()


def _observed_from(data):
    return observe_cassette(data, name="a.json", dialects=(), entropy=lambda n: bytes(n))


def test_a_status_that_no_record_can_hold_is_refused():
    with pytest.raises(IntegrityError, match="no HTTP status"):
        _observed_from(_one(True, "Sat, 21 Nov 2026 10:00:00 GMT"))


def test_the_zone_of_the_machine_is_no_part_of_an_observed_run(monkeypatch):
    data = _one(200, "Sat, 21 Nov 2026 10:00:00 -0000")  # without a zone, by RFC 5322
    try:
        found = set()
        for zone in ("UTC", "Asia/Tokyo"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            run = _observed_from(data)
            found.add((run.run, run.entries[-1].header.time))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert len(found) == 1
