"""Ruff, mypy, pytest and the coverage floor refuse planted violations under our own settings."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _ruff(root, *arguments):
    (root / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (root / "replay").mkdir(exist_ok=True)
    (root / "replay/__init__.py").write_text('"""A room."""\n')
    return _run("ruff", *arguments, "--no-cache", ".", cwd=root)


SOUND = (
    '"""A module."""\n\n__all__ = ["Late", "early"]\n\nearly = 1\n\n\nclass Late:\n    """L."""\n'
)


def test_ruff_passes_a_sound_module(tmp_path):
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay/planted.py").write_text(SOUND)

    done = _ruff(tmp_path, "check")

    assert (done.returncode, done.stdout.strip()) == (0, "All checks passed!")


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        (SOUND.replace('["Late", "early"]', '["early", "Late"]'), "RUF022"),
        (SOUND + "x = '" + "y" * 100 + "'\n", "E501"),
        (SOUND + "import pickle\n\nx = pickle.loads(b'')\n", "S301"),
        ('"""A module."""\n\n\ndef f() -> None:\n    print()\n', "D103"),
    ],
)
def test_ruff_refuses_a_planted_violation(tmp_path, source, rule):
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay/planted.py").write_text(source)

    done = _ruff(tmp_path, "check", "--output-format", "concise")

    assert done.returncode == 1
    assert f" {rule} " in done.stdout


def test_ruff_format_refuses_an_unformatted_module(tmp_path):
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay/planted.py").write_text(SOUND.replace("early = 1", "early  =  1"))

    assert _ruff(tmp_path, "format", "--check").returncode == 1


def test_mypy_refuses_an_untyped_function(tmp_path):
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (tmp_path / "planted.py").write_text("def f(x):\n    return x\n")

    done = _run("mypy", "--cache-dir", str(tmp_path / "cache"), "planted.py", cwd=tmp_path)

    assert done.returncode == 1
    assert "no-untyped-def" in done.stdout


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import warnings\ndef test_x():\n    warnings.warn('old', stacklevel=1)\n", "UserWarning"),
        ("import pytest\n@pytest.mark.fulll\ndef test_x(): ...\n", "fulll"),
        (
            "import pytest\n@pytest.mark.xfail(reason='r')\ndef test_x(): ...\n",
            "XPASS(strict)",
        ),
    ],
)
def test_pytest_refuses_warnings_unknown_marks_and_unexpected_passes(tmp_path, source, expected):
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_planted.py").write_text(source)

    done = _run("pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)

    assert done.returncode in {1, 2}
    assert expected in done.stdout


@pytest.mark.parametrize(("called", "expected"), [(True, 0), (False, 1)])
def test_the_coverage_floor_turns_red_below_it(tmp_path, called, expected):
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for folder in ("replay", "orchestrator", "tests"):
        (tmp_path / folder).mkdir()
    body = "".join(f"    x = {number}\n" for number in range(20))
    (tmp_path / "replay/__init__.py").write_text(f"def f():\n{body}    return x\n")
    (tmp_path / "orchestrator/__init__.py").write_text("")
    use = "replay.f()" if called else "replay"
    test = f"import orchestrator, replay\ndef test_x():\n    assert {use}\n"
    (tmp_path / "tests/test_planted.py").write_text(test)

    # Our own plugin would be looked for in the planted package.
    without = [
        word for name in ("cacheprovider", "xdist", "ritornello") for word in ("-p", f"no:{name}")
    ]

    done = _run("pytest", "-q", *without, "--cov", cwd=tmp_path)

    assert done.returncode == expected, done.stdout + done.stderr
