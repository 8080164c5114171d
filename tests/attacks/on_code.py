"""Attacks 27 and 28 on a program's code: what was vouched for is what is compiled, and alone."""

from __future__ import annotations

import colorsys
import contextlib
import subprocess
import sys
from hashlib import sha256
from importlib._bootstrap_external import _code_to_hash_pyc
from importlib.util import cache_from_source
from pathlib import Path

from replay.errors import CodeRefusedError, IntegrityError
from replay.session.admitted_code import AdmittedCode
from replay.session.conditions import Conditions, open_admitted
from tests.attacks.attempts import attempt
from tests.support.bundle_forging import export, small_entries

MAIN = "import beside"
BESIDE = "VALUE = 7\n"
RUN = """\
import sys
from replay.session.admitted_code import AdmittedCode
from replay.errors import CodeRefusedError
AdmittedCode(tuple(sys.argv[2:])).install()
sys.path.insert(0, sys.argv[1])
try:
    import beside
    print("ran", beside.VALUE)
except CodeRefusedError as error:
    print("refused")
"""


def admits(*texts):
    """The source files that may run, by their texts."""
    return AdmittedCode(tuple(_digest(each) for each in texts))


def _digest(text):
    return sha256(text.encode()).hexdigest()


def _imports(place, *texts):
    """Import a module of the directory in a process in which those texts may run."""
    digests = [_digest(each) for each in texts]
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(place), *digests],
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    return done.stdout.strip()


@attempt(27, refused=CodeRefusedError, says="not")
def source_that_was_exchanged_after_it_was_looked_at(place):
    admits(BESIDE).require(b"VALUE = 8\n", str(place / "beside.py"))


@attempt(27, refused=IntegrityError, says="no longer the one")
def a_record_that_was_exchanged_after_it_was_looked_at(place):
    export(small_entries(), place / "run.ritornello")
    decided = Conditions(record="0" * 64)
    with contextlib.closing(open_admitted(str(place / "run.ritornello"), place, decided)):
        pass


@attempt(27, gives=["refused", "ran 7"])
def a_directory_of_modules_that_is_a_link(place):
    """It may lead anywhere: the bytes that are compiled are what was looked at."""
    for name, text in (("good", BESIDE), ("bad", "VALUE = 8\n")):
        (place / name).mkdir()
        (place / name / "beside.py").write_text(text)
    (place / "link").symlink_to(place / "good")
    found = []
    for target in ("bad", "good"):
        (place / "link").unlink()
        (place / "link").symlink_to(place / target)
        found.append(_imports(place / "link", BESIDE))
    return found


@attempt(28, gives=["refused"] * 3)
def a_neighbour_that_nobody_vouched_for(place):
    """Source, bytecode alone, and a library, each where an admitted program would find it."""
    found = []
    for name, data in (("beside.py", b"VALUE = 8\n"), ("beside.pyc", b""), ("beside.abi3.so", b"")):
        (place / name).write_bytes(data)
        found.append(_imports(place, MAIN, BESIDE))
        (place / name).unlink()
    return found


@attempt(27, gives="refused")
def a_link_to_a_library_with_other_bytecode_beside_it(place):
    """What the link leads to is installed; Python would look for bytecode beside the link."""
    (place / "beside.py").symlink_to(colorsys.__file__)
    cached = Path(cache_from_source(str(place / "beside.py")))
    cached.parent.mkdir()
    planted = compile("VALUE = 9", "beside.py", "exec")
    cached.write_bytes(_code_to_hash_pyc(planted, bytes(8), checked=False))
    return _imports(place, MAIN, BESIDE)
