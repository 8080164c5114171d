"""Programs that read and write files, recorded, then replayed with their inputs gone."""

import configparser
import contextlib
import csv
import fcntl
import io
import json
import logging
import mmap
import os
import shutil
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from replay.events.payload import decode_payload
from replay.files import places
from replay.files.content import FILE_BYTES_MAX
from replay.log.duckdb_store import DuckDBStore
from replay.session.keyed import replay_keyed
from replay.session.record import record_program
from replay.session.replay import replay_log
from tests.determinism.programs import captured

# `json.load(open(...))` is what programs do, and it must work.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


class Ran:
    """A program that was recorded and replayed."""

    def __init__(self, recording, payloads, live, report, again, out):
        self.recording = recording
        self.payloads = payloads
        self.live = live
        self.report = report
        self.again = again
        self.out = out

    def kinds(self, name):
        return [each for each in self.payloads if type(each[0]).__name__ == name]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The program's working directory."""
    directory = tmp_path / "place"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def rerun(tmp_path, place, monkeypatch):
    """Record a function, remove all it could read, and replay it in another directory."""

    def run(program, *, changed=None, between=None):
        with captured() as live:
            recording = record_program(
                program, workspace=tmp_path / "workspace", entry="test", dialects=()
            )
        assert recording.error is None or changed == "fails", recording.error
        (tmp_path / "live").mkdir()
        for each in list(place.iterdir()):
            each.rename(tmp_path / "live" / each.name)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        if between is not None:
            between()
        out = tmp_path / "out"
        store = DuckDBStore.open(recording.directory, read_only=True)
        with closing(store), captured() as again:
            report = replay_log(
                store, changed if callable(changed) else program, dialects=(), out=out
            )
            payloads = list(_payloads(store))
        return Ran(recording, payloads, live.getvalue(), report, again.getvalue(), out)

    return run


def _payloads(store):
    parts = {}
    for entry in store.entries():
        parts.update({part.ordinal: part.data for part in entry.brought})
        whole = b"".join(parts[number] for number in entry.parts)
        yield decode_payload(entry.header.media, whole)


def holds(ran, tmp_path):
    """The replay came out the same, and so did every file it wrote."""
    assert ran.report.verdict == "identical", (ran.report.divergence, ran.report.notes)
    assert ran.report.root_replayed == ran.recording.root
    assert ran.again == ran.live
    made = {p.relative_to(ran.out) for p in ran.out.rglob("*") if p.is_file()}
    for file in made:
        if file.parts[0] != ".absolute":
            assert (ran.out / file).read_bytes() == (tmp_path / "live" / file).read_bytes()
    return made


def test_two_files_read_and_a_report_written_come_out_the_same(place, rerun, tmp_path):
    (place / "in.json").write_text('{"city": "Zürich"}', encoding="utf-8")
    (place / "in.csv").write_text("x,y\n1,2\n")

    def program():
        data = json.load(open("in.json", encoding="utf-8"))
        rows = list(csv.DictReader(open("in.csv", newline="")))
        with open("report.txt", "w", encoding="utf-8") as report:
            for row in rows:
                print(data["city"], row["y"], file=report)
        print(Path("report.txt").stat().st_size)

    ran = rerun(program)

    assert holds(ran, tmp_path) == {Path("report.txt")}
    assert ran.live == b"10\n"
    assert [each[0].path for each in ran.kinds("FileRead")] == ["in.json", "in.csv"]
    assert ran.kinds("FileWritten")[0][1] == "Zürich 2\n".encode()


def _pathlib():
    folder = Path("a/b")
    folder.mkdir(parents=True)
    (folder / "one").write_text("1")
    (folder / "two").write_bytes(b"22")
    (folder / "one").rename(folder / "three")
    print(sorted(p.name for p in folder.iterdir()), [*Path().glob("**/*")], folder.exists())
    (folder / "two").unlink()
    (folder / "four").touch()
    print((folder / "three").resolve().relative_to(Path.cwd()), (folder / "no").exists())


def _shutil():
    os.makedirs("tree/deep")
    Path("tree/deep/leaf").write_text("leaf")
    shutil.copytree("tree", "copy")
    shutil.move("tree/deep/leaf", "moved")
    shutil.rmtree("tree")
    shutil.copy2("moved", "again")
    shutil.copyfile("moved", "third")
    print(sorted(os.listdir(".")), os.path.getsize("third"))


def _tempfile():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "x").write_text("x")
        print(folder, os.listdir(folder))
    with tempfile.NamedTemporaryFile("w+") as file:
        file.write("hello")
        file.seek(0)
        print(file.name, file.read())
    with tempfile.TemporaryFile() as file:
        file.write(b"unnamed")
        file.seek(2)
        print(file.read())
    descriptor, name = tempfile.mkstemp(dir=".")
    os.write(descriptor, b"low")
    os.close(descriptor)
    print(name, open(name).read(), descriptor > 2)
    os.remove(name)


def _logging():
    logger = logging.getLogger("test_program_files")
    handler = logging.FileHandler("app.log")
    logger.addHandler(handler)
    for number in range(40):
        logger.warning("line %d", number)
    logger.removeHandler(handler)
    handler.close()


def _configparser():
    parser = configparser.ConfigParser()
    parser["section"] = {"key": "value"}
    with open("c.ini", "w") as file:
        parser.write(file)
    other = configparser.ConfigParser()
    print(other.read(["c.ini", "absent.ini"]), dict(other["section"]))


def _modes():
    with open("f", "xb") as file:
        file.write(b"0123456789")
    with open("f", "r+b", buffering=0) as file:
        file.seek(3)
        file.write(b"xyz")
        print(file.tell(), file.read(2), file.name, file.mode, repr(file))
    with open("f", "a") as file:
        file.write("end")
        print(file.tell())
    with open("f", "a+") as file:
        file.seek(0)
        print(file.read())
    with open("f", "w+", newline="\r\n") as file:
        file.write("a\nb\n")
        file.seek(0)
        print(repr(file.read()), file.mode, file.encoding)
    for mode in ("x", "q", "rw", "rb+t"):
        try:
            open("f", mode)
        except (OSError, ValueError) as error:
            print(type(error).__name__, error)
    with open("f") as file:
        try:
            file.write("x")
        except io.UnsupportedOperation as error:
            print(error)


def _errors():
    os.mkdir("dir")
    for call in (
        lambda: open("absent"),
        lambda: open("absent/below", "w"),
        lambda: open("dir"),
        lambda: open("dir", "w"),
        lambda: os.mkdir("dir"),
        lambda: os.rename("absent", "other"),
        lambda: os.listdir("absent"),
        lambda: os.stat("absent"),
        lambda: os.readlink("dir"),
        lambda: os.rmdir("absent"),
        lambda: os.open("absent", os.O_RDONLY),
        lambda: open("nul\0", "w"),
        lambda: os.stat("nul\0"),
    ):
        try:
            call()
        except (OSError, ValueError) as error:
            print(type(error).__name__, error)


def _looking():
    Path("d").mkdir()
    Path("d/f").write_text("x")
    os.symlink("f", "d/link")
    os.chmod("d/f", 0o640)
    os.utime("d/f", ns=(1_000_000_000, 2_000_000_001))
    result = os.stat("d/link")
    print(oct(result.st_mode), result.st_mtime_ns, result.st_mtime, os.readlink("d/link"))
    with os.scandir("d") as scan:
        for entry in sorted(scan, key=lambda each: each.name):
            print(entry.name, entry.path, entry.is_dir(), entry.is_file(), entry.is_symlink())
            print(entry.stat().st_size, entry.stat(follow_symlinks=False).st_size > 0)
    print([(top, sorted(d), sorted(f)) for top, d, f in os.walk(".")])
    print(os.access("d/f", os.R_OK), os.path.islink("d/link"), os.path.samefile("d/f", "d/link"))
    print(os.path.getmtime("d/f"), os.path.abspath("d") == os.path.join(os.getcwd(), "d"))


def _descriptors():
    Path("f").write_text("content")
    descriptor = os.open("f", os.O_RDONLY)
    print(descriptor, os.read(descriptor, 3), os.fstat(descriptor).st_size)
    with os.fdopen(descriptor) as file:
        print(file.read())
    with open("f", "r+b") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        os.write(file.fileno(), b"C")
        os.fsync(file.fileno())
        os.ftruncate(file.fileno(), 4)
    with open("f", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        print(view[:])
    directory = os.open(".", os.O_RDONLY)
    print(os.listdir(directory), os.stat("f", dir_fd=directory).st_size)
    os.close(directory)
    with open("/dev/null", "w") as nothing, open("/dev/urandom", "rb") as chance:
        nothing.write("x")
        print(chance.read(4).hex())


def _other_directory():
    os.mkdir("sub")
    os.chdir("sub")
    Path("f").write_text("in sub")
    print(Path("f").read_text(), os.path.exists("../sub/f"), Path.cwd().name)
    Path("../g").write_text("above")
    os.chdir("..")
    print(os.listdir("."))


def _threads():
    def work(number):
        Path(f"t{number}").write_text(f"{number}" * 3)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print(sorted(os.listdir()))


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "program",
    [
        _pathlib, _shutil, _tempfile, _logging, _configparser, _modes, _errors, _looking,
        _descriptors, _other_directory, _threads,
    ],
)  # fmt: skip
def test_ordinary_code_repeats_with_the_disk_gone(program, rerun, tmp_path):
    holds(rerun(program), tmp_path)


def test_the_same_program_prints_the_same_without_a_run(place, rerun, tmp_path):
    """What `_modes` and `_errors` print in a run is what Python itself prints."""
    plain = tmp_path / "plain"
    plain.mkdir()
    os.chdir(plain)
    with captured() as out:
        _modes()
        _errors()
    os.chdir(place)

    def program():
        _modes()
        _errors()

    assert rerun(program).live == out.getvalue()


def test_a_changed_report_names_the_file_and_its_first_other_line(rerun):
    def program(word="tide"):
        Path("report.txt").write_text(f"first\nsecond {word}\n")

    ran = rerun(program, changed=lambda: program("time"))

    assert ran.report.verdict == "diverged"
    assert ran.report.divergence.recorded_kind == "FileWritten"
    assert ran.report.divergence.note == (
        "report.txt: first difference in line 2, byte 15:"
        " recorded 'second tide', replayed 'second time'"
    )


def test_another_file_read_is_a_divergence_that_names_both(place, rerun):
    (place / "one").write_text("1")
    (place / "two").write_text("2")

    ran = rerun(lambda: Path("one").read_text(), changed=lambda: Path("two").read_text())

    assert ran.report.verdict == "diverged"
    assert ran.report.divergence.fields[0].recorded == "one"
    assert ran.report.divergence.fields[0].replayed == "two"


def test_a_file_left_open_is_recorded_at_the_end_with_what_its_buffer_held(rerun, tmp_path):
    left = []

    def program():
        left.append(open("left.txt", "w"))
        left[-1].write("not flushed")

    ran = rerun(program)

    assert holds(ran, tmp_path) == {Path("left.txt")}
    assert ran.kinds("FileWritten")[0][1] == b"not flushed"
    left.clear()


def test_a_file_above_the_limit_is_named_live_and_ends_a_replay_as_incomplete(place, rerun):
    with open(place / "big", "wb") as big:
        big.truncate(FILE_BYTES_MAX + 1)

    ran = rerun(lambda: print(len(open("big", "rb").read())))

    assert ran.live == f"{FILE_BYTES_MAX + 1}\n".encode()
    gap = ran.kinds("CaptureGap")[0][0]
    assert (gap.what, gap.name, gap.size) == ("file-too-large", "big", FILE_BYTES_MAX + 1)
    assert ran.report.verdict == "incomplete"
    assert "big was not captured" in ran.report.notes[0]


def test_a_large_written_file_is_compared_by_digest(rerun):
    def program(last=b"x"):
        with open("big", "wb") as big:
            big.seek(FILE_BYTES_MAX)
            big.write(last)

    ran = rerun(program)
    assert ran.report.verdict == "identical"
    assert len(ran.kinds("FileWritten")[0][0].digest) == 64


def test_a_large_written_file_that_differs_is_found_by_its_digest(rerun):
    def program(last=b"x"):
        with open("big", "wb") as big:
            big.seek(FILE_BYTES_MAX)
            big.write(last)

    assert rerun(program, changed=lambda: program(b"y")).report.verdict == "diverged"


def test_appending_to_a_large_file_records_what_was_appended(place, rerun):
    with open(place / "log", "wb") as log:
        log.truncate(FILE_BYTES_MAX + 5)

    def program():
        with open("log", "ab") as log:
            print(log.tell())
            log.write(b"more")

    ran = rerun(program)

    assert ran.report.verdict == "identical"
    assert ran.kinds("FileWritten")[0][1] == b"more"
    assert (ran.out / "log").stat().st_size == FILE_BYTES_MAX + 9


def _sqlite():
    import sqlite3

    with closing(sqlite3.connect("data.db")) as connection:
        connection.execute("create table if not exists t(x)")


def _mapped():
    Path("f").write_bytes(b"0" * 4096)
    with open("f", "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[0] = 1


def _raw():
    Path("f").write_text("x")
    io.FileIO("f").close()


def _store():
    import dbm

    with dbm.open("store", "c") as store:
        store["x"] = "y"


@pytest.mark.parametrize(
    ("program", "what"),
    [(_sqlite, "sqlite3 data.db"), (_mapped, "mmap f"), (_raw, "open f"), (_store, "dbm store")],
)
def test_what_bypasses_the_door_is_named_live_and_refused_in_a_replay(program, what, rerun):
    ran = rerun(program)

    gap = ran.kinds("CaptureGap")[0][0]
    assert f"{gap.what} {gap.name}" == what
    assert ran.report.verdict == "refused"
    assert what in ran.report.notes[0]


def test_a_database_in_memory_is_no_gap(rerun, tmp_path):
    def program():
        import sqlite3

        with closing(sqlite3.connect(":memory:")) as connection:
            print(connection.execute("select 40 + 2").fetchone())

    holds(rerun(program), tmp_path)


def test_a_pipe_is_named_live_and_ends_a_replay(place, rerun):
    os.mkfifo(place / "pipe")

    def program():
        descriptor = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
        os.close(descriptor)

    ran = rerun(program)

    assert ran.kinds("CaptureGap")[0][0].what == "special-file"
    assert ran.report.verdict == "incomplete"


def test_a_key_in_a_file_never_reaches_the_record(place, rerun):
    key = "sk-ant-api03-" + "Ab1" * 30
    (place / ".env").write_text(f"ANTHROPIC={key}\n")

    def program():
        text = Path(".env").read_text()
        Path("copy").write_text(text)
        print(len(text))

    ran = rerun(program)

    assert ran.report.verdict == "identical"
    assert all(key.encode() not in body for _, body in ran.payloads)
    assert ran.kinds("SecretRegistered")[-1][0].source == "file:.env"
    assert key not in (ran.out / "copy").read_text()


def test_nothing_of_the_disk_is_read_or_written_by_a_replay(place, rerun, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "in").write_text("before")

    def program():
        text = (outside / "in").read_text()
        (outside / "new").write_text(text)
        (outside / "in").unlink()
        print(text)

    ran = rerun(program, between=lambda: (shutil.rmtree(outside), outside.mkdir()))

    assert ran.report.verdict == "identical"
    assert list(outside.iterdir()) == []
    assert (ran.out / ".absolute" / str(outside)[1:] / "new").read_text() == "before"


@pytest.mark.parametrize("above", ["/", "its parent", "its own"])
def test_a_replay_above_what_the_program_names_absolutely_spells_it_as_recorded(
    place, rerun, tmp_path, monkeypatch, above
):
    outside = tmp_path / "home" / ".config"
    outside.mkdir(parents=True)
    (outside / "key").write_text(f"token = sk-ant-api03-{'x' * 40}")
    (place / "beside").write_text("relative")

    def program():
        print(sorted(os.listdir(outside)), os.path.exists(outside / "none"))
        (outside / "key").chmod(0o600)
        text = (outside / "key").read_text()
        (outside / "new").write_text(text)
        (outside / "new").rename(outside / "renamed")
        print(len((outside / "renamed").read_text()), os.stat(outside / "renamed").st_size)
        with contextlib.suppress(FileNotFoundError):
            (outside / "none").unlink()
        print(Path("beside").read_text(), (place / "beside").read_text())

    def move():
        shutil.rmtree(outside)
        monkeypatch.chdir({"/": "/", "its parent": tmp_path, "its own": tmp_path / "home"}[above])

    ran = rerun(program, between=move)

    assert ran.report.verdict == "identical", (ran.report.divergence, ran.report.notes)
    assert {str(each[0].path) for each in ran.kinds("FileRead")} == {
        str(outside / "key"),
        str(outside / "renamed"),
        "beside",
    }


@pytest.mark.parametrize("libraries", ["inside, then elsewhere", "elsewhere, then inside"])
def test_an_environment_in_the_directory_is_no_part_of_the_record(
    place, rerun, tmp_path, monkeypatch, libraries
):
    before, after = libraries.split(", then ")
    lie = {"inside": (f"{place}/.venv/lib/",), "elsewhere": ("/nowhere/lib/",)}
    monkeypatch.setattr(places, "_code_directories", lambda: lie[before])

    def program():
        print(Path("beside").resolve().name, os.path.isdir(place))

    def move():
        monkeypatch.setattr(places, "_code_directories", lambda: lie[after])

    ran = rerun(program, between=move)

    assert ran.report.verdict == "identical", (ran.report.divergence, ran.report.notes)


@pytest.mark.parametrize("here", ["home", "home/checkout", "home/checkout/deep"])
def test_directories_on_the_way_to_a_replay_are_inputs_where_they_were(
    place, rerun, tmp_path, monkeypatch, here
):
    (tmp_path / "home" / "checkout" / "deep").mkdir(parents=True)

    def program():
        print(os.path.realpath(tmp_path / "home" / "checkout" / "none"), os.path.realpath(place))

    ran = rerun(program, between=lambda: monkeypatch.chdir(tmp_path / here))

    assert ran.report.verdict == "identical", (ran.report.divergence, ran.report.notes)


@pytest.mark.parametrize("above", [False, True])
def test_a_keyed_replay_finds_contents_by_path(place, tmp_path, monkeypatch, above):
    (place / "a").write_text("one")
    (tmp_path / "b").write_text("two")

    def program(order):
        for name in order:
            print((tmp_path / "b" if name == "b" else Path(name)).read_text())
        Path("made").write_text("x")

    with captured():
        recording = record_program(
            lambda: program("ab"), workspace=tmp_path / "workspace", entry="test", dialects=()
        )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path if above else tmp_path / "elsewhere")
    with (
        closing(DuckDBStore.open(recording.directory, read_only=True)) as store,
        captured() as again,
    ):
        replay_keyed(store, lambda: program("bab"), dialects=()).result()

    assert again.getvalue() == b"two\none\ntwo\n"
    assert not (tmp_path / "elsewhere" / "made").exists()
    assert not (tmp_path / "made").exists()
