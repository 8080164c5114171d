"""Writes docs/reference/cli.md from the command's own help, or says that the page is old.

Each verb's help is asked of a process of its own, at a fixed width. Run
``python -m tools.cli_reference --write`` after a change of the command.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from orchestrator.cli.verbs import SUBVERBS, VERBS

__all__ = ["PAGE", "check_page", "generated"]

PAGE: Final = Path("docs/reference/cli.md")
_WIDTH: Final = "100"
_AT_ONCE: Final = 2
_SECONDS_MAX: Final = 60
_HEAD: Final = """\
# The command

<!-- generated: python -m tools.cli_reference --write -->

What `--help` says, word for word. Standard output carries data only, everything else goes to
standard error; with `--json` a verb prints one object whose `schema` is `ritornello/VERB/1`. The
[exit codes](exit_codes.md) are the same for all verbs.
"""


def generated(root: Path) -> str:
    """The whole page."""
    verbs = [
        name for verb in VERBS for name in (verb, *(f"{verb} {w}" for w in SUBVERBS.get(verb, ())))
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        texts = list(pool.map(lambda verb: _help(root, verb), ["", *verbs]))
    blocks = [f"```text\n{texts[0]}```\n"]
    blocks += [
        f"{'###' if ' ' in verb else '##'} {verb}\n\n```text\n{text}```\n"
        for verb, text in zip(verbs, texts[1:], strict=True)
    ]
    return _HEAD + "\n" + "\n".join(blocks)


def check_page(root: Path) -> bool:
    """Whether the page says what the command says."""
    return (root / PAGE).read_text(encoding="utf-8") == generated(root)


def _help(root: Path, verb: str) -> str:
    arguments = [*verb.split(), "--help"]
    plain = {"COLUMNS": _WIDTH, "NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RITORNELLO_")}
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *arguments],
        cwd=root,
        env={**environment, **plain},
        capture_output=True,
        text=True,
        timeout=_SECONDS_MAX,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


def main() -> int:
    """Checks the page, or with ``--write`` writes it."""
    root = Path.cwd()
    if "--write" in sys.argv[1:]:
        (root / PAGE).write_text(generated(root), encoding="utf-8")
        return 0
    current = check_page(root)
    print(f"{PAGE}: {'current' if current else 'old; run with --write'}")
    return 0 if current else 1


if __name__ == "__main__":
    sys.exit(main())
