"""Adapters are put into libraries as they are imported, and taken out; what is absent is said."""

import importlib
import sys
from contextlib import closing
from dataclasses import dataclass, field, replace

import pytest

from replay.doors.state.adapter import Wrap, stores_for
from replay.errors import SetupError
from replay.log.duckdb_store import DuckDBStore
from replay.session.record import record_program
from replay.session.replay import replay_log
from tests.support.states import changes_of, records_of

LIBRARY = "shelf_for_adapter_tests"
SOURCE = "def keep(value):\n    return value\n"


def _keep(original):
    def keep(value):
        stores = stores_for("shelf")
        result = original(value)
        if stores is not None:
            stores.named("shelf").written("last", value)
        return result

    return keep


@dataclass(frozen=True)
class ShelfAdapter:
    name: str = "shelf"
    version: int = 1
    distribution: str = "no-such-distribution"
    releases: tuple[str, ...] = ("1.0",)
    modules: tuple[str, ...] = (LIBRARY,)
    function: str = "keep"
    asked: list = field(default_factory=list, compare=False)

    def wraps(self, module):
        self.asked.append(module.__name__)
        return (Wrap(owner=module, name=self.function, wrap=_keep),)


SHELF = ShelfAdapter()
#: Of a distribution that is here, in a release that is none of those tested.
STRANGER = replace(SHELF, distribution="msgspec", releases=("0.0.0",))


@pytest.fixture(autouse=True)
def _library(tmp_path, monkeypatch):
    (tmp_path / f"{LIBRARY}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop(LIBRARY, None)
    yield
    sys.modules.pop(LIBRARY, None)


def program():
    return importlib.import_module(LIBRARY).keep(3)


def record(workspace, *adapters, program=program):
    return record_program(
        program, workspace=workspace, entry="test", dialects=(), adapters=adapters
    )


def again(recording, *adapters, program=program):
    sys.modules.pop(LIBRARY, None)
    with closing(DuckDBStore.open(recording.directory, read_only=True)) as store:
        return replay_log(store, program, dialects=(), adapters=adapters)


def listed(recording):
    return records_of(recording.directory)[0][1].adapters


@pytest.mark.parametrize("imported_before", [True, False])
def test_a_library_is_adapted_whenever_it_was_imported(tmp_path, imported_before):
    if imported_before:
        importlib.import_module(LIBRARY)
    recording = record(tmp_path / "w", SHELF)

    assert recording.result() == 3
    assert [(c.store, c.key, bytes(c.value)) for c in changes_of(recording.directory)] == [
        ("shelf", "last", b"3")
    ]
    assert listed(recording) == (("shelf", "1"),)
    assert again(recording, SHELF).verdict == "identical"


def test_afterwards_the_library_and_the_import_system_are_as_before(tmp_path):
    finders = list(sys.meta_path)
    record(tmp_path / "w", SHELF)

    module = sys.modules[LIBRARY]
    assert module.keep.__code__.co_filename == module.__file__
    assert "exec_module" not in vars(module.__spec__.loader)
    assert sys.meta_path == finders


def test_a_library_that_is_not_imported_is_not_touched(tmp_path):
    adapter = ShelfAdapter()
    recording = record(tmp_path / "w", adapter, program=lambda: 1)

    assert (recording.result(), adapter.asked, LIBRARY in sys.modules) == (1, [], False)


def test_a_replay_without_the_adapter_is_incomplete_and_says_so(tmp_path):
    recording = record(tmp_path / "w", SHELF)

    for adapters in ((), (replace(SHELF, version=2),)):
        report = again(recording, *adapters)
        assert report.verdict == "incomplete"
        assert report.notes == ("adapters not installed: shelf 1",)


def test_an_adapter_that_the_record_does_not_name_derives_nothing(tmp_path):
    recording = record(tmp_path / "w")

    assert again(recording, SHELF).verdict == "identical"


def test_an_unknown_release_is_left_alone_and_the_first_record_says_so(tmp_path):
    recording = record(tmp_path / "w", STRANGER)

    assert changes_of(recording.directory) == []
    ((name, found),) = listed(recording)
    assert (name, found.startswith("off: msgspec ")) == ("shelf", True)
    assert again(recording, STRANGER).verdict == "identical"
    assert again(recording, SHELF).verdict == "identical"


def test_a_replay_on_an_unknown_release_is_incomplete_where_it_would_be_read(tmp_path):
    recording = record(tmp_path / "w", SHELF)
    report = again(recording, STRANGER)

    assert report.verdict == "incomplete"
    assert "msgspec" in report.notes[0]


def test_a_replay_on_an_unknown_release_that_is_never_imported_is_judged(tmp_path):
    recording = record(tmp_path / "w", SHELF, program=lambda: 1)

    assert again(recording, STRANGER, program=lambda: 1).verdict == "identical"


def test_a_release_that_is_not_as_tested_is_refused_with_its_name(tmp_path):
    recording = record(tmp_path / "w", replace(SHELF, function="gone"))

    with pytest.raises(SetupError, match="adapter shelf 1 does not find its way"):
        recording.result()


def test_a_refusal_before_the_start_leaves_nothing_behind(tmp_path):
    module = importlib.import_module(LIBRARY)
    finders, keep = list(sys.meta_path), module.keep
    recording = record(tmp_path / "w", SHELF)
    broken = replace(SHELF, name="broken", function="gone")

    with pytest.raises(SetupError):
        record(tmp_path / "v", SHELF, broken)
    with closing(DuckDBStore.open(recording.directory, read_only=True)) as store:
        stranger = replace(STRANGER, modules=(*SHELF.modules, "json"))
        assert replay_log(store, program, dialects=(), adapters=(stranger,)).verdict == "incomplete"

    assert (sys.meta_path, module.keep) == (finders, keep)
    assert record(tmp_path / "u", SHELF).result() == 3


@pytest.mark.parametrize(
    ("found", "expected"),
    [("1.2", True), ("1.2.22", True), ("1.20.1", False), ("1.3.0", False), ("11.2", False)],
)
def test_patches_of_a_tested_release_count_as_it(found, expected, monkeypatch):
    from replay.doors.state import adapters

    monkeypatch.setattr(adapters, "version", lambda _: found)

    assert (adapters.refusal(replace(SHELF, releases=("1.2",))) is None) is expected
