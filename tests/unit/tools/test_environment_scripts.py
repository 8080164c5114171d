"""Which Python `make` takes, and what it says when there is none to take."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[3] / "tools"
# A version manager installs names that exist and refuse to run.
SHIM = "#!/bin/sh\necho 'command not found' >&2\nexit 127\n"
REAL = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
NO_ENSUREPIP = f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"\n'


@pytest.fixture
def run(tmp_path):
    """Runs a script of tools/ where only the planted interpreters are on the path."""

    def run(script, *arguments, interpreters, **environment):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in ("bash", "dirname", "rm"):
            (folder / name).symlink_to(Path("/bin") / name if name != "dirname" else _dirname())
        for name, text in interpreters.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        return subprocess.run(
            ["/bin/bash", TOOLS / script, *arguments],
            env={"PATH": str(folder), **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def _dirname():
    return next(p for p in (Path("/usr/bin/dirname"), Path("/bin/dirname")) if p.exists())


def test_the_first_python_that_runs_is_taken(run):
    done = run("find_python.sh", interpreters={"python3.13": SHIM, "python3.12": REAL})

    assert (done.returncode, Path(done.stdout.strip()).name) == (0, "python3.12")


def test_no_python_is_said_with_what_was_tried(run):
    done = run("find_python.sh", interpreters={"python3": SHIM})

    assert done.returncode == 1
    assert "python3.13, python3.12, python3.11, python3" in done.stderr


def test_a_named_python_that_does_not_run_is_not_replaced_by_another(run):
    done = run("find_python.sh", interpreters={"python3": REAL, "mine": SHIM}, PYTHON="mine")

    assert done.returncode == 1
    assert "PYTHON=mine does not run" in done.stderr


def test_the_missing_system_package_is_named(run):
    """Debian parts ensurepip from Python; a bare stack trace would not say which package."""
    done = run("make_venv.sh", "venv", "none.txt", interpreters={"python3": NO_ENSUREPIP})

    minor = ".".join(str(number) for number in sys.version_info[:2])
    assert done.returncode == 1
    assert f"python{minor}-venv" in done.stderr
    assert f"Python {minor}." in done.stdout
