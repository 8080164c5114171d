"""The import graph is the one that docs/architecture_overview.md declares, and its checker sees."""

from pathlib import Path

import pytest

from tools.contract_document import read_contract
from tools.import_contracts import check_imports

ROOT = Path(__file__).parents[2]


def test_every_import_is_declared_in_the_architecture_overview():
    assert check_imports(ROOT) == []


def test_the_declared_graph_keeps_the_direction_of_the_three_packages():
    """The document may be edited; these walls stand whatever it says."""
    rooms = read_contract(ROOT).rooms

    above_replay = {
        (room, edge)
        for room, edges in rooms.items()
        for edge in edges
        if room.split(".")[0] == "replay" and edge.split(".")[0] != "replay"
    }
    beside_attestations = {
        (room, edge)
        for room, edges in rooms.items()
        for edge in edges
        if room.split(".")[0] == "attestations"
        and edge.split(".")[0] != "attestations"
        and ".".join(edge.split(".")[:2])
        not in {"replay.errors", "replay.events", "replay.tree", "replay.bundle"}
    }
    onto_the_command = {
        (room, edge)
        for room, edges in rooms.items()
        for edge in edges
        if edge.startswith("orchestrator.cli") and not room.startswith("orchestrator.cli")
    }

    assert above_replay == set()
    assert beside_attestations == set()
    assert onto_the_command == set()


def test_what_a_verifier_needs_pulls_in_no_engine():
    """A log is verified with events and tree alone: neither may reach DuckDB, HTTP or asyncio."""
    rooms = read_contract(ROOT).rooms

    assert set(rooms["replay.events"]) <= {"replay.errors"}
    assert set(rooms["replay.tree"]) <= {"replay.errors"}


DOCUMENT = """
<!-- contract: rooms -->
| room | imports |
|---|---|
| `replay.errors` | |
| `replay.events` | `replay.errors` |
| `replay.log` | `replay.events`? |
| `replay.bundle` | `replay.log.port`? |
| `replay` | `replay.events`? |
| `orchestrator.cli` | `replay`? |

<!-- contract: libraries -->
| library | in |
|---|---|
| `duckdb` | `replay/log/duckdb_store.py` |

<!-- contract: banned -->
| construct | in | instead |
|---|---|---|
| `eval` | `replay` | data |

<!-- contract: allowed -->
| file | construct | why |
|---|---|---|
"""


@pytest.fixture
def planted(tmp_path):
    """Plants a small tree that keeps the contract, changed by the files that a test names."""

    def plant(files, document=DOCUMENT):
        sound = {
            "docs/architecture_overview.md": document,
            "replay/__init__.py": "from replay.events import Event",
            "replay/errors.py": "",
            "replay/events/__init__.py": "import replay.errors",
            "replay/log/__init__.py": "",
            "replay/log/port.py": "from ..events import Event",
            "replay/log/duckdb_store.py": "def open_store():\n    import duckdb",
            "replay/bundle/__init__.py": "from replay.log import port",
            "orchestrator/cli/__init__.py": "import replay",
        }
        for path, text in {**sound, **files}.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return [str(finding) for finding in check_imports(tmp_path)]

    return plant


def test_a_tree_that_keeps_the_contract_has_no_finding(planted):
    assert planted({}) == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("replay/errors.py", "import replay.events", "replay.errors may not import replay.events"),
        ("replay/log/x.py", "import orchestrator.cli", "may not import orchestrator.cli"),
        ("replay/log/x.py", "def f():\n  from replay import bundle", "replay.bundle"),
        ("replay/log/x.py", "from ..bundle.y import z", "replay.bundle.y"),
        ("replay/bundle/x.py", "import replay.log.duckdb_store", "replay.log.duckdb_store"),
        ("replay/bundle/x.py", "from replay.log import Store", "may not import replay.log"),
        ("orchestrator/cli/x.py", "import replay.log", "may not import replay.log"),
        ("replay/log/x.py", "import duckdb", "duckdb may be imported only in"),
        ("replay/log/x.py", "import requests.sessions", "library requests is in no row"),
        ("replay/new/x.py", "", "belongs to no room"),
        (
            "replay/events/x.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from replay.log import port",
            "replay.events may not import replay.log.port",
        ),
    ],
)
def test_an_import_that_the_contract_does_not_name_is_found(planted, path, source, expected):
    findings = planted({path: source})

    assert len(findings) == 1
    assert expected in findings[0]


def test_a_promised_edge_that_nobody_uses_is_found(planted):
    findings = planted({"replay/events/__init__.py": ""})

    assert ["does not import replay.errors" in finding for finding in findings] == [True]


def test_a_cycle_in_the_declared_graph_is_found(planted):
    document = DOCUMENT.replace("| `replay.errors` | |", "| `replay.errors` | `replay.bundle`? |")

    findings = planted({}, document)

    assert ["cycle of rooms" in finding for finding in findings] == [True]


@pytest.mark.parametrize("damage", ["<!-- contract: rooms -->", "| `replay.errors` | |"])
def test_a_contract_that_cannot_be_read_is_an_error_and_not_an_empty_contract(planted, damage):
    with pytest.raises(ValueError, match="architecture_overview"):
        planted({}, DOCUMENT.replace(damage, "| a | b | c |"))
