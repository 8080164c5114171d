# ruff: noqa: E501, Q000 - a table of program texts, one a line
"""Small changes of a program of threads, files and processes: each is found where it is made.

With the mutants of ``test_fakes`` these are the third test against a fake: the right record and
class for every mutant, and ``identical`` for every change that is none, under noise.
"""

from __future__ import annotations

import gc
import random
import types

import pytest

from replay.session.opening import open_run
from replay.session.record import record_program
from replay.session.replay import replay_log

PROGRAM = """
import json
import os
import pathlib
import queue
import random
import subprocess
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from replay import effect

@effect
def ask(question, style="plain"):
    return f"{question} in {style} words"

def reader(name, out):
    text = pathlib.Path(name).read_text()
    out.put((name, len(text)))

def worker(tasks, results, lock):
    while (task := tasks.get()) is not None:
        time.sleep(0.002)
        with lock:
            results.append(ask(task))

def collect(names):
    out = queue.Queue()
    threads = [threading.Thread(target=reader, args=(n, out), name=n) for n in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(out.get() for _ in names)

def main():
    started = time.time()
    sizes = collect(["one.txt", "two.txt"])
    print("sizes", sizes)
    tasks, results, lock = queue.SimpleQueue(), [], threading.Lock()
    pool = [threading.Thread(target=worker, args=(tasks, results, lock)) for _ in range(2)]
    for thread in pool:
        thread.start()
    for question in ("sea", "wind", "rain"):
        tasks.put(question)
    for _ in pool:
        tasks.put(None)
    for thread in pool:
        thread.join()
    print("results", len(results))
    with ThreadPoolExecutor(2) as executor:
        lengths = list(executor.map(len, results))
    told = subprocess.run(["echo", "told"], capture_output=True, text=True).stdout
    home = os.environ.get("COLOUR", "none")
    report = {"lengths": lengths, "told": told, "home": home}
    with open("report.json", "w") as file:
        json.dump(report, file)
    print("ticket", uuid.uuid4().hex[:6], random.random())
    print("late", time.time() - started > 60)
    verdict = ask("all", style="harsh")
    return verdict
"""


def loaded(source: str):
    module = types.ModuleType("fake_program")
    exec(compile(source, "program.py", "exec"), module.__dict__)
    return module.main


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    place = tmp_path_factory.mktemp("place")
    (place / "one.txt").write_text("one line\n")
    (place / "two.txt").write_text("two\nlines\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("COLOUR", "blue")
        recorded = record_program(
            loaded(PROGRAM), workspace=place / "w", entry="drawn", dialects=()
        )
    assert recorded.error is None
    return place, recorded


def replayed(recording, source, noise=0):
    place, recorded = recording
    rng = random.Random(noise)
    kept = [[] for _ in range(rng.randrange(20_000))]
    del kept[:: rng.choice((2, 3))]
    gc.collect(rng.randrange(3))
    reader = open_run(recorded.run_id, workspace=place / "w")
    report = replay_log(reader, loaded(source), dialects=())
    reader.close()
    return report


#: name: old text, new text, (category, kind computed, kind recorded).
MUTANTS: dict[str, tuple[str, str, tuple[str, str | None, str | None]]] = {
    "word of a prompt": ('"sea", "wind"', '"see", "wind"', ("changed", "EffectStarted", "EffectStarted")),
    "other default": ('style="plain"', 'style="rich"', ("changed", "EffectStarted", "EffectStarted")),
    "other style": ('style="harsh"', 'style="mild"', ("changed", "EffectStarted", "EffectStarted")),
    "swapped questions": ('"sea", "wind"', '"wind", "sea"', ("order", "EffectStarted", "EffectStarted")),
    "one question more": ('"rain"):', '"rain", "snow"):', ("order", "EffectStarted", "TaskEnded")),
    "one question less": ('"sea", "wind", "rain"', '"sea", "wind"', ("order", "TaskEnded", "EffectStarted")),
    "other name of an effect": ("@effect\n", "@effect(name='tell')\n", ("changed", "EffectStarted", "EffectStarted")),
    "other file": ('["one.txt", "two.txt"]', '["one.txt", "too.txt"]', ("changed", "ThreadStarted", "ThreadStarted")),
    "swapped files": ('["one.txt", "two.txt"]', '["two.txt", "one.txt"]', ("changed", "ThreadStarted", "ThreadStarted")),
    "threads without names": (", name=n)", ")", ("changed", "ThreadStarted", "ThreadStarted")),
    "one thread more": ("for _ in range(2)]", "for _ in range(3)]", ("order", "ThreadStarted", "EffectStarted")),
    "one thread less": ("for _ in range(2)]", "for _ in range(1)]", ("order", "EffectStarted", "ThreadStarted")),
    "dropped join": ("    for thread in pool:\n        thread.join()\n    print", "    print", ("order", None, None)),
    "no lock": ("        with lock:\n            results.append(ask(task))", "        results.append(ask(task))", ("order", "EffectStarted", "EffectReturned")),
    "other word in the report": ('"told": told', '"told_": told', ("changed", "FileWritten", "FileWritten")),
    "report left out": ('        json.dump(report, file)\n', "        pass\n", ("changed", "FileWritten", "FileWritten")),
    "other file written": ('open("report.json"', 'open("report.txt"', ("clock", None, None)),
    "appended": ('"report.json", "w"', '"report.json", "a"', ("extra", "FileRead", "ReadingsTaken")),
    "other command": ('["echo", "told"]', '["echo", "tell"]', ("changed", "ProcessStarted", "ProcessStarted")),
    "other variable": ('"COLOUR"', '"COLOR"', ("clock", None, None)),
    "one reading more": ('    print("late"', '    time.time()\n    print("late"', ("clock", None, None)),
    "other clock": ("time.time() - started", "time.monotonic() - started", ("clock", None, None)),
    "one random number more": ("random.random())", "random.random(), random.random())", ("changed", "OutputWritten", "OutputWritten")),
    "other print": ('print("results"', 'print("answers"', ("changed", "OutputWritten", "OutputWritten")),
    "print left out": ('    print("results", len(results))\n', "", ("missing", None, "OutputWritten")),
    "other result": ("    return verdict\n", "    return verdict.upper()\n", ("changed", "RunEnded", "RunEnded")),
    "an exception": ("    return verdict\n", "    raise RuntimeError\n", ("changed", "RunEnded", "RunEnded")),
    "sleep before the pool": ("    with ThreadPoolExecutor", "    time.sleep(5)\n    with ThreadPoolExecutor", ("missing", None, "ReadingsTaken")),
}  # fmt: skip

NULL_MUTANTS = {
    "renamed local": (("verdict", "judged"),),
    "comment": (("    started =", "    # when it all began\n    started ="),),
    "moved helper": (
        ("    sizes = collect(", "    gather = collect\n    sizes = gather("),
    ),
    "one print as two": (
        ('print("sizes", sizes)', 'print("sizes", end=" ")\n    print(sizes)'),
    ),
    "written in two": (
        ("        json.dump(report, file)\n", "        text = json.dumps(report)\n        file.write(text[:5])\n        file.write(text[5:])\n"),
    ),
    "unused import": (("import json\n", "import json\nimport string\n"),),
}  # fmt: skip


def changed(source: str, pairs) -> str:
    for old, new in pairs:
        assert old in source
        source = source.replace(old, new)
    return source


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_diverges_where_it_differs_and_is_named_rightly(name, recording, capsys):
    old, new, (category, computed, recorded) = MUTANTS[name]
    assert PROGRAM.count(old) == 1
    report = replayed(recording, PROGRAM.replace(old, new), noise=len(name))
    assert report.verdict == "diverged"
    divergence = report.divergence
    print(name, divergence)
    assert divergence.category == category
    assert computed is None or divergence.replayed_kind == computed
    assert recorded is None or divergence.recorded_kind == recorded
    assert report.live_effects == 0


@pytest.mark.parametrize("name", NULL_MUTANTS)
def test_a_null_mutant_is_identical(name, recording, capsys):
    report = replayed(recording, changed(PROGRAM, NULL_MUTANTS[name]), noise=len(name))
    assert (report.verdict, report.divergence) == ("identical", None)


def test_the_program_itself_is_identical_under_noise(recording, capsys):
    assert {replayed(recording, PROGRAM, noise).verdict for noise in range(5)} == {"identical"}
