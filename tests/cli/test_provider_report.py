"""`ritornello report provider`: each exchange once, what is unknown empty, nothing left out."""

from __future__ import annotations

import csv
import io
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ANTHROPIC = Path(__file__).parents[2] / "bundles" / "good" / "review.ritornello"

#: What a program of another vendor's shape does, with no dialect that reads it.
PROGRAM = """\
import httpx, sys

with httpx.Client() as client:
    for question in ("one", "two"):
        body = {"model": "=m", "messages": [{"role": "user", "content": question}]}
        print(client.post(sys.argv[1] + "/v1/chat/completions", json=body).json()["id"])
"""


class _Provider(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        data = b'{"id":"chatcmpl-1","usage":{"total_tokens":7}}'
        self.send_response(200)
        self.send_header("x-request-id", '=HYPERLINK("http://evil")')
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


def table(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture(scope="module")
def workspace(recorded, tmp_path_factory):
    """A workspace with a run of another vendor's shape and an imported Anthropic one."""
    place = type(recorded)(tmp_path_factory.mktemp("paid"))
    place.write("agent.py", PROGRAM)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        ran = place.run("record", "--", "python", "agent.py", url)
    finally:
        server.shutdown()
        server.server_close()
    assert ran.code == 0, ran.err
    assert place.look("import", ANTHROPIC).code == 0
    return place


def test_an_anthropic_run_names_models_response_ids_and_tokens(workspace):
    ran = workspace.look("report", "provider", ANTHROPIC)

    rows = table(ran.out)
    assert ran.code == 0
    assert len(rows) == 3
    for row in rows:
        assert (row["dialect"], row["model_asked"]) == ("anthropic-messages", "smollm2")
        assert row["response_id"].startswith("chatcmpl-")
        assert int(row["input_tokens"]) > 400
        assert (row["status"], row["ending"], row["request_id"]) == ("200", "complete", "")
    assert "3 have no request id" in ran.err


def test_what_no_dialect_reads_has_the_providers_marks_and_the_rest_empty(workspace):
    period = "2020-01..2099-12"
    ran = workspace.look("report", "provider", period)

    rows = table(ran.out)
    assert ran.code == 0
    assert [row["origin"] for row in rows] == ["recorded"] * 2 + ["imported"] * 3
    for row in rows[:2]:
        assert row["request_id"] == '\'=HYPERLINK("http://evil")'
        assert (row["path"], row["date_by"]) == ("/v1/chat/completions", "provider")
        assert row["model_asked"] == row["input_tokens"] == row["response_id"] == ""
        assert row["provider"].startswith("127.0.0.1:")
    assert "2 were read by no dialect" in ran.err

    host = rows[0]["provider"]
    alone = workspace.look("report", "provider", period, "--host", host, "--json").report
    assert [each["seq"] for each in alone["exchanges"]] == [int(row["seq"]) for row in rows[:2]]
    assert alone["exchanges"][0]["model_asked"] is None


def test_a_period_has_what_falls_into_it_and_says_which_runs_it_could_not_read(workspace, tmp_path):
    assert table(workspace.look("report", "provider", "2001-01").out) == []

    place = type(workspace)(tmp_path)
    shutil.copytree(workspace.path / ".ritornello", tmp_path / ".ritornello")
    first, second = sorted((tmp_path / ".ritornello" / "runs").iterdir())
    shutil.rmtree(first)
    gone = place.look("report", "provider", "2020-01..2099-12")
    assert gone.code == 1
    assert f"run {first.name} was recorded, and its directory is gone" in gone.err
    assert len(table(gone.out)) in {2, 3}

    for file in second.glob("*.duckdb"):
        file.write_bytes(b"no database")
    damaged = place.look("report", "provider", "2020-01..2099-12")
    assert damaged.code == 3, damaged.err
    assert f"run {second.name} cannot be read" in damaged.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("report", "invoice", "last"), 2),
        (("report", "provider", "2026-13"), 2),
        (("report", "provider", "nothing"), 4),
        (("report", "provider", "none.ritornello"), 4),
    ],
)
def test_what_cannot_be_reported_is_refused(workspace, words, code):
    assert workspace.look(*words).code == code


def test_a_file_is_written_once(workspace, tmp_path):
    file = tmp_path / "november.csv"

    assert workspace.look("report", "provider", "last", "-o", file).code == 0
    assert workspace.look("report", "provider", "last", "-o", file).code == 2
    assert file.read_bytes().startswith(b"run,seq,date,")
