"""Checks the documents: links inside the repository resolve, and marked command blocks come true.

A fenced ```console block below a line `<!-- run -->` is run from the repository's root: each line
that begins with `$ ` is a command, the lines below it are its whole output. `check_links` and
`run_blocks` are called by tests too. Links to other hosts are not followed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.source_tree import Finding, tracked_files

__all__ = ["Block", "blocks", "check_links", "run_blocks"]

_LINK = re.compile(r"(?<!\!)\[[^\]\[]*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")
_FENCE = re.compile(r"^\s*(```+|~~~+)")
_SECONDS_MAX = 120


@dataclass(frozen=True, slots=True)
class Block:
    """One marked block: where it stands, and its (command, expected output) pairs in order."""

    path: str
    line: int
    commands: tuple[tuple[str, str], ...]


def check_links(root: Path) -> list[Finding]:
    """Links to files or headings of this repository that lead nowhere."""
    findings: list[Finding] = []
    for path in _documents(root):
        for number, line in _prose(root / path):
            for target in _LINK.findall(line):
                if re.match(r"[a-z][a-z0-9+.-]*:", target):
                    continue
                file, _, anchor = target.partition("#")
                place = (root / path).parent / file if file else root / path
                if not place.resolve().is_relative_to(root.resolve()) or not place.exists():
                    findings.append(Finding(path, number, f"link to nothing: {target}"))
                elif anchor and place.suffix == ".md" and anchor not in _anchors(place):
                    findings.append(Finding(path, number, f"no such heading: {target}"))
    return findings


def blocks(root: Path) -> list[Block]:
    """The marked blocks of every document, in order.

    Raises:
        ValueError: a mark has no console block below it, or a block has no command.
    """
    found: list[Block] = []
    for path in _documents(root):
        lines = (root / path).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if line.strip() == "<!-- run -->":
                if lines[number + 1 : number + 2] != ["```console"] or "```" not in lines[number:]:
                    raise ValueError(f"{path}:{number + 1}: no ```console block below the mark")
                end = lines.index("```", number + 2)
                commands = tuple(_commands(lines[number + 2 : end]))
                if not commands:
                    raise ValueError(f"{path}:{number + 1}: no line begins with `$ `")
                found.append(Block(path, number + 2, commands))
    return found


def run_blocks(root: Path, found: list[Block]) -> list[Finding]:
    """Runs marked blocks; a non-zero exit or another output is a finding."""
    findings: list[Finding] = []
    # A command that calls make must not know that make called us.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    environment.pop("MFLAGS", None)
    for block in found:
        for command, expected in block.commands:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=root,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_SECONDS_MAX,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            if done.returncode != 0:
                text = f"`{command}` exits with {done.returncode}: {done.stderr.strip()[-500:]}"
                findings.append(Finding(block.path, block.line, text))
            elif done.stdout.rstrip("\n") != expected:
                text = f"`{command}` prints something else:\n{done.stdout}"
                findings.append(Finding(block.path, block.line, text))
    return findings


def _documents(root: Path) -> list[str]:
    return [path for path in tracked_files(root) if path.endswith(".md")]


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines outside fenced blocks, inline code blanked out."""
    fence = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark.group(1)
        elif fence and line.strip() == fence:
            fence = ""
        elif not fence:
            yield number, re.sub(r"`[^`]*`", "``", line)


def _anchors(path: Path) -> set[str]:
    anchors: set[str] = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            words = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            anchors.add(words.replace(" ", "-"))
    return anchors


def _commands(lines: list[str]) -> Iterator[tuple[str, str]]:
    command: str | None = None
    output: list[str] = []
    for line in lines:
        if line.startswith("$ "):
            if command is not None:
                yield command, "\n".join(output)
            command, output = line[2:], []
        else:
            output.append(line)
    if command is not None:
        yield command, "\n".join(output)


def main() -> int:
    """Checks this repository; the blocks themselves are run by the tests."""
    root = Path.cwd()
    findings = check_links(root)
    count = len(blocks(root))
    for finding in findings:
        print(finding, file=sys.stderr)
    print(f"docs: {len(findings)} findings; {count} command blocks are run by the tests")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
