"""Which commands start a Python program, and what a record's argument list starts again."""

from __future__ import annotations

import sys

import pytest

from replay.errors import NotFoundError, UsageError
from replay.session.command_line import parse_command, parse_recorded


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.py").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "flags", "form", "target", "arguments"),
    [
        (("agent.py", "-m", "x"), (), "script", "agent.py", ("-m", "x")),
        (("-m", "pack.age", "-c"), (), "module", "pack.age", ("-c",)),
        (("-c", "pass", "a"), (), "code", "pass", ("a",)),
        (("-cpass",), (), "code", "pass", ()),
        (("-uB", "agent.py"), ("-u", "-B"), "script", "agent.py", ()),
        (("-uX", "dev", "agent.py"), ("-u", "-Xdev"), "script", "agent.py", ()),
        (("-Xdev", "-W", "error", "-m", "m"), ("-Xdev", "-Werror"), "module", "m", ()),
        (("-bm", "m", "--", "-x"), ("-b",), "module", "m", ("--", "-x")),
    ],
)
def test_python_is_read_as_python_reads_itself(here, words, flags, form, target, arguments):
    command = parse_command([sys.executable, *words])

    assert (command.flags, command.form) == (flags, form)
    assert (command.target, command.arguments) == (target, arguments)
    again = parse_recorded(command.recorded, here)
    assert again == command


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("-I", "agent.py"), "-I"),
        (("-uE", "agent.py"), "-uE"),
        (("-S", "agent.py"), "-S"),
        (("-i", "agent.py"), "-i"),
        (("--version",), "--version"),
        (("-X",), "-X"),
        (("-",), "not told what to run"),
        ((), "not told what to run"),
        ((".",), "no __main__.py"),
        (("agent.py", "\udc80"), "no UTF-8"),
    ],
)
def test_what_could_not_be_repeated_is_refused_with_the_reason(here, words, reason):
    with pytest.raises(UsageError) as refused:
        parse_command([sys.executable, *words])

    assert reason in refused.value.diagnostics()


def test_a_script_is_started_by_the_python_of_its_first_line_or_by_this_one(here):
    shebang = here / "other.py"
    shebang.write_text(f"#!{sys.executable} -u\n")

    assert parse_command(["agent.py", "x"]).python == sys.executable
    assert parse_command(["other.py"]).python == sys.executable
    assert parse_command(["agent.py", "x"]).recorded == ("agent.py", "x")


def test_an_installed_command_is_recorded_if_its_first_line_names_a_python(here, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    for name, line in (("ours", f"#!{sys.executable}"), ("env", "#!/usr/bin/env -S python3")):
        (here / name).write_text(f"{line}\n")
        (here / name).chmod(0o700)
        command = parse_command([name, "-x"])
        assert command.recorded == (str(here / name), "-x")
    (here / "shell").write_text("#!/bin/sh\n")
    (here / "shell").chmod(0o700)

    with pytest.raises(UsageError, match="not a Python program"):
        parse_command(["shell"])
    with pytest.raises(NotFoundError):
        parse_command(["absent"])


@pytest.mark.parametrize("name", ["replay.py", "orchestrator/__init__.py"])
def test_a_program_with_a_module_of_our_name_is_refused(here, name):
    (here / name).parent.mkdir(exist_ok=True)
    (here / name).write_text("")

    with pytest.raises(UsageError) as refused:
        parse_command([sys.executable, "-m", "anything"])

    assert refused.value.where == str(here / name)


def test_a_recorded_script_that_is_not_there_is_named(here, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    with pytest.raises(NotFoundError) as missing:
        parse_recorded(("agent.py",), elsewhere)

    assert "agent.py" in missing.value.message
    assert missing.value.where == str(elsewhere)
