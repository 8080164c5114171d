"""The library's face of forks."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from replay.log.workspace import DEFAULT_WORKSPACE
from replay.session.api import opened, runnable
from replay.session.awaiting import in_place_or_awaited
from replay.session.foreign import is_foreign
from replay.session.forking.fork import beginning, fork_program, look_ahead
from replay.session.forking.report import Beginning, Fork, ForkChoices, ForkReport
from replay.session.record import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from replay.doors.dialect import Dialect
    from replay.session.awaiting import Cancellation
    from replay.session.forking.report import Estimate, ForkVerdict

__all__ = ["fork"]


def fork(
    run: str | Path | Recording[Any],
    main: Callable[[], Any],
    *,
    workspace: Path | str = DEFAULT_WORKSPACE,
    at: int | None = None,
    approve: Callable[[Estimate], bool] | None = None,
    secret_to: Iterable[str] = (),
    dialects: tuple[Dialect, ...] | None = None,
) -> Fork[Any]:
    """Make a new run from a recorded one, after a change of its function.

    Up to the first difference the new run is the recorded one; behind it each question that was
    asked then gets its recorded answer, and only what is new goes out. The function runs three
    times: to find the difference, to see what would go out, and for the fork. In a running event
    loop it has to be awaited.

    Args:
        run: a recording, a run id or a unique beginning of one, ``last``, or a bundle's path.
        main: the function that was recorded, as it is now.
        workspace: directory that holds the runs, and gets the fork.
        at: the last event that both runs have; all behind it is asked anew. Found out, if not
            given.
        approve: is told what would go out at least before anything does, and says whether it may.
            It may, if not given.
        secret_to: hosts that may get secrets, though the record does not show that they had them.
        dialects: readings of provider exchanges; those installed, if not given.

    Returns:
        What came of it. ``result()`` gives what the function returned; where there is no fork,
        ``report`` says why. The recorded run stays as it is.

    Raises:
        NotFoundError: there is no such run or bundle, or the value of a secret is not there.
        UsageError: there is no such event, or the run stopped without a seal and is what it was.
        ForkError: a host would get a secret that it did not have, or the run cannot be forked.
        IntegrityError: the record is damaged.
        LogError: the log of the fork cannot be written.
    """
    program = runnable(main)
    foreign = not isinstance(run, Recording) and is_foreign(run, workspace)

    def work(cancellation: Cancellation) -> Fork[Any]:
        with contextlib.closing(opened(run, workspace)) as reader:
            if at is None:
                found = beginning(reader, program, dialects=dialects)
            else:
                found = Beginning(position=at + 1)
            choices = ForkChoices(
                position=found.position,
                anew=at is not None,
                foreign=foreign,
                secret_to=frozenset(secret_to),
            )
            if found.is_unchanged:
                return _none("unchanged", found.run, found.position)
            look = look_ahead(
                reader,
                program,
                msgspec.structs.replace(choices, dry=True),
                workspace=workspace,
                dialects=dialects,
            )
            if look.verdict != "ready":
                report = _none(look.verdict, look.run, look.position).report
                told = {"divergence": look.divergence, "notes": look.notes}
                return Fork(msgspec.structs.replace(report, **told), None)
            if approve is not None and not approve(look):
                return _none("declined", look.run, look.position)
            return fork_program(
                reader,
                program,
                choices,
                workspace=workspace,
                dialects=dialects,
                cancellation=cancellation,
            )

    return in_place_or_awaited("replay.fork", work)


def _none(verdict: ForkVerdict, run: str, position: int) -> Fork[Any]:
    """Return a report on why there is no fork."""
    return Fork(ForkReport(verdict=verdict, forked_from=run, position=position), None)
