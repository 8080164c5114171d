"""`ritornello keys`: make, list, trust, rotate and revoke keys. One function for each word."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Final, NoReturn

from orchestrator.cli.app import run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import emit, say
from orchestrator.cli.verbs import SUBVERBS

__all__ = ["main"]

_MODULES: Final = {
    "new": "making",
    "list": "listing",
    "trust": "listing",
    "rotate": "changing",
    "revoke": "changing",
}


def main(arguments: Sequence[str]) -> None:
    """Run the word after the verb."""
    word, *rest = arguments or ["--help"]
    if word in {"--help", "-h"}:
        _overview()
    if word not in _MODULES:
        near = get_close_matches(word, _MODULES, n=1)
        hint = f"did you mean `ritornello keys {near[0]}`?" if near else "`ritornello keys --help`"
        say(f"usage: there is no `keys {word}`", f"  try: {hint}")
        sys.exit(ExitCode.USAGE)
    module = import_module(f"orchestrator.cli.key_verbs.{_MODULES[word]}")
    function: Callable[..., int] = getattr(module, f"keys_{word}")
    run_verb(f"keys {word}", function, rest)


def _overview() -> NoReturn:
    words = SUBVERBS["keys"]
    width = max(map(len, words))
    emit("Usage: ritornello keys WORD [OPTIONS] ...\n")
    emit("Keys that sign, and keys that are trusted. No key is made unless it is asked for.\n")
    for word, text in words.items():
        emit(f"  {word:{width}}  {text}")
    emit("\n  Examples:")
    emit("    ritornello keys new alice")
    emit("    ritornello keys trust alice.pub")
    emit("    ritornello keys list")
    emit("\n`ritornello keys WORD --help` says more.")
    sys.exit(ExitCode.OK)
