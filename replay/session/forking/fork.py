"""Forking: a new run from a recorded one, live only where the program was changed.

Three runs of the program. The first, a replay, finds the position up to which nothing differs; the
second, dry, finds what would go live; the third is the fork. The one invariant: before the third
nothing live happens, and no byte of the recorded run ever changes.
"""

from __future__ import annotations

import atexit
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from replay.doors.context import current
from replay.doors.state.adapters import absent_adapters, active
from replay.errors import IntegrityError, UsageError
from replay.files.overlay import Overlay
from replay.guard.process import ProcessGuard, is_guarded
from replay.log.named_heads import check_run
from replay.log.workspace import Workspace
from replay.session.extensions import load_adapters, load_dialects
from replay.session.forking.prefix import ForkLog, Prefix
from replay.session.forking.report import Beginning, Estimate, Fork, beginning_by
from replay.session.forking.session import ForkedSession
from replay.session.patience import Patience
from replay.session.record_start import absent_dialects
from replay.session.replay import replay_log
from replay.session.resuming.resume import refuse_other_engine
from replay.session.sharing import on_stage
from replay.sources.recollection import Recollection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replay.doors.dialect import Dialect
    from replay.log.port import LogReader
    from replay.session.awaiting import Cancellation
    from replay.session.forking.report import ForkChoices, ForkReport

__all__ = ["beginning", "fork_program", "look_ahead"]

T = TypeVar("T")


def beginning(
    reader: LogReader,
    program: Callable[[], object],
    *,
    dialects: tuple[Dialect, ...] | None = None,
) -> Beginning:
    """Return where a program leaves the record of a run, by a replay of it.

    Args:
        reader: the recorded run.
        program: what was recorded, as it is now, to be run on this thread.
        dialects: readings of provider exchanges; those installed, if not given.

    Raises:
        ForkError: that cannot be said.
        UsageError: the run stopped without a seal, and the program does not leave it at all.
        IntegrityError: the record is damaged.
    """
    return beginning_by(reader, replay_log(reader, program, dialects=dialects))


def look_ahead(
    reader: LogReader,
    program: Callable[[], object],
    choices: ForkChoices,
    *,
    workspace: Path | str,
    dialects: tuple[Dialect, ...] | None = None,
    guard: ProcessGuard | None = None,
    give_up: Callable[[Estimate], None] | None = None,
) -> Estimate:
    """Say what a fork would send at least, without sending anything.

    Args:
        reader: the recorded run.
        program: what was recorded, as it is now, to be run on this thread.
        choices: where the fork begins.
        workspace: directory that would hold it.
        dialects: readings of provider exchanges; those installed, if not given.
        guard: refuses ways out.
        give_up: takes the estimate of a program that was stopped and does not end, on another
            thread; it ends the process.

    Raises:
        UsageError: there is no such position, or the run was recorded by another engine.
        ForkError: a secret would go to a host that did not have it.
        NotFoundError: the value of a secret is not there.
    """
    size = reader.size()
    with contextlib.ExitStack() as stack:
        session: ForkedSession[object] = stack.enter_context(
            _session(reader, choices, workspace, dialects, guard)
        )
        if give_up is not None:
            tell = give_up
            stack.enter_context(Patience(session.scheduler, lambda: tell(session.estimated(size))))
        return session.look(program, size)


def fork_program(
    reader: LogReader,
    program: Callable[[], T],
    choices: ForkChoices,
    *,
    workspace: Path | str,
    dialects: tuple[Dialect, ...] | None = None,
    cancellation: Cancellation | None = None,
    guard: ProcessGuard | None = None,
    give_up: Callable[[ForkReport], None] | None = None,
    sources: Callable[[], list[str]] | None = None,
) -> Fork[T]:
    """Make a new run from a recorded one; live only what that does not answer.

    Args:
        reader: the recorded run.
        program: what was recorded, as it is now, to be run on this thread.
        choices: where the fork begins.
        workspace: directory that holds it.
        dialects: readings of provider exchanges; those installed, if not given.
        cancellation: by which another thread asks the run to end, once it is live.
        guard: refuses ways out before the fork is live.
        give_up: takes the report on a program that was stopped and does not end, on another
            thread; it ends the process.
        sources: gives the program's own source files once it has ended; those that the function
            reaches, if not given.

    Raises:
        UsageError: there is no such position, or the run was recorded by another engine.
        ForkError: a secret would go to a host that did not have it, or a file cannot be written.
        NotFoundError: the value of a secret is not there.
        LogError: the log cannot be written.
    """
    with contextlib.ExitStack() as stack:
        session: ForkedSession[T] = stack.enter_context(
            _session(reader, choices, workspace, dialects, guard)
        )
        session.sources = sources
        if cancellation is not None:
            cancellation.listen(session.cancel)
        if give_up is not None:
            tell = give_up

            def told() -> None:
                tell(session.reported(session.judge(session.scheduler.halted)))

            stack.enter_context(Patience(session.scheduler, told))
        return session.fork(program)


@contextlib.contextmanager
def _session(
    reader: LogReader,
    choices: ForkChoices,
    workspace: Path | str,
    dialects: tuple[Dialect, ...] | None,
    guard: ProcessGuard | None,
) -> Iterator[ForkedSession[T]]:
    if current() is not None or is_guarded():
        raise UsageError("a run is being recorded or replayed already")
    checked = check_run(reader)
    if checked.integrity != "ok":
        raise IntegrityError(
            f"the record is damaged: {checked.findings[0].message}",
            hint="`ritornello verify` names everything that is wrong",
        )
    prefix = Prefix(reader, choices.position, checked.root)
    refuse_other_engine(prefix.started)
    found = load_dialects() if dialects is None else dialects
    adapted = load_adapters()
    absent = absent_dialects(prefix.started, found) or absent_adapters(
        prefix.started.adapters, adapted
    )
    if absent:
        raise UsageError(absent, hint="install them, and fork again")
    recollection = Recollection(reader, choices.position, anew=choices.anew)
    place = Workspace.open(Path(workspace))
    with on_stage() as shared, contextlib.closing(Overlay()) as overlay:
        log = ForkLog(prefix, place, choices.decided)
        atexit.register(log.close)
        try:
            session: ForkedSession[T] = ForkedSession(
                prefix,
                recollection,
                found,
                overlay,
                log,
                place,
                choices,
                guard or ProcessGuard(),
                shared=shared,
            )
            session.context.adapters = active(prefix.started.adapters, adapted)
            yield session
        finally:
            log.close()
            atexit.unregister(log.close)
