"""Each bad bundle of bundles/bad meets the refusal that its name promises, by whoever reads it."""

import ast
import json
import shutil
import zlib
from pathlib import Path

import pytest

from replay.bundle import BundleReader
from replay.errors import BundleError, IntegrityError
from replay.log.fsck import check
from replay.session.replay import replay_log
from tests.cli.conftest import Place
from tests.support import second_reader
from tests.support.bundle_forging import verify_bytes
from tools.bundle_forge import raws, zipped
from tools.forged_run import members_of
from tools.make_bad_bundles import FOLDER, INDEX, SIZE_MAX, files

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / FOLDER
#: What no small file can show, and where it is tested instead.
ELSEWHERE = {
    "not a regular file": "test_bundle_attacks.py",
    "file was cut short while it was read": "test_reader.py",
    "part lists together are over the limit": "test_bundle_attacks.py",
    "is not listed": "asked for by a caller",
    "the run has no part": "asked for by a caller",
}
RAISING = {"BundleError", "BundlePathError", "IntegrityError", "refused", "_refused"}
#: Modules that write; what they refuse was never a bundle.
WRITING = {
    "attached.py",
    "publishing.py",
    "rewriting.py",
    "spool.py",
    "withholding.py",
    "writer.py",
}
#: Modules about a file of another form: a proof, which is no bundle and has tests of its own.
OTHER_FILES = {"proof.py", "proof_text.py"}


@pytest.fixture(scope="module")
def index():
    found = json.loads((BUNDLES / INDEX).read_text())["bundles"]
    assert len(found) > 150
    return found


def of_level(index, level):
    return [(entry, BUNDLES / entry["file"]) for entry in index if entry["level"] == level]


def test_the_folder_holds_what_the_generator_makes_with_any_zlib(monkeypatch):
    monkeypatch.delattr(zlib, "compressobj")
    there = {path.name: path.read_bytes() for path in BUNDLES.iterdir()}

    made = files()

    assert [name for name in made.keys() | there.keys() if made.get(name) != there.get(name)] == []
    assert max(len(data) for name, data in made.items() if name != INDEX) <= SIZE_MAX


def test_the_good_bundle_that_all_are_made_from_holds(tmp_path):
    path = tmp_path / "good.ritornello"
    path.write_bytes(zipped(raws(members_of())))

    assert second_reader.holds(path)
    with BundleReader.open(path) as reader:
        assert check(reader, head=reader.checkpoint).integrity == "ok"
        assert (reader.verified.workspace_records, reader.verified.statements) == (3, 2)


def test_the_engine_refuses_each_and_says_where(index):
    wrong = []
    for entry, path in of_level(index, "bundle"):
        with pytest.raises(BundleError) as caught:
            BundleReader.open(path)
        error = caught.value
        found = (error.code, error.member, error.event, error.message[: len(entry["rule"])])
        if found != (entry["code"], entry["member"], entry["event"], entry["rule"]):
            wrong.append((entry["file"], found))

    assert wrong == []


def test_the_second_reader_refuses_the_same_ones_at_the_same_place(index):
    wrong = []
    for entry in index:
        refused = second_reader.judged(BUNDLES / entry["file"]).refused
        found = refused and (refused.member, refused.event if entry["event"] is not None else None)
        if found != ((entry["member"], entry["event"]) if entry["level"] == "bundle" else None):
            wrong.append((entry["file"], found))

    assert wrong == []


def test_the_check_of_the_records_finds_what_the_format_does_not_know_of(index):
    for entry, path in of_level(index, "run"):
        with BundleReader.open(path) as reader:
            findings = check(reader, head=reader.checkpoint).findings

        assert (findings[0].code, findings[0].seq) == (entry["code"], entry["event"])
        assert findings[0].message.startswith(entry["rule"])


def test_no_replay_begins_with_a_run_that_cannot_be_replayed(index):
    began = []
    for entry, path in of_level(index, "replay"):
        with BundleReader.open(path) as reader:
            assert check(reader, head=reader.checkpoint).integrity == "ok"
            try:
                report = replay_log(reader, lambda file=entry["file"]: began.append(file))
            except IntegrityError as error:
                found = (error.code, error.where, error.message)
            else:
                found = (report.verdict, "report", report.notes[0])
        assert found[:2] == (entry["code"], entry["member"])
        assert entry["rule"] in found[2]

    assert began == []


def test_the_command_ends_with_3_and_names_the_member(index, tmp_path):
    place = Place(tmp_path)
    wrong = []
    for entry, path in [*of_level(index, "bundle"), *of_level(index, "run")]:
        ran = place.look("verify", path, "--json")
        finding = ran.report["findings"][0]
        named = f"{finding['message']} at event {finding['seq']}"
        if ran.code != 3 or entry["member"] not in named:
            wrong.append((entry["file"], ran.code, named))

    assert wrong == []
    assert list(tmp_path.iterdir()) == []


def test_import_refuses_a_bad_bundle_and_leaves_nothing(index, tmp_path):
    place = Place(tmp_path)
    for name in ("entry-twice", "part-data", "workspace-other-root", "statement-twice"):
        shutil.copy(BUNDLES / f"{name}.ritornello", tmp_path / "x.ritornello")

        assert place.look("import", "x.ritornello").code == 3
        assert [path.name for path in tmp_path.iterdir()] == ["x.ritornello"]


def test_every_refusal_of_the_reader_has_a_bundle(index):
    said = []
    for _, path in of_level(index, "bundle"):
        with pytest.raises(BundleError) as caught:
            verify_bytes(path.read_bytes())
        said.append(caught.value.message)
    unmet = []
    for module in sorted((ROOT / "replay/bundle").glob("*.py")):
        if module.name in WRITING | OTHER_FILES:
            continue
        for text in _refusals(ast.parse(module.read_text())):
            if not any(text in message for message in said) and text not in ELSEWHERE:
                unmet.append((module.name, text))

    assert unmet == []


def _refusals(tree):
    """Yield the longest fixed piece of each message that is raised."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if called in {
                "BundleError",
                "BundlePathError",
                "IntegrityError",
                "refused",
                "_refused",
            }:
                for argument in node.args:
                    pieces = [
                        piece.value
                        for piece in ast.walk(argument)
                        if isinstance(piece, ast.Constant) and isinstance(piece.value, str)
                    ]
                    if pieces:
                        yield max(pieces, key=len).strip()
