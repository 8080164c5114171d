"""Workflows: coroutine functions that can be recorded, and found and replayed again by name."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, Protocol, TypeVar, cast

import msgspec

from replay.errors import UsageError
from replay.log.workspace import DEFAULT_WORKSPACE
from replay.session.awaiting import in_place_or_awaited
from replay.session.forking.library import fork as fork_function
from replay.session.opening import open_run
from replay.session.record import record_program
from replay.session.record_start import first_record
from replay.session.replay import replay_log
from replay.session.resuming.resume import resume_program

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from replay.session.awaiting import Cancellation
    from replay.session.forking.report import Estimate, Fork
    from replay.session.record import Recording
    from replay.session.report import Report
    from replay.session.resuming.report import Resumption

__all__ = [
    "Workflow",
    "arguments_text",
    "call_with",
    "entry_name",
    "entry_text",
    "is_workflow",
    "workflow",
]

P = ParamSpec("P")
T = TypeVar("T")

_MARK: Final = "__ritornello_workflow__"


class Workflow(Protocol, Generic[P, T]):
    """What :func:`workflow` makes of a coroutine function; calling it is what it was."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Return the coroutine, unrecorded."""
        ...

    def record(
        self, *args: object, workspace: Path | str = DEFAULT_WORKSPACE, **kwargs: object
    ) -> Recording[T]:
        """Record one call. Arguments are plain JSON values, by place or by name.

        Like :func:`replay.record`, to be awaited in a running event loop.
        """
        ...

    def replay(self, run: str | Path, *, workspace: Path | str = DEFAULT_WORKSPACE) -> Report:
        """Replay a recorded call, with its recorded arguments; as :func:`replay.replay`."""
        ...

    def resume(self, run: str, *, workspace: Path | str = DEFAULT_WORKSPACE) -> Resumption[T]:
        """Let a recorded call go on that stopped; as :func:`replay.resume`."""
        ...

    def fork(
        self,
        run: str | Path,
        *,
        workspace: Path | str = DEFAULT_WORKSPACE,
        at: int | None = None,
        approve: Callable[[Estimate], bool] | None = None,
        secret_to: Iterable[str] = (),
    ) -> Fork[T]:
        """Make a new run of a recorded call after a change; as :func:`replay.fork`."""
        ...


def workflow(function: Callable[P, Coroutine[Any, Any, T]]) -> Workflow[P, T]:
    """Mark a coroutine function as something that is recorded and replayed as a whole.

    ``ritornello run FILE.py`` finds it by the mark. It stays the function it was.

    Raises:
        UsageError: it is not a coroutine function.
    """
    if not inspect.iscoroutinefunction(function):
        raise UsageError("a workflow is an `async def` function", where=entry_name(function))

    def record(
        *args: object, workspace: Path | str = DEFAULT_WORKSPACE, **kwargs: object
    ) -> Recording[T]:
        text = arguments_text(function, args, kwargs)
        return in_place_or_awaited(
            "record",
            lambda cancellation: record_program(
                lambda: asyncio.run(call_with(function, text)),
                workspace=workspace,
                entry=entry_name(function),
                arguments=(text,),
                cancellation=cancellation,
            ),
        )

    def replay(run: str | Path, *, workspace: Path | str = DEFAULT_WORKSPACE) -> Report:
        def work(cancellation: Cancellation) -> Report:
            reader = open_run(run, workspace=workspace)
            try:
                recorded = first_record(reader).arguments
                text = recorded[0] if recorded else ""
                return replay_log(
                    reader,
                    lambda: asyncio.run(call_with(function, text)),
                    cancellation=cancellation,
                )
            finally:
                reader.close()

        return in_place_or_awaited("replay", work)

    def resume(run: str, *, workspace: Path | str = DEFAULT_WORKSPACE) -> Resumption[T]:
        def work(cancellation: Cancellation) -> Resumption[T]:
            reader = open_run(run, workspace=workspace)
            try:
                recorded = first_record(reader).arguments
            finally:
                reader.close()
            text = recorded[0] if recorded else ""
            return resume_program(
                lambda: asyncio.run(call_with(function, text)),
                run,
                workspace=workspace,
                cancellation=cancellation,
            )

        return in_place_or_awaited("resume", work)

    def fork(
        run: str | Path,
        *,
        workspace: Path | str = DEFAULT_WORKSPACE,
        at: int | None = None,
        approve: Callable[[Estimate], bool] | None = None,
        secret_to: Iterable[str] = (),
    ) -> Fork[T]:
        reader = open_run(run, workspace=workspace)
        try:
            recorded = first_record(reader).arguments
        finally:
            reader.close()
        text = recorded[0] if recorded else ""
        return fork_function(
            run,
            lambda: call_with(function, text),
            workspace=workspace,
            at=at,
            approve=approve,
            secret_to=secret_to,
        )

    # Attributes of the function itself: it stays a coroutine function for whoever looks.
    faces = {"record": record, "replay": replay, "resume": resume, "fork": fork}
    vars(function).update({**faces, _MARK: True})
    return cast("Workflow[P, T]", function)


def is_workflow(value: object) -> bool:
    """Return whether a value was marked by :func:`workflow`."""
    return inspect.isfunction(value) and _MARK in vars(value)


def arguments_text(
    function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> str:
    """Return a call's arguments as JSON: a list if all are by place, otherwise an object.

    Raises:
        UsageError: they do not fit the function, or are not plain JSON values.
    """
    try:
        signature = inspect.signature(function)
        signature.bind(*args, **kwargs)
        plain: object = list(args)
        if kwargs:
            named = list(signature.parameters.values())[: len(args)]
            if any(p.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD for p in named):
                raise TypeError("by place and by name at once, for a function with *args or /")  # noqa: TRY301
            plain = {**dict(zip(signature.parameters, args, strict=False)), **kwargs}
        text = msgspec.json.encode(plain)
        if _lossy(plain, msgspec.json.decode(text)):
            raise TypeError("a value would come back as another")  # noqa: TRY301
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"these arguments cannot be recorded: {error}",
            where=entry_name(function),
            hint="pass text, numbers, booleans, None, lists and dictionaries of them",
        ) from None
    return text.decode()


def call_with(function: Callable[..., Coroutine[Any, Any, T]], text: str) -> Coroutine[Any, Any, T]:
    """Call a function with recorded arguments.

    Raises:
        UsageError: the text is no JSON, or the function does not take them.
    """
    try:
        plain: list[Any] | dict[str, Any] = (
            msgspec.json.decode(text, type=list[Any] | dict[str, Any]) if text else []
        )
        args = plain if isinstance(plain, list) else []
        kwargs = plain if isinstance(plain, dict) else {}
        inspect.signature(function).bind(*args, **kwargs)
    except (TypeError, msgspec.MsgspecError) as error:
        raise UsageError(
            f"the function does not take these arguments: {error}", where=entry_name(function)
        ) from None
    return function(*args, **kwargs)


def entry_name(function: object) -> str:
    """Return ``file.py:qualname`` of a function, or of what it wraps as a decorator's."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    with contextlib.suppress(ValueError):  # it wraps itself
        function = inspect.unwrap(function) if callable(function) else function
    code = getattr(function, "__code__", None)
    if code is None:
        return f"{getattr(function, '__module__', '?')}:{name}"
    return entry_text(code.co_filename, name)


def entry_text(file: str, name: str) -> str:
    """Return ``file.py:name``; the file relative to the working directory if it lies there."""
    path, here = Path(file), Path.cwd()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{name}"


def _lossy(value: object, decoded: object) -> bool:
    """Whether JSON gave back another value: a tuple as a list, a number as text, a key as text."""
    if isinstance(value, dict) and isinstance(decoded, dict):
        return list(value) != list(decoded) or any(_lossy(value[k], decoded[k]) for k in value)
    if isinstance(value, list) and isinstance(decoded, list):
        return any(map(_lossy, value, decoded))
    return type(value) is not type(decoded) or value != decoded
