"""The tree of verbs. It imports nothing, so that help is there at once."""

from __future__ import annotations

from typing import Final

__all__ = ["VERBS", "overview"]

#: Verb: the module that does it, and what it does.
VERBS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo", "see it work: record, replay and tamper with a run, offline, without a key"),
    "record": ("record", "run a Python program and record it"),
    "run": ("run", "record a workflow: a coroutine function of a file"),
    "replay": ("replay", "run a recorded program again and compare every consequence"),
    "resume": ("resume", "let a run go on that stopped without a seal"),
    "verify": ("verify", "check the evidence of a run, or of the workspace"),
    "runs": ("runs", "list the runs of the workspace"),
    "show": ("show", "show what a run was, how it ended and what it spent"),
    "events": ("events", "list the records of a run, or say which of two came first"),
    "diff": ("diff", "compare two runs: the first divergence by causes, and what follows from it"),
    "export": ("export", "write a run as one file"),
    "import": ("import_bundle", "take a run from a file into the workspace"),
    "scan": ("scan", "look for secrets in bundles, runs and files"),
    "doctor": ("doctor", "say what works here and what does not"),
    "schema": ("schema", "print the JSON Schema of what `events --jsonl` prints"),
}

_CODES: Final = """\
Exit codes: 0 ok or identical, 1 different or check failed, 2 usage, 3 damaged or tampered,
4 not found or configuration, 6 refused, 7 provider, 70 our mistake, 125 cannot be judged,
130 interrupted, 141 the reader closed the pipe.
"""


def overview() -> str:
    """Return what `ritornello --help` prints."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:{width}}  {text}" for verb, (_, text) in VERBS.items()]
    return (
        "Usage: ritornello VERB [OPTIONS] ...\n\n"
        "Record an LLM workflow, keep it as evidence, replay it bit for bit.\n\n"
        + "\n".join(lines)
        + "\n\n`ritornello VERB --help` says more and has examples. Try `ritornello demo` first.\n"
        + _CODES
    )
