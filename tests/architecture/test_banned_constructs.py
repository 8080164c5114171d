"""The rooms that compute take time, chance and order from outside; the checker sees."""

from pathlib import Path

import pytest

from tools.banned_constructs import check_banned

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/architecture_overview.md").read_text(encoding="utf-8")
HEAD, _, TAIL = DOCUMENT.partition("<!-- contract: allowed -->")
NOTHING_ALLOWED = f"{HEAD}<!-- contract: allowed -->\n| file | construct | why |\n|---|---|---|\n"


def _findings(root, source, path="replay/tree/planted.py", document=NOTHING_ALLOWED):
    for name, text in {path: source, "docs/architecture_overview.md": document}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return [str(finding) for finding in check_banned(root)]


def test_the_computing_rooms_use_no_banned_construct():
    assert check_banned(ROOT) == []


@pytest.mark.parametrize(
    ("source", "construct"),
    [
        ("import time", "time"),
        ("from time import monotonic as now", "time"),
        ("import datetime\nx = datetime.datetime.now()", "datetime.datetime.now"),
        ("from datetime import datetime as d\nx = d.now", "datetime.datetime.now"),
        ("from datetime import date\nx = date.today()", "datetime.date.today"),
        ("from uuid import uuid4", "uuid"),
        ("import random", "random"),
        ("import os\nx = os.environ['X']", "os.environ"),
        ("import os as o\nx = o.urandom(3)", "os.urandom"),
        ("from os import environ", "os.environ"),
        ("def f(path):\n    return open(path)", "open"),
        ("import socket", "socket"),
        ("x = hash('x')", "hash"),
        ("f = id", "id"),
        ("x = [y for y in {1, 2}]", "set iteration"),
        ("x = list(set('ab'))", "set iteration"),
        ("def f(a: set[int]):\n    for x in a:\n        pass", "set iteration"),
        ("a = frozenset('ab')\ndef f():\n    return ','.join(a)", "set iteration"),
        ("class C:\n    a: set[int]\n    def f(self):\n        return [*self.a]", "set iteration"),
        ("def f(a, b):\n    for x in set(a) - b:\n        pass", "set iteration"),
        ("x = {1}\ny = x.pop()", "set iteration"),
        ("import pickle", "pickle"),
        ("eval('1')", "eval"),
    ],
)
def test_a_planted_construct_is_found_with_its_replacement(tmp_path, source, construct):
    findings = _findings(tmp_path, source)

    assert [f"`{construct}` is banned here: " in finding for finding in findings] == [True]


@pytest.mark.parametrize(
    "source",
    [
        "import os\nx = os.fsencode('x')",
        "from datetime import datetime, timezone\nx = datetime(2000, 1, 1, tzinfo=timezone.utc)",
        "x = {1, 2}\ny = sorted(x)\nz = 1 in x\nn = len(x)",
        "def f(header):\n    return header.id, header.open()",
        "def f(a: dict[str, int]):\n    return [*a]",
        "x = {y for y in sorted({1, 2})}",
        "def f():\n    a = {1}\n    return 1 in a\ndef g(a):\n    return [*a]",
        "x = timer.time()",
    ],
)
def test_a_sound_neighbour_of_a_banned_construct_is_not_found(tmp_path, source):
    assert _findings(tmp_path, source) == []


def test_a_ban_holds_in_its_rooms_only(tmp_path):
    assert _findings(tmp_path, "import time", path="replay/doors/surroundings/clocks.py") == []


def test_an_exception_holds_for_its_file_and_construct_only(tmp_path):
    document = f"{NOTHING_ALLOWED}| `replay/tree/planted.py` | `time` | a reason |\n"

    assert _findings(tmp_path, "import time", document=document) == []
    assert len(_findings(tmp_path, "import time, random", document=document)) == 1


def test_an_exception_that_is_no_longer_needed_is_found(tmp_path):
    document = f"{NOTHING_ALLOWED}| `replay/tree/planted.py` | `time` | a reason |\n"

    assert ["not needed" in f for f in _findings(tmp_path, "", document=document)] == [True]


def test_an_exception_without_a_reason_is_an_error(tmp_path):
    document = f"{NOTHING_ALLOWED}| `replay/tree/planted.py` | `time` | |\n"

    with pytest.raises(ValueError, match="no reason"):
        _findings(tmp_path, "import time", document=document)
