"""Writes what is answered into docs/reference/answers.md, or says that the page is old.

The page has a generated part between two marks; all else on it is written by hand. The source is
the code: the openings of the reading doors, and what they name as not answered. Run
``python -m tools.answers_reference --write`` on Linux after a change there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from replay.doors.surroundings.answering import KEPT
from replay.doors.surroundings.readings import NOT_ANSWERED, all_openings

__all__ = ["PAGE", "check_page", "generated", "rewritten"]

PAGE: Final = Path("docs/reference/answers.md")
_START: Final = "<!-- generated: python -m tools.answers_reference --write -->"
_END: Final = "<!-- end of the generated part -->"


def generated() -> str:
    """The generated part: what is answered, and what is not."""
    lines = ["## Functions", "", "| function | source in the record | asked |", "|---|---|---|"]
    for opening in sorted(all_openings(), key=lambda each: each.name):
        once = opening.source.startswith((KEPT, "env"))
        asked = "once a run for each argument" if once else "each time"
        lines.append(f"| `{opening.name}` | `{opening.source}` | {asked} |")
    lines += ["", "## Not answered", "", "| what | why |", "|---|---|"]
    lines += [f"| {what} | {why} |" for what, why in NOT_ANSWERED.items()]
    return "\n".join(lines)


def rewritten(text: str) -> str:
    """The page with its generated part made anew.

    Raises:
        ValueError: the page lacks one of the two marks.
    """
    before, start, rest = text.partition(_START)
    _, end, after = rest.partition(_END)
    if not start or not end:
        raise ValueError(f"{PAGE} lacks the marks of its generated part")
    return f"{before}{start}\n\n{generated()}\n\n{end}{after}"


def check_page(root: Path) -> bool:
    """Whether the page says what the code says."""
    text = (root / PAGE).read_text(encoding="utf-8")
    return rewritten(text) == text


def main() -> int:
    """Checks the page, or with ``--write`` writes it."""
    page = Path.cwd() / PAGE
    if "--write" in sys.argv[1:]:
        page.write_text(rewritten(page.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    current = check_page(Path.cwd())
    print(f"{PAGE}: {'current' if current else 'old; run with --write'}")
    return 0 if current else 1


if __name__ == "__main__":
    sys.exit(main())
