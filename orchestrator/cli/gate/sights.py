"""What logs and kept heads say of when the statements about a run were signed, for a decision.

The one invariant: which heads are believed is a matter of the person's own configuration and
memory. Nothing that comes with a run can bring one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from attestations.errors import PolicyError
from orchestrator.cli.gate.trust_layers import PINS_NAME, pins_here
from orchestrator.cli.key_verbs.user_places import state_directory
from replay.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.cli.evidence.anchoring import Anchors
    from orchestrator.cli.evidence.earlier import Earlier, Logged
    from replay.log.excerpt import Excerpt
    from replay.log.workspace import Workspace

__all__ = ["earlier_in"]


def earlier_in(
    excerpts: Callable[[], Iterable[Excerpt]], run: str, home: Workspace | None = None
) -> Earlier:
    """Return what is known of when the statements about a run were signed.

    Nothing is read before it is asked, which is when a verified statement is at hand.

    Args:
        excerpts: gives what came with the run; it was checked.
        run: the run's id.
        home: the workspace that has the run, if one has.

    Raises:
        PolicyError: when asked, the file of pins cannot be read, wants more witnesses than it
            names, or names a key that is none's.
        StateError: a head that it names is none.
    """
    from orchestrator.cli.evidence.earlier import Earlier, logged_here, logged_in

    def logs() -> Iterator[Logged]:
        anchors = _kept()
        yield from logged_in(excerpts(), run, anchors)
        if home is not None:
            yield from logged_here(home, run, anchors)

    return Earlier(logs)


def _kept() -> Anchors:
    """Return the heads that the person at hand keeps, and the witnesses that they name."""
    from orchestrator.cli.evidence.anchoring import Anchors, read_anchors

    found = pins_here()
    if found is None:
        return Anchors(memory=state_directory())
    base, named = found
    try:
        return read_anchors(
            memory=True,
            pins=[base / Path(each).expanduser() for each in named.heads],
            roots=(),
            log_keys=(),
            witnesses=named.witnesses,
            threshold=named.witnesses_needed,
        )
    except UsageError as error:
        what = f"{error.where}: {error.message}".lstrip(": ")
        raise PolicyError(what, where=str(base / PINS_NAME)) from None
