"""Entry of the command: help and version at once, a verb's module when it is used."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from orchestrator.cli.verbs import VERBS, overview

__all__ = ["main"]

_OPTIONS = ("--help", "--version")


def main() -> NoReturn:
    """Run the command and end the process."""
    try:
        try:
            _run()
        finally:
            # The answer stands: Ctrl-C while the interpreter ends is not to become another one.
            atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:  # while the verb's modules are loaded; the verb tells of its own
        sys.exit(130)
    except BrokenPipeError:  # nobody reads the help; what is left of it must not be written at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _run() -> NoReturn:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell closed it: `>&-`
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        getattr(sys, name).reconfigure(errors="backslashreplace")
    verb, *arguments = sys.argv[1:] or ["--help"]
    if verb in {"--help", "-h", "help"}:
        sys.stdout.write(overview())
        sys.stdout.flush()
        sys.exit(0)
    if verb == "--version":
        from replay.version import VERSION

        sys.stdout.write(f"ritornello {VERSION}\n")
        sys.stdout.flush()
        sys.exit(0)
    if verb not in VERBS:
        _refuse(verb)
    module = import_module(f"orchestrator.cli.{VERBS[verb][0]}")
    try:
        module.main(arguments)
    except SystemExit as end:
        # `git bisect` takes any code up to 127 but 125 for "bad": only 0 and 1 are an answer.
        own = arguments[: arguments.index("--")] if "--" in arguments else arguments
        if verb == "replay" and "--bisect" in own and end.code not in {0, 1, None}:
            sys.exit(125)
        raise
    sys.exit(0)


def _refuse(verb: str) -> NoReturn:
    from difflib import get_close_matches

    what, words = ("option", _OPTIONS) if verb.startswith("-") else ("verb", tuple(VERBS))
    near = get_close_matches(verb, words, n=1)
    hint = f"did you mean `ritornello {near[0]}`?" if near else "`ritornello --help` lists them"
    sys.stderr.write(f"usage: there is no {what} {verb!r}\n  try: {hint}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
