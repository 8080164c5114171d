"""Help: at once, with an example for each verb, and a way out for who misspells one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orchestrator.cli.verbs import VERBS
from tests.cli.conftest import ROOT

#: What takes long to import, and help must not.
HEAVY = ("typer", "msgspec", "duckdb", "asyncio", "replay.session", "anthropic", "rich")

#: What runs a program, which the process of its own does.
ENGINE = ("asyncio", "replay.session.record", "replay.session.replay", "replay.session.stage")


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(place, verb):
    shown = place.look(verb, "--help")

    assert shown.code == 0
    assert f"Usage: ritornello {verb} " in shown.out
    examples = shown.out.partition("Examples:\n")[2]
    assert f"ritornello {verb}" in examples.partition("\n\n")[0]


def test_the_overview_names_each_verb_and_imports_nothing_that_takes_long():
    program = (
        "import sys; sys.argv = ['ritornello', '--help']\n"
        "from orchestrator.cli.__main__ import main\n"
        "try: main()\n"
        f"finally: print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )

    *overview, imported = done.stdout.splitlines()
    assert imported == "[]"
    assert all(any(line.startswith(f"  {verb} ") for line in overview) for verb in VERBS)


@pytest.mark.parametrize(
    "verb", ["events", "fork", "record", "replay", "resume", "run", "runs", "show"]
)
def test_a_verb_brings_no_engine_up_in_the_process_that_launches_or_reads(verb):
    program = (
        f"import sys, orchestrator.cli.{verb}\n"
        f"print([name for name in {ENGINE!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )

    assert done.stdout == "[]\n"


def test_without_a_word_the_command_shows_its_overview(place):
    assert place.look().out == place.look("--help").out == place.look("-h").out


def test_an_interrupt_while_a_verb_is_loaded_ends_quietly(place, monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.cli.__main__.import_module", interrupted)

    ended = place.look("runs")

    assert (ended.code, ended.out, ended.err) == (130, "", "")


@pytest.mark.parametrize("words", [("show", "--help"), ("--help",)])
def test_a_reader_that_left_is_one_exit_code_whatever_was_to_be_read(words):
    reads, writes = os.pipe()
    os.close(reads)
    ended = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *words],
        cwd=ROOT,
        stdout=writes,
        stderr=subprocess.PIPE,
        timeout=50,
        check=False,
    )
    os.close(writes)

    assert (ended.returncode, ended.stderr) == (141, b"")


def test_the_version_is_data(place):
    from replay.version import VERSION

    assert place.look("--version").out == f"ritornello {VERSION}\n"


def test_a_misspelt_verb_is_refused_and_the_nearest_named(place):
    refused = place.look("replya")

    assert refused.code == 2
    assert refused.out == ""
    assert "`ritornello replay`" in refused.err


@pytest.mark.parametrize(
    "arguments", [("verify", "--nope"), ("show",), ("events", "a", "--json", "--jsonl")]
)
def test_wrong_usage_is_code_2_and_nothing_on_standard_output(place, arguments):
    refused = place.look(*arguments)

    assert refused.code == 2
    assert refused.out == ""
    assert refused.err


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        (("replay", "--kep", "last"), "there is no option --kep", "did you mean --keep?"),
        (("keys", "new", "--nope"), "there is no option --nope", "`ritornello keys new --help`"),
        (("--verson",), "there is no option '--verson'", "`ritornello --version`"),
        (("show",), "missing argument", "`ritornello show --help`"),
        (("runs", "more"), "got unexpected extra argument", "`ritornello runs --help`"),
        (("resume", "last", "--again", "x"), "invalid value for '--again'", "`ritornello resume"),
    ],
)
def test_wrong_usage_is_told_in_the_form_of_every_error(place, arguments, what, hint):
    first, second = place.look(*arguments).err.splitlines()

    assert first.startswith(f"usage: {what}")
    assert second.startswith("  try: ")
    assert hint in second


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_that_nobody_reads_ends_without_a_word(option):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", option],
        cwd=ROOT,
        env=dict(os.environ),
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=50,
        check=False,
    )
    os.close(write)

    assert (done.returncode, done.stderr) == (141, b"")
