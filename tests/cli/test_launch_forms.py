"""The ways in which people start Python programs: recorded and replayed, or refused by name."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

#: Says how it was started.
SAYS = """\
import os, sys
print(sys.argv[1:], __name__, os.path.basename(sys.argv[0]), sys.flags.optimize, sys.flags.dev_mode)
print(os.path.basename(sys.path[0]), sys.warnoptions, sys.flags.hash_randomization)
"""
RAN = "open('ran', 'w').close()\n"


def both(place, *command, **options):
    """Record a command and replay it; return what it printed."""
    recorded = place.run("record", "--", *command, **options)
    assert recorded.code == 0, recorded.err
    report = place.run("replay", "last", "--json", **options)
    assert report.code == 0, report.out + report.err
    assert report.report["verdict"] == "identical"
    return recorded.out


def real(place, *command):
    """Return what a command prints without us."""
    done = subprocess.run(
        command,
        cwd=place.path,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def pack(place):
    place.write("pack/__init__.py", "")
    place.write("pack/__main__.py", SAYS)
    return place


def without_engine(place):
    """Make a Python that finds no installed package, and no path that it is given."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "bare"], cwd=place.path, check=True
    )
    text = f'#!/bin/sh\nexec env -u PYTHONPATH {place.path}/bare/bin/python "$@"\n'
    return executable(place.path / "other" / "python3", text)


def executable(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o700)
    return path


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    "words",
    [
        ("-m", "pack", "-x"),
        ("pack", "a"),
        ("pack.pyz", "a", "--b"),
        ("-O", "-X", "dev", "pack/__main__.py"),
        ("-uOO", "-W", "once", "--check-hash-based-pycs", "always", "pack/__main__.py"),
        ("pack/__main__.pyc", "c"),
        ("-c", SAYS, "d"),
    ],
)
def test_a_program_sees_what_python_would_give_it(place, words):
    pack(place)
    zipapp.create_archive(place.path / "pack", place.path / "pack.pyz")
    compileall.compile_dir(place.path / "pack", quiet=2, legacy=True)
    (place.path / "pack" / "__init__.pyc").unlink()

    said = both(place, sys.executable, *words)

    assert said == real(place, sys.executable, *words)


@pytest.mark.full
def test_variables_that_python_reads_reach_the_program(place):
    place.write("agent.py", "import sys; print(sys.flags.optimize, sys.flags.dev_mode)")

    said = both(place, "python", "agent.py", env={"PYTHONOPTIMIZE": "2", "PYTHONDEVMODE": "1"})

    assert said == "2 True\n"


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "head",
    [
        "#!{python}\n",
        "#!{python} -O\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' '{python}' \"$0\" \"$@\"\n' '''\n",
        "#!/usr/bin/env python3\n",
    ],
)
def test_an_installed_command_is_found_by_its_name(place, head):
    script = executable(place.path / "bin" / "my-agent", head.format(python=sys.executable) + SAYS)
    path = {"PATH": os.pathsep.join([str(script.parent), str(Path(sys.executable).parent), "/bin"])}

    said = both(place, "my-agent", "--topic", env=path)

    assert said.startswith("['--topic'] __main__ my-agent " + ("1" if "-O" in head else "0"))


def test_an_installed_command_of_another_place_is_replayed_from_the_one_here(place):
    first = executable(place.path / "here" / "my-agent", f"#!{sys.executable}\nprint('said')\n")
    assert place.run("record", "--", first).code == 0
    (place.path / "there").mkdir()
    shutil.move(first, place.path / "there")

    paths = os.pathsep.join([str(place.path / "there"), os.environ["PATH"]])
    replayed = place.run("replay", "last", env={"PATH": paths})

    assert replayed.code == 0, replayed.err


@pytest.mark.parametrize("flag", ["-I", "-E", "-S", "-i"])
def test_a_command_whose_first_line_asks_for_an_isolated_python_is_refused(place, flag):
    script = executable(place.path / "tool", f"#!{sys.executable} {flag}\nopen('ran', 'w')\n")

    refused = place.run("record", "--", script)

    assert refused.code == 2
    assert flag in refused.err
    assert not (place.path / "ran").exists()


def test_a_python_without_the_engine_says_so_and_runs_nothing(place):
    place.write("agent.py", RAN)

    refused = place.run("record", "--", without_engine(place), "agent.py")

    assert refused.code == 2, refused.err
    assert "the engine is not installed" in refused.err
    assert "from its checkout or wheel" in refused.err
    assert "pip install /path/to/it" in refused.err
    assert not (place.path / "ran").exists()
    assert not (place.path / ".ritornello").exists()


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 0\n", "#!/bin/sh\necho hello; sleep 0.1\n"])
def test_what_is_called_python_and_is_none_is_refused(place, text):
    other = executable(place.path / "other" / "python3", text)

    refused = place.run("record", "--", other, "-c", "pass")

    assert refused.code == 2
    assert "did not come up" in refused.err


def test_a_program_that_is_killed_before_the_engine_is_up_is_told_by_its_signal(place):
    other = executable(place.path / "other" / "python3", "#!/bin/sh\nkill -KILL $$\n")

    killed = place.run("record", "--json", "--", other, "-c", "pass")

    assert killed.code == 137
    assert "killed by signal 9 before the engine was up" in killed.err
    assert (killed.report["run"], killed.report["exit_code"]) == (None, 137)


def test_a_prompt_at_the_end_is_refused(place):
    refused = place.run("record", "--", "python", "-c", "1/0", env={"PYTHONINSPECT": "1"})

    # The code is that of our own prompt, which the variable asks for too.
    assert "ZeroDivisionError" not in refused.err
    assert "PYTHONINSPECT" in refused.err


@pytest.mark.sample(5)
@pytest.mark.parametrize("name", ["replay", "orchestrator"])
@pytest.mark.parametrize("form", ["module", "package", "namespace"])
@pytest.mark.parametrize("way", ["beside", "path", "tool"])
def test_a_module_of_our_name_is_named_before_a_line_of_it_runs(place, name, form, way):
    where = place.path / ("own" if way == "path" else "bin")
    file = {"module": f"{name}.py", "package": f"{name}/__init__.py", "namespace": f"{name}/x.py"}
    (where / file[form]).parent.mkdir(parents=True, exist_ok=True)
    (where / file[form]).write_text(RAN)
    tool = executable(place.path / "bin" / "tool", f"#!{sys.executable}\n{RAN}")
    (place.path / "bin" / "agent.py").write_text(RAN)
    # Before and behind the engine on the path.
    env = {"PYTHONPATH": os.pathsep.join([str(where), str(ROOT)])} if way == "path" else {}
    command = [tool] if way == "tool" else [sys.executable, place.path / "bin" / "agent.py"]

    refused = subprocess.run(
        [sys.executable, "-P", "-m", "orchestrator.cli", "record", "--", *map(str, command)],
        cwd=place.path,
        env={**os.environ, "PYTHONPATH": str(ROOT)} if way != "path" else {**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )

    if way == "path" and form != "namespace":
        # The command itself is loaded by that path; what ours means there is not ours to say.
        assert refused.returncode != 0
    else:
        assert refused.returncode == 2, refused.stderr
        assert f"a module {name!r}" in refused.stderr
        assert not (place.path / "ran").exists()


def test_a_module_that_the_engine_has_loaded_by_another_is_named_too(place):
    place.write("own/msgspec.py", RAN)
    place.write("own/agent.py", RAN)

    refused = place.run("record", "--", "python", "own/agent.py")

    assert refused.code == 2
    assert "'msgspec'" in refused.err
    assert not (place.path / "ran").exists()


def test_an_effect_is_no_program(place):
    place.write(
        "flow.py",
        "import replay\n@replay.effect\nasync def main():\n    open('ran', 'w').close()\n",
    )

    for entry in ("flow.py", "flow.py:main"):
        refused = place.run("run", entry)
        assert refused.code == 2
        assert "is an effect" in refused.err
    assert not (place.path / "ran").exists()


def test_runs_shows_what_was_typed_but_no_secret_of_it(place):
    place.write("agent.py", "print('x')")
    secret = "sk-live-0123456789abcdefghij"
    recorded = place.run(
        "record", "--", "python", "agent.py", "--topic", "two tides", secret,
        env={"SERVICE_API_KEY": secret},
    )  # fmt: skip
    assert recorded.code == 0, recorded.err

    shown, listed = place.look("runs"), place.look("runs", "--json").report

    assert "python agent.py --topic 'two tides' " in shown.out
    assert listed["runs"][0]["command"][:3] == ["agent.py", "--topic", "two tides"]
    assert secret not in shown.out + json.dumps(listed)


UV = shutil.which(
    "uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
)


@pytest.mark.skipif(UV is None, reason="uv is not here")
class TestUv:
    """``uv run``, in an environment that needs nothing from the network."""

    OPTIONS = ("--no-project", "--offline", "--python", sys.executable)

    @pytest.mark.full
    def test_a_script_and_a_module_run_in_the_environment_that_uv_chose(self, place):
        pack(place)

        script = both(place, "uv", "run", *self.OPTIONS, "pack/__main__.py", "a")
        module = both(place, "uv", "run", *self.OPTIONS, "-m", "pack", "b")
        python = both(place, "uv", "run", *self.OPTIONS, "python", "-O", "-m", "pack", "c")

        assert script.startswith("['a'] __main__ __main__.py 0")
        assert module.startswith("['b'] __main__ __main__.py 0")
        assert python.startswith("['c'] __main__ __main__.py 1")

    def test_a_command_of_the_environment_is_found_in_it(self, place):
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", ".venv"],
            cwd=place.path,
            check=True,
        )
        python = place.path / ".venv" / "bin" / "python"
        executable(python.parent / "my-agent", f"#!{python}\n{SAYS}")
        packages = next((place.path / ".venv" / "lib").glob("*/site-packages"))
        (packages / "more.pth").write_text("\n".join(p for p in sys.path if "site-packages" in p))
        options = ("--no-project", "--offline")

        said = both(place, "uv", "run", *options, "my-agent", "x")
        assert said.startswith("['x'] __main__ my-agent")

        refused = place.run("record", "--", "uv", "run", *options, "sh", "-c", "true")
        assert refused.code == 2
        assert "not a program of this environment" in refused.err

    def test_an_environment_without_the_engine_is_refused_with_what_to_do(self, place):
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=place.path, check=True
        )
        place.write("agent.py", RAN)
        # By its own path, so that what finds the engine for the command is not found for it.
        command = "import sys; sys.path.insert(0, sys.argv.pop(1)); "
        command += "from orchestrator.cli.__main__ import main; main()"

        refused = subprocess.run(
            [
                sys.executable,
                "-c",
                command,
                str(ROOT),
                "record",
                "--",
                "uv",
                "run",
                "--no-project",
                "--offline",
                "agent.py",
            ],
            cwd=place.path,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
            | {"PATH": os.pathsep.join([str(Path(UV).parent), os.environ["PATH"]])},
            capture_output=True,
            text=True,
            check=False,
        )

        assert refused.returncode == 2, refused.stderr
        assert "the engine is not installed" in refused.stderr
        assert not (place.path / "ran").exists()

    @pytest.mark.parametrize(
        "words", [("pip", "list"), ("run",), ("run", "--directory", ".", "x.py"), ("run", "-")]
    )
    def test_what_of_uv_cannot_be_recorded_is_said(self, place, words):
        refused = place.run("record", "--", "uv", *words)

        assert refused.code == 2
        assert "uv" in refused.err
