"""A page of hostile text: in it, and in a real browser that nothing of it may steer."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from html.parser import HTMLParser

import pytest

from orchestrator.cli.reading.diff_html import page
from orchestrator.cli.reading.diff_text import CLASS_TEXTS, lines_of
from replay.events.kinds import EffectStarted, FileWritten, OutputWritten, RunEnded
from replay.forensics.diff.compare import compare_runs
from replay.forensics.diff.values import DifferenceClass
from tests.support.conversations import RAW, spawn
from tests.support.recordings import ListReader, Recording

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
STEERING = "\u202egnp.exe\u2066 \x1b[2J\x1b]0;owned\x07 \u200b\x9b31m\r"


def hostile(url, number):
    """A run whose every text tries to be something else on a page."""
    attack = (
        f"</script></style></pre></title>--><script>document.title='owned';fetch('{url}/script')"
        f"</script><img src='{url}/img' onerror=\"fetch('{url}/error')\">"
        f"<svg onload=fetch('{url}')>"
        f"<link rel=stylesheet href={url}/css><iframe src={url}/frame></iframe>"
        f"<meta http-equiv=refresh content='0;url={url}/refresh'>&lt;b&gt;{STEERING}"
    )
    run = Recording()
    task = spawn(run, attack)
    run.add(EffectStarted(name=attack, arguments=RAW(b'{"q":%d}' % number)), task=task)
    run.add(OutputWritten(stream=f"stdout{attack}", marks=()), body=f"{attack} {number}".encode())
    run.add(FileWritten(path=attack, mode="w", offset=0, size=number), body=b"x" * number)
    run.add(RunEnded(value=RAW(b'"%d"' % number)))
    return run


def hostile_page(url):
    a, b = hostile(url, 1), hostile(url, 2)
    return page(compare_runs(ListReader(a.entries), ListReader(b.entries)))


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.names = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names.update(name for name, _ in attrs)


def test_recorded_text_makes_no_tag_and_steers_nothing():
    text = hostile_page("http://127.0.0.1:1")
    found = Tags(text)

    assert not found.tags & {"script", "img", "svg", "iframe", "link", "a", "form", "object"}
    assert not {name for name in found.names if name.startswith("on") or name in {"src", "href"}}
    assert text.count("<meta") == 4
    assert text.count("<style>") == 1
    assert not {c for c in STEERING if c in text} - set("gnpexe.[2J]0;ownd 31m")
    assert "\\u202e" in text
    assert "default-src &#x27;none&#x27;" in text


def test_the_terminal_gets_nothing_that_steers_it():
    a, b = hostile("x", 1), hostile("x", 2)
    for every in (False, True):
        found = compare_runs(ListReader(a.entries), ListReader(b.entries))
        for line in lines_of(found, every=every):
            assert line.isprintable(), line


def test_every_class_has_its_words():
    assert set(CLASS_TEXTS) == set(DifferenceClass.__args__)


@pytest.mark.full
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")
def test_a_browser_shows_the_page_and_fetches_and_runs_nothing(tmp_path):
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        (tmp_path / "page.html").write_text(hostile_page(url))
        shown = _browse(tmp_path, "page.html")
        assert "<title>Two runs: different</title>" in shown
        assert "First divergence: call" in shown
        assert asked == []

        # The twin: the same text unescaped and without the policy does all of it.
        (tmp_path / "twin.html").write_text(f"<!doctype html><body><img src='{url}/img'>")
        _browse(tmp_path, "twin.html")
        assert asked == ["/img"]
    finally:
        server.shutdown()
        server.server_close()


def _browse(directory, name):
    quiet = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    quiet += " --disable-background-networking --disable-component-update"
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            *quiet.split(),
            f"--user-data-dir={directory / 'profile'}",
            "--virtual-time-budget=3000",
            "--dump-dom",
            (directory / name).as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout
