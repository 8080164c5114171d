"""What a workflow's file does while it is imported is refused, since no record would have it."""

from __future__ import annotations

import asyncio
import sys

import pytest

from replay.errors import CaptureError
from replay.guard.importing import ImportGuard
from replay.session.programs import load_file

WORK = {
    "an event loop": "async def main():\n    raise SystemExit\n\nasyncio.run(main())\n",
    "an event loop, by hand": "loop = asyncio.new_event_loop()\ntry:\n    loop.run_forever()\n"
    "finally:\n    loop.close()\n",
    "standard output": "print('done')\n",
    "standard output, bytes": "sys.stdout.buffer.write(b'done')\n",
    "standard input": "input('who? ')\n",
    "standard input, all of it": "sys.stdin.read()\n",
    "standard input, by lines": "lines = list(sys.stdin)\n",
    "standard input, bytes": "sys.stdin.buffer.readline()\n",
    "replay.effect": "@replay.effect\ndef pay():\n    raise SystemExit\n\npay()\n",
    "socket.getaddrinfo": "socket.create_connection(('127.0.0.1', 9))\n",
    "subprocess.Popen": "subprocess.run(['true'])\n",
    "open to write": "open('made', 'w')\n",
}
IMPORTS = "import asyncio, replay, socket, subprocess, sys\n"


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input").write_text("a line\n")
    given = (tmp_path / "input").open()
    monkeypatch.setattr(sys, "stdin", given)

    def load(text):
        file = tmp_path / "imported_flow.py"
        file.write_text(IMPORTS + text)
        monkeypatch.delitem(sys.modules, file.stem, raising=False)
        guard = ImportGuard("imported_flow.py")
        try:
            with guard:
                load_file(file)
        finally:
            sys.modules.pop(file.stem, None)
        return guard

    with given:
        yield load


@pytest.mark.parametrize("way", WORK)
def test_work_is_refused_with_its_line_before_it_is_done(way, load, tmp_path, capfd):
    with pytest.raises(CaptureError, match=way.partition(",")[0]) as caught:
        load(WORK[way])

    assert "imported_flow.py:" in caught.value.where
    assert "record -- python imported_flow.py" in caught.value.hint
    assert "done" not in capfd.readouterr().out
    assert not (tmp_path / "made").exists()


def test_work_whose_refusal_is_swallowed_is_refused_afterwards(load):
    guard = load("try:\n    socket.socket()\nexcept Exception:\n    pass\n")

    with pytest.raises(CaptureError, match="socket"):
        guard.require_none()


def test_what_a_library_prints_and_runs_at_its_import_is_its_own_affair(
    load, tmp_path, monkeypatch, capfd
):
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "a_banner.py").write_text(
        "import asyncio\nprint('hello')\nasyncio.run(asyncio.sleep(0))\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "site-packages")

    load("import a_banner\n").require_none()

    assert capfd.readouterr().out == "hello\n"


def test_afterwards_everything_is_as_it_was(load):
    before = (asyncio.Runner.run, asyncio.base_events.BaseEventLoop.run_forever, input)
    written = sys.stdout.write

    load("kept = print, sys.stdout.write, sys.stdin.read\n").require_none()

    after = (asyncio.Runner.run, asyncio.base_events.BaseEventLoop.run_forever, input)
    assert before == after
    assert written == sys.stdout.write
    assert sys.stdin.read() == "a line\n"
    assert not vars(sys.stdin.buffer)
