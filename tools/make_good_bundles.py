"""Records the golden bundles anew, from the real local model: `bundles/good`.

    python -m tools.make_good_bundles PLACE REVISION

Needs the model's packages (`make test-full` installs them) and an interpreter with what the
examples import. PLACE is an absent directory; its name comes to stand in the bundles, as does
everything else that the programs find, so they run there with hardly any
environment. What is recorded differs each time: golden is a bundle that is kept, not made again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
GOOD: Final = ROOT / "bundles" / "good"
#: Name, verb and words behind it, variables of its own.
PROGRAMS: Final[tuple[tuple[str, tuple[str, ...], dict[str, str], str], ...]] = (
    (
        "review",
        ("run", "examples/review/review.py", '{{"revision": "{revision}"}}'),
        {},
        "three reviewers of a real diff of this repository, streaming in parallel",
    ),
    (
        "newsroom",
        ("record", "--", sys.executable, "examples/frameworks/newsroom.py"),
        {"NEWSROOM_MODEL": "smollm2", "NEWSROOM_MAX_TOKENS": "24"},
        "LangGraph, pydantic-ai and raw streams in one loop, unmodified",
    ),
    (
        "interview",
        (
            "record",
            "--",
            sys.executable,
            "examples/interview/interview.py",
            "examples/interview/questions.txt",
            "answers.md",
        ),
        {},
        "no loop: threads, files, the clock, chance, and one stream",
    ),
)


def main(place: Path, revision: str) -> None:
    """Record each program in a clone at ``place`` and export it.

    Args:
        place: an absent directory.
        revision: the commit that the review reads.
    """
    clone = place / "ritornello"
    place.mkdir(parents=True)
    # The history for the review, and the examples: not the packages, which are the engine's.
    subprocess.run(["git", "clone", "-q", "--no-checkout", str(ROOT), str(clone)], check=True)
    shutil.copytree(ROOT / "examples", clone / "examples")
    GOOD.mkdir(exist_ok=True)
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "examples/review/local_model.py")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        made = {
            f"{name}.ritornello": _record(name, words, clone, revision, address, extra, about)
            for name, words, extra, about in PROGRAMS
        }
    finally:
        server.terminate()
        server.wait()
    index = json.dumps({"bundles": made}, indent=1, sort_keys=True)
    (GOOD / "INDEX.json").write_text(index + "\n")


def _record(
    name: str,
    words: tuple[str, ...],
    clone: Path,
    revision: str,
    address: str,
    extra: dict[str, str],
    about: str,
) -> dict[str, object]:
    environment = {
        "HOME": str(clone.parent),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "ANTHROPIC_BASE_URL": address,
        "ANTHROPIC_API_KEY": "sk-local-0123456789abcdef",
        **extra,
    }
    filled = [word.format(revision=revision) if "{" in word else word for word in words]
    target = GOOD / f"{name}.ritornello"
    _ritornello(filled, clone, environment)
    _ritornello(["export", "last", "-o", str(target), "--force"], clone, environment)
    shown = json.loads(_ritornello(["verify", str(target), "--json"], clone, environment))
    return {"about": about, "events": shown["events"], "root": shown["root"]}


def _ritornello(words: list[str], cwd: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *words],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    os.umask(0o022)
    main(Path(sys.argv[1]), sys.argv[2])
