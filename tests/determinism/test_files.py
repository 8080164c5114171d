"""A program with files, recorded once, replayed in processes that differ in all but the record."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """\
import asyncio, configparser, csv, json, logging, os, shutil, sys, tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


async def part(number, rows):
    text = await asyncio.to_thread((HERE / f"in{number}.txt").read_text)
    Path(f"out/part{number}.txt").write_text(text.upper() + str(rows))
    return len(text)


async def main():
    settings = configparser.ConfigParser()
    settings.read(["settings.ini", os.path.expanduser("~/.absent.ini")])
    rows = list(csv.reader(open("rows.csv", newline="")))
    shutil.rmtree("out", ignore_errors=True)
    os.makedirs("out/deep")
    logging.basicConfig(filename="out/run.log", format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "x").write_text(json.dumps(rows))
        shutil.move(Path(scratch, "x"), "out/deep/rows.json")
    sizes = await asyncio.gather(*(part(number, rows) for number in range(3)))
    logging.warning("sizes %s", sizes)
    listing = [sorted(files) for _, _, files in os.walk("out")]
    print(settings["s"]["k"], sizes, listing, {name for name in os.listdir("out")})
    report = Path("out/report.txt")
    temporary = report.with_suffix(".tmp")
    temporary.write_text("\\n".join(map(str, [*sizes, *rows])))
    os.replace(temporary, report)
    print(report.stat().st_mtime_ns, report.read_text().count("\\n"))

asyncio.run(main())
"""


def _run(cwd, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _files(directory):
    return {
        str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()
    }


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A recorded run; what it read is gone, what it wrote is kept elsewhere."""
    place = tmp_path_factory.mktemp("recorded")
    (place / "agent.py").write_text(PROGRAM)
    for number in range(3):
        (place / f"in{number}.txt").write_text(f"größe {number}" * (number + 1), encoding="utf-8")
    (place / "settings.ini").write_text("[s]\nk = v\n")
    (place / "rows.csv").write_text("a,b\n1,2\n")
    done = _run(place, "record", "--", sys.executable, "agent.py", LC_ALL="C.UTF-8", HOME="/root")
    assert done.returncode == 0, done.stderr
    live = _files(place / "out")
    for each in place.iterdir():
        if each.name not in {"agent.py", ".ritornello"}:
            each.rename(place.parent / f"gone-{place.name}-{each.name}")
    return place, live, done.stdout


PERTURBATIONS = {
    "other place, hash seed, zone, locale and home": {
        "PYTHONHASHSEED": "4242",
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C",
        "HOME": "/nonexistent",
        "TMPDIR": "/nonexistent",
    },
    "debug allocator": {"PYTHONMALLOC": "debug", "PYTHONASYNCIODEBUG": "1"},
}


@pytest.mark.sample(2)
@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", PERTURBATIONS)
def test_the_same_files_come_out_elsewhere(name, recorded, tmp_path):
    place, live, printed = recorded
    (tmp_path / "agent.py").write_text(PROGRAM)

    done = _run(
        tmp_path,
        *("replay", "last", "--workspace", place / ".ritornello", "--out", "again", "--json"),
        **PERTURBATIONS[name],
    )

    report = json.loads(done.stdout)
    assert report["verdict"] == "identical", report
    assert report["root_replayed"] == report["root_recorded"]
    assert done.stderr == printed
    assert _files(tmp_path / "again" / "out") == live
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again", "agent.py"]


@pytest.mark.timeout(200)
def test_a_program_that_writes_something_else_is_found(recorded, tmp_path):
    place, _, _ = recorded
    (tmp_path / "agent.py").write_text(PROGRAM.replace("text.upper()", "text.lower()"))

    done = _run(tmp_path, "replay", "last", "--workspace", place / ".ritornello", "--json")

    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "diverged"
    assert report["divergence"]["note"].startswith("out/part0.txt: first difference in line 1")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["agent.py"]


def test_without_a_record_the_program_cannot_run_there(tmp_path):
    """The negative twin: what the replay has, the directory does not."""
    (tmp_path / "agent.py").write_text(PROGRAM)

    done = subprocess.run(
        [sys.executable, "agent.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "FileNotFoundError" in done.stderr
