"""What of a program's source goes on record, and what is left out of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import replay
from replay.events.digest import keyed_digest
from replay.secrets.patterns import Secret, make_surrogate
from replay.secrets.scrub import Scrubber
from replay.session.distributions import loaded_distributions, versions_here
from replay.session.git_ignore import GitIgnore
from replay.session.program_code import FILE_BYTES_MAX, code_note, files_reached

KEY = bytes(16)
FAR = 1 << 60

RULES = """# a comment
local_*.py
!local_shared.py
/only_here.py
build/
docs/*.py
deep/**/made.py
**/generated/
a?c.py
[xy]z.py
[!k]z9.py
\\#odd.py
trailing.py
"""
NAMES = [
    "local_settings.py",
    "local_shared.py",
    "sub/local_settings.py",
    "only_here.py",
    "sub/only_here.py",
    "build/one.py",
    "sub/build/one.py",
    "build.py",
    "docs/conf.py",
    "docs/sub/conf.py",
    "deep/made.py",
    "deep/a/b/made.py",
    "sub/generated/one.py",
    "abc.py",
    "abbc.py",
    "xz.py",
    "kz.py",
    "kz9.py",
    "pz9.py",
    "#odd.py",
    "trailing.py",
    "sub/other.py",
    "sub/taken.py",
]


def note(paths, directory, scrubber=None, started_us=FAR):
    return code_note(
        [str(path) for path in paths],
        directory=str(directory),
        key=KEY,
        scrubber=scrubber or Scrubber(),
        started_us=started_us,
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_what_git_ignores_is_ignored(tmp_path):
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text(RULES)
    (tmp_path / "sub" / ".gitignore").write_text("taken.py\n!trailing.py\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    asked = subprocess.run(
        ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "--stdin"],
        input="\n".join(NAMES),
        capture_output=True,
        text=True,
        check=False,
    )
    ignoring = GitIgnore()

    ignored = {name for name in NAMES if ignoring.ignores(tmp_path / name)}
    assert ignored == {line.strip('"') for line in asked.stdout.splitlines()}
    assert {"local_settings.py", "build/one.py"} <= ignored


def test_nothing_is_ignored_outside_a_repository(tmp_path):
    (tmp_path / ".gitignore").write_text("*.py\n")
    assert not GitIgnore().ignores(tmp_path / "agent.py")


def test_texts_are_kept_in_the_order_of_their_paths(tmp_path):
    (tmp_path / "b.py").write_bytes(b"b = 1\n")
    (tmp_path / "a.py").write_bytes(b"a = '\xff'\n")
    head, body = note([tmp_path / "b.py", tmp_path / "a.py"], tmp_path)

    assert [(each.path, each.state) for each in head.files] == [("a.py", "kept"), ("b.py", "kept")]
    assert body == b"a = '\xff'\nb = 1\n"
    assert head.late == ()


def test_a_file_with_a_secret_is_named_without_text_and_digest(tmp_path):
    value = "hunter2-of-the-long-night"
    drawn = make_surrogate(value, os.urandom)
    scrubber = Scrubber(
        [Secret(number=0, source="env:X", surrogate=drawn[0], public=drawn[1], value=value)]
    )
    (tmp_path / "one.py").write_text(f"password = '{value}'\n")
    (tmp_path / "two.py").write_text("key = 'gh" + "p_" + "a1B2" * 9 + "'\n")
    head, body = note([tmp_path / "one.py", tmp_path / "two.py"], tmp_path, scrubber)

    assert [(each.state, each.digest) for each in head.files] == [("secret", "")] * 2
    assert body == b""


def test_a_large_file_is_known_by_its_keyed_digest(tmp_path):
    text = b"#" * (FILE_BYTES_MAX + 1)
    (tmp_path / "large.py").write_bytes(text)
    head, body = note([tmp_path / "large.py"], tmp_path)

    assert (head.files[0].state, body) == ("large", b"")
    assert head.files[0].digest == keyed_digest(KEY, [text])


def test_a_file_written_after_the_run_began_is_said_to_be(tmp_path):
    (tmp_path / "new.py").write_text("")
    assert note([tmp_path / "new.py"], tmp_path, started_us=0)[0].late == ("new.py",)


def test_what_cannot_be_read_is_named(tmp_path):
    head, _ = note([tmp_path / "gone.py", tmp_path], tmp_path)
    assert [each.state for each in head.files] == ["unreadable", "unreadable"]


def test_a_function_reaches_its_module_and_what_that_imports():
    files = files_reached(note, frozenset(sys.modules))
    assert __file__ in files
    own = Path(replay.__file__).parent
    assert all("-packages" not in each and own not in Path(each).parents for each in files)


def test_distributions_are_named_by_the_version_that_is_installed():
    found = dict(loaded_distributions())
    assert found["pytest"] == version("pytest")
    assert found["msgspec"] == version("msgspec")
    assert dict(versions_here())["python"] == sys.version.split()[0]
