"""Other Python minors, with what the engine needs, where this machine has them."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NEEDED = ("blake3", "duckdb", "httpx", "httpx2", "msgspec")


def interpreter_of(minor: str) -> str:
    """Return an interpreter such as ``3.12``, in an environment that is made once; or skip."""
    if sys.version.startswith(minor + "."):
        return sys.executable
    versions = Path.home() / ".pyenv" / "versions"
    named = os.environ.get(f"RITORNELLO_TEST_PYTHON_{minor.replace('.', '')}")
    found = [named, shutil.which(f"python{minor}")]
    found += [str(path / "bin" / "python3") for path in sorted(versions.glob(f"{minor}.*"))]
    usable = [path for path in found if path and _works(path, minor)]
    for path in usable:
        if _works(path, minor, NEEDED):
            return path
    if not usable:
        pytest.skip(f"no Python {minor} on this machine")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ritornello-tests"
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"python{minor}"
    made = place / "bin" / "python"
    with (cache / f"python{minor}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers may want it at once
        if not (made.is_file() and _works(str(made), minor, NEEDED)):
            subprocess.run([usable[0], "-m", "venv", "--clear", place], check=True, timeout=60)
            done = subprocess.run(
                [made, "-m", "pip", "install", "-q", *NEEDED], capture_output=True, timeout=240
            )
            if done.returncode:
                pytest.skip(f"the dependencies cannot be installed for Python {minor}")
    return str(made)


def _works(python: str, minor: str, modules: tuple[str, ...] = ()) -> bool:
    if not Path(python).is_file():
        return False
    code = f"import sys; assert sys.version.startswith('{minor}.')\n"
    code += "".join(f"import {name}\n" for name in modules)
    return subprocess.run([python, "-c", code], capture_output=True, timeout=30).returncode == 0
