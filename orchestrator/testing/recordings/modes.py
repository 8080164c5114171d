"""What is done with a test that is marked as a recorded run: replay it, record it, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

__all__ = ["MODES", "Mode", "Step", "default_mode", "first_step", "records_what_differs"]

#: ``none``: replay; without a recording, fail. ``once``: replay; without a recording, record.
#: ``new``: as ``once``, and record anew where the replay differs. ``rewrite``: record, whatever is
#: there; ``all`` is another word for it. ``off``: run live and record nothing.
Mode: TypeAlias = Literal["none", "once", "new", "all", "rewrite", "off"]
Step: TypeAlias = Literal["replay", "record", "live", "missing"]

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
_NO: Final = frozenset({"", "0", "false", "no", "off"})


def default_mode(environment: Mapping[str, str]) -> Mode:
    """Return the mode where nobody says one: ``none`` in CI, else ``once``."""
    return "once" if environment.get("CI", "").lower() in _NO else "none"


def first_step(mode: Mode, *, is_recorded: bool) -> Step:
    """Return what is done first with a test."""
    if mode == "off":
        return "live"
    if mode in {"all", "rewrite"}:
        return "record"
    if is_recorded:
        return "replay"
    return "missing" if mode == "none" else "record"


def records_what_differs(mode: Mode) -> bool:
    """Return whether a test is recorded anew when its replay differs."""
    return mode == "new"
