"""The library's face: record a function, replay it, and say what runs again."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from replay.errors import UsageError
from replay.log.stored_run import StoredRun
from replay.log.workspace import DEFAULT_WORKSPACE, Workspace
from replay.session.awaiting import in_place_or_awaited
from replay.session.keyed import KeyedReport
from replay.session.keyed import replay_keyed as session_keyed
from replay.session.opening import open_run
from replay.session.record import Recording, record_program
from replay.session.replay import replay_log
from replay.session.resuming.report import Choices, Resumption
from replay.session.resuming.resume import resume_program

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from replay.bundle.reader import BundleReader
    from replay.doors.dialect import Dialect
    from replay.session.awaiting import Cancellation
    from replay.session.report import Report

__all__ = [
    "entry_of",
    "opened",
    "record",
    "replay",
    "replay_keyed",
    "resume",
    "runnable",
]

T = TypeVar("T")


@overload
def record(
    main: Callable[[], Coroutine[Any, Any, T]],
    *,
    workspace: Path | str = ...,
    dialects: tuple[Dialect, ...] | None = ...,
    seed: bytes | None = ...,
) -> Recording[T]: ...


@overload
def record(
    main: Callable[[], T],
    *,
    workspace: Path | str = ...,
    dialects: tuple[Dialect, ...] | None = ...,
    seed: bytes | None = ...,
) -> Recording[T]: ...


def record(
    main: Callable[[], Any],
    *,
    workspace: Path | str = DEFAULT_WORKSPACE,
    dialects: tuple[Dialect, ...] | None = None,
    seed: bytes | None = None,
) -> Recording[Any]:
    """Run a function and record it; a coroutine function as ``asyncio.run(main())`` would.

    In a running event loop it has to be awaited: ``await replay.record(main)``. The run then has
    a thread and a loop of its own, and many may be under way at once. If the task that awaits it is
    cancelled, the main task of the run is, once, and awaited; that is an input on record.

    Args:
        main: a function without arguments, asynchronous or not.
        workspace: directory that holds the runs.
        dialects: readings of provider exchanges; those installed, if not given.
        seed: 16 bytes that all seeds of the run derive from; from the system if not given.

    Returns:
        The sealed run; ``result()`` gives what the function returned, or raises what it raised.

    Raises:
        LogError: the log cannot be written; nothing that depended on it left the process.
        UsageError: the caller is part of a run, or another run is on stage and cannot share it.
    """
    program = runnable(main)
    return in_place_or_awaited(
        "replay.record",
        lambda cancellation: record_program(
            program,
            workspace=workspace,
            entry=entry_of(main),
            dialects=dialects,
            seed=seed,
            cancellation=cancellation,
        ),
    )


def replay(
    run: str | Path | Recording[Any],
    main: Callable[[], object],
    *,
    workspace: Path | str = DEFAULT_WORKSPACE,
    dialects: tuple[Dialect, ...] | None = None,
    out: Path | None = None,
) -> Report:
    """Run a recorded function again on its recorded inputs and compare every consequence.

    In a running event loop it has to be awaited: ``await replay.replay(run, main)``.

    Args:
        run: a recording, a run id or a unique beginning of one, ``last``, or a bundle's path.
        main: the function that was recorded, as it is now.
        workspace: directory that holds the runs.
        dialects: readings of provider exchanges; those installed, if not given.
        out: an absent or empty directory that takes the files which the function writes; they go
            with the replay, if not given.

    Raises:
        NotFoundError: there is no such run or bundle.
        IntegrityError: the record cannot be read at all.
    """
    program = runnable(main)

    def work(cancellation: Cancellation) -> Report:
        reader = opened(run, workspace)
        try:
            return replay_log(
                reader,
                program,
                dialects=dialects,
                cancellation=cancellation,
                out=out,
            )
        finally:
            reader.close()

    return in_place_or_awaited("replay.replay", work)


def resume(
    run: str | Recording[Any],
    main: Callable[[], Any],
    *,
    workspace: Path | str = DEFAULT_WORKSPACE,
    again: Iterable[int] = (),
    fail: Iterable[int] = (),
    secret_to: Iterable[str] = (),
    dialects: tuple[Dialect, ...] | None = None,
) -> Resumption[Any]:
    """Let a run go on that stopped without a seal, where its record ends.

    The function runs on its recorded inputs first, and each consequence is compared; behind them
    the world answers, and the run is sealed. In a running event loop it has to be awaited.

    Args:
        run: a run id or a unique beginning of one, or ``last``.
        main: the function that was recorded, as it is now.
        workspace: directory that holds the runs.
        again: seqs of effects in flight that are done again, whatever they declare.
        fail: seqs of effects in flight that fail in the program.
        secret_to: hosts that may get secrets, though the record does not show that they had them.
        dialects: readings of provider exchanges; those installed, if not given.

    Returns:
        What came of it. ``result()`` gives what the function returned; where the run did not go
        on, ``report`` says why, and nothing of it was changed.

    Raises:
        NotFoundError: there is no such run, or the value of a secret is not there.
        UsageError: the run is sealed, or came from elsewhere.
        ResumeError: a file, or a host that would get a secret, is not what it was.
        IntegrityError: the record is damaged.
        LogError: the run is being written, or cannot be.
    """
    program = runnable(main)
    name = run.run_id if isinstance(run, Recording) else run
    choices = Choices(again=frozenset(again), fail=frozenset(fail), secret_to=frozenset(secret_to))
    return in_place_or_awaited(
        "replay.resume",
        lambda cancellation: resume_program(
            program,
            name,
            workspace=workspace,
            choices=choices,
            dialects=dialects,
            cancellation=cancellation,
        ),
    )


def replay_keyed(
    run: str | Path | Recording[Any],
    main: Callable[[], Coroutine[Any, Any, T]],
    *,
    workspace: Path | str = DEFAULT_WORKSPACE,
    dialects: tuple[Dialect, ...] | None = None,
) -> KeyedReport[T]:
    """Run a function on recorded answers by identity, in whatever order it asks now.

    Each named task gets its own recorded answers; a task that is not what it was stops the
    replay where it is spawned. For forensics: the result is never ``identical``. In a running event
    loop it has to be awaited.

    Args:
        run: a recording, a run id or a unique beginning of one, ``last``, or a bundle's path.
        main: the function, as it is now.
        workspace: directory that holds the runs.
        dialects: readings of provider exchanges; those installed, if not given.

    Raises:
        NotFoundError: there is no such run or bundle.
        IntegrityError: the record cannot be read at all.
    """
    program = runnable(main)

    def work(cancellation: Cancellation) -> KeyedReport[T]:
        reader = opened(run, workspace)
        try:
            return session_keyed(reader, program, dialects=dialects, cancellation=cancellation)
        finally:
            reader.close()

    return in_place_or_awaited("replay.replay_keyed", work)


def opened(run: str | Path | Recording[Any], workspace: Path | str) -> StoredRun | BundleReader:
    """Open a run as :func:`replay.session.opening.open_run` does, or one that was just recorded."""
    if isinstance(run, Recording):
        return StoredRun.of(Workspace(run.directory.parents[1]), run.directory)
    return open_run(run, workspace=workspace)


def runnable(main: Any) -> Callable[[], Any]:
    """Return what runs a function: in a loop of its own, if it is a coroutine function.

    Raises:
        UsageError: it was called already.
    """
    if inspect.iscoroutine(main):
        main.close()
        raise UsageError(
            "a coroutine was given where a function is wanted",
            hint="pass the function itself: replay.record(main), not replay.record(main())",
        )

    def program() -> Any:
        value = main()
        return asyncio.run(value) if inspect.iscoroutine(value) else value

    return program


def entry_of(function: object) -> str:
    """Return ``file.py:qualname`` of a function, for finding it again."""
    code = getattr(function, "__code__", None)
    file = code.co_filename if code is not None else getattr(function, "__module__", "?")
    return f"{file}:{getattr(function, '__qualname__', type(function).__qualname__)}"
