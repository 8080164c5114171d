"""What logs and kept heads say of when the statements about a run were signed, for a decision.

The one invariant: which heads are believed is a matter of the person's own configuration and
memory. Nothing that comes with a run can bring one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.gate.decisions import read_bounded
from orchestrator.cli.gate.trust_layers import PINS_NAME
from orchestrator.cli.key_verbs.user_places import config_directory, state_directory

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
        PolicyError: when asked, the file of pins cannot be read.
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
    """Return the heads that the person at hand keeps."""
    from attestations.admission.pins import PINS_SIZE_MAX, read_pins
    from attestations.anchors import read_pin
    from orchestrator.cli.evidence.anchoring import Anchors

    file = config_directory() / PINS_NAME
    if not os.path.lexists(file):
        return Anchors(memory=state_directory())
    named = read_pins(read_bounded(file, PINS_SIZE_MAX), str(file)).heads
    paths = [file.parent / Path(each).expanduser() for each in named]
    return Anchors(
        memory=state_directory(), pins=tuple((str(path), read_pin(path)) for path in paths)
    )
