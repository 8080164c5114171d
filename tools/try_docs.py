"""Tries the walk-throughs of the documents: files are written, commands run, output compared.

Every document with a mark gets one new directory. A fenced block below ``<!-- file: NAME -->`` is
written to that file. A console block below ``<!-- try -->`` is run there, in order: a line that
begins with ``$ `` is a command, the lines below it are its output, standard error included. In
expected output ``…`` stands for any text within a line, and alone on a line for any lines. A
command ends with 0, or with what a comment ``# exits with N`` behind it says. `python` and
`ritornello` are those of the interpreter that runs this.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.source_tree import Finding, tracked_files

__all__ = ["Command", "File", "marked_documents", "matches", "steps", "try_document"]

_FILE: Final = re.compile(r"<!-- file: ([A-Za-z0-9_./-]+) -->")
_TRY: Final = "<!-- try -->"
_EXIT: Final = re.compile(r"\s+# exits with (\d+)$")
_ANY: Final = "…"
_SECONDS_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class File:
    """A file that a document shows."""

    line: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a document shows, with the output and the exit code that it promises."""

    line: int
    command: str
    expected: str
    exit_code: int


def marked_documents(root: Path) -> list[str]:
    """The documents that have something to try, sorted."""
    return [path for path in tracked_files(root) if path.endswith(".md") and steps(root / path)]


def steps(path: Path) -> list[File | Command]:
    """What a document shows to be tried, in order.

    Raises:
        ValueError: a mark has no fenced block right below it, or a block has no command.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    found: list[File | Command] = []
    for number, line in enumerate(lines):
        file = _FILE.fullmatch(line.strip())
        if file is None and line.strip() != _TRY:
            continue
        body = _fenced(lines, number + 1)
        if body is None:
            raise ValueError(f"{path}:{number + 1}: no fenced block below the mark")
        if file is not None:
            found.append(File(number + 2, file.group(1), "\n".join(body) + "\n"))
            continue
        commands = list(_commands(body, number + 3))
        if not commands:
            raise ValueError(f"{path}:{number + 1}: no line begins with `$ `")
        found += commands
    return found


def try_document(root: Path, path: str) -> list[Finding]:
    """Does what a document says in a new directory; stops at the first thing that is not so."""
    with tempfile.TemporaryDirectory(prefix="ritornello-docs-") as scratch:
        place = Path(scratch, "project")
        place.mkdir()
        environment = _environment(root, Path(scratch, "bin"))
        for step in steps(root / path):
            if isinstance(step, File):
                (place / step.name).parent.mkdir(parents=True, exist_ok=True)
                (place / step.name).write_text(step.text, encoding="utf-8")
                continue
            done = subprocess.run(
                ["bash", "-uo", "pipefail", "-c", step.command],
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_SECONDS_MAX,
                check=False,
            )
            if done.returncode != step.exit_code:
                text = f"`{step.command}` exits with {done.returncode}:\n{done.stdout}"
                return [Finding(path, step.line, text)]
            if not matches(step.expected, done.stdout.rstrip("\n")):
                text = f"`{step.command}` prints something else:\n{done.stdout}"
                return [Finding(path, step.line, text)]
    return []


def matches(expected: str, actual: str) -> bool:
    """Whether output is as promised, ``…`` standing for what differs from run to run."""
    pattern = ""
    for line in expected.split("\n"):
        if line.strip() == _ANY:
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += "[^\n]*".join(map(re.escape, line.split(_ANY))) + "\n"
    return re.fullmatch(pattern, actual + "\n") is not None


def _fenced(lines: list[str], start: int) -> list[str] | None:
    if start >= len(lines) or not lines[start].startswith("```"):
        return None
    try:
        return lines[start + 1 : lines.index("```", start + 1)]
    except ValueError:
        return None


def _commands(body: list[str], first: int) -> Iterator[Command]:
    starts = [number for number, line in enumerate(body) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(body)], strict=False):
        text = body[start][2:]
        code = _EXIT.search(text)
        yield Command(
            first + start,
            text if code is None else text[: code.start()],
            "\n".join(body[start + 1 : end]),
            0 if code is None else int(code.group(1)),
        )


def _environment(root: Path, programs: Path) -> dict[str, str]:
    """The surroundings of a person who has this checkout installed, and no key."""
    programs.mkdir()
    command = programs / "ritornello"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator.cli "$@"\n')
    command.chmod(0o700)
    path = [str(programs), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Keys, trust and heads that were seen: none but those that the document makes.
        "XDG_CONFIG_HOME": str(programs.with_name("config")),
        "XDG_STATE_HOME": str(programs.with_name("state")),
        "NO_COLOR": "1",
    }


def main() -> int:
    """Tries all documents, or those that are named."""
    root = Path.cwd()
    findings = [
        finding
        for path in sys.argv[1:] or marked_documents(root)
        for finding in try_document(root, path)
    ]
    for finding in findings:
        print(finding, file=sys.stderr)
    print(f"walk-throughs: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
