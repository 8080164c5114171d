"""The tree of verbs. It imports nothing, so that help is there at once."""

from __future__ import annotations

from typing import Final

__all__ = ["SUBVERBS", "VERBS", "overview"]

#: Verb: the module that does it, and what it does.
VERBS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo", "see it work: record, replay and tamper with a run, offline, without a key"),
    "record": ("record", "run a Python program and record it"),
    "run": ("run", "record a workflow: a coroutine function of a file"),
    "replay": ("replay", "run a recorded program again and compare every consequence"),
    "resume": ("resume", "let a run go on that stopped without a seal"),
    "fork": ("fork", "make a new run of a changed program; only what changed goes live"),
    "verify": ("verify", "check the evidence of a run, or of the workspace"),
    "runs": ("runs", "list the runs of the workspace"),
    "show": ("show", "show what a run was, how it ended and what it spent"),
    "events": ("events", "list the records of a run, or say which of two came first"),
    "diff": ("diff", "compare two runs: the first divergence by causes, and what follows from it"),
    "export": ("export", "write a run as one file"),
    "prove": ("prove", "write one event as a file that is checked without the rest of the run"),
    "report": ("report", "list what was asked of providers, to reconcile with their invoice"),
    "pin": ("pin", "write the head of a run as a small file, to be kept elsewhere"),
    "anchor": ("anchor", "have the head of a run stamped or cosigned by somebody else"),
    "witness": ("witness", "cosign the heads of others' logs, each only if it continues the last"),
    "import": ("import_bundle", "take a run from a file into the workspace"),
    "policy": ("policy", "say what policies ask for, and what they would decide"),
    "scan": ("scan", "look for secrets in bundles, runs and files"),
    "erase": ("erase", "erase a text from a run for good; its tree still verifies"),
    "hold": ("hold", "keep a run from being erased, and let go of it"),
    "retention": ("retention", "say which runs must stay, may go, or are overdue"),
    "attest": ("attest", "say what a run or a file is, signed so that others can rely on it"),
    "keys": ("keys", "make, list, trust, rotate and revoke keys"),
    "doctor": ("doctor", "say what works here and what does not"),
    "schema": ("schema", "print the JSON Schema of what `events --jsonl` prints"),
}

#: Verb of several words: each of them, and what it does.
SUBVERBS: Final[dict[str, dict[str, str]]] = {
    "keys": {
        "new": "make a key for statements, for checkpoints, or for a witness",
        "list": "list your keys, whom you trust, and what was revoked",
        "trust": "trust a public key, for one use",
        "rotate": "hand over from one key to another, on record in the workspace",
        "revoke": "end a key, on record in the workspace",
    },
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
