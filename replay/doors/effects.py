"""Effects: functions whose answer is recorded, and which do not run in a replay.

For what has no door of its own: a database, a subprocess, a device. Arguments and result are plain
data; a result goes through its recorded form while recording too, so the program gets the same
object both times. Outside a run an effect is an ordinary function.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import sys
from collections import deque
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, get_type_hints, overload
from weakref import WeakSet

import msgspec

from replay.doors.context import DoorContext, current
from replay.doors.failures import OutsideError, failure_of, rebuild
from replay.doors.waiting import Answer
from replay.errors import UsageError
from replay.events.kinds import EffectReturned, EffectStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from replay.doors.context import Post
    from replay.events.header import Outcome
    from replay.events.kinds import Payload
    from replay.recording.in_flight import OnResume
    from replay.recording.open_records import Asked

__all__ = ["effect", "is_effect", "plain_json"]

P = ParamSpec("P")
T = TypeVar("T")

VALUE_BYTES_MAX: Final = 64 << 20
#: Objects that are not data among the arguments of one task or effect.
_NAMED_MAX: Final = 1000
#: What was made an effect; asked by membership only, so no order shows.
_EFFECTS: Final[WeakSet[Any]] = WeakSet()


class _Names:
    """Names what is not data, as long as there is not too much of it."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _NAMED_MAX

    def __call__(self, value: object) -> dict[str, str]:
        self.left -= 1
        if self.left < 0:
            raise TypeError("objects of the program, and not data with some objects in it")
        return _by_type_name(value)


def _by_type_name(value: object) -> dict[str, str]:
    kind = type(value)
    return {"type": f"{kind.__module__}:{kind.__qualname__}"}


_SCALARS: Final = frozenset({str, int, float, bool, NoneType})
#: What :func:`_encode` does with scalars, without making a hook and an encoder for each call.
_encode_scalars: Final = msgspec.json.Encoder(order="deterministic").encode


def _encode(value: object) -> msgspec.Raw:
    # Sets come out sorted; what is not data comes out as its type, never as a repr with an address.
    return msgspec.Raw(msgspec.json.Encoder(enc_hook=_Names(), order="deterministic").encode(value))


def plain_json(values: dict[str, object]) -> msgspec.Raw:
    """Return JSON of values that are plain data; others appear by type name.

    A value through which thousands of objects can be reached appears by its own type name alone:
    frameworks pass such things to every task, and walking through them takes longer than the task.
    """
    try:
        return _encode(values)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _encode({k: _one(v) for k, v in values.items()})


def _one(value: object) -> object:
    try:
        return _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _by_type_name(value)


@overload
def effect(function: Callable[P, T]) -> Callable[P, T]: ...


@overload
def effect(
    *, name: str | None = None, on_resume: OnResume = "ask"
) -> Callable[[Callable[P, T]], Callable[P, T]]: ...


def effect(
    function: Callable[P, T] | None = None,
    *,
    name: str | None = None,
    on_resume: OnResume = "ask",
) -> Callable[P, T] | Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function an effect: recorded live, answered from the record in a replay.

    Args:
        function: a coroutine function or an ordinary one. It runs outside the schedule, on a
            thread of its own, and must not touch the program's state.
        name: the name in the record; the qualified name if not given.
        on_resume: what a resume does if a crash left it without an answer: call it ``again``,
            ``fail`` in the program, or ``ask`` whoever resumes the run.

    Returns:
        A function with the same signature.

    Raises:
        UsageError: when called in a run with a result that is not plain data; say what it is
            by a return annotation that msgspec can decode.
    """
    if function is None:
        return functools.partial(_make, name=name, on_resume=on_resume)
    return _make(function, name=name, on_resume=on_resume)


def _make(function: Callable[P, T], *, name: str | None, on_resume: OnResume) -> Callable[P, T]:
    if on_resume not in {"again", "fail", "ask"}:
        raise UsageError("on_resume is again, fail or ask", where=function.__qualname__)
    spec = _Spec(function, name, on_resume)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call(*args: P.args, **options: P.kwargs) -> Any:
            context = current()
            if context is None:
                sys.audit("replay.effect", spec.name)  # a guard may know that it must not run here
                return await function(*args, **options)
            recorder = context.recorder
            started = spec.started(args, options)
            answer = Answer(asyncio.get_running_loop())
            asked = recorder.ask(started, None, answer)
            cancel = None
            if context.world.begins:
                cancel = _begin(spec, context, asked, _own(args), _own(options))
            try:
                payload = await answer.come
            except asyncio.CancelledError:
                recorder.cancel(asked)
                if cancel is not None:
                    cancel()
                raise
            recorder.close(asked)
            context.world.finished(asked)
            return _result(spec, payload)

        _EFFECTS.add(call)
        return call  # type: ignore[return-value]

    @functools.wraps(function)
    def call_now(*args: P.args, **options: P.kwargs) -> Any:
        context = current()
        if context is None:
            sys.audit("replay.effect", spec.name)
            return function(*args, **options)
        return _call_sync(spec, context, args, options)

    _EFFECTS.add(call_now)
    return call_now


def is_effect(value: object) -> bool:
    """Return whether a value was made by :func:`effect`."""
    return inspect.isfunction(value) and value in _EFFECTS


class _Spec:
    """What is known about an effect before it is called."""

    def __init__(self, function: Callable[..., Any], name: str | None, on_resume: OnResume) -> None:
        self.function = function
        self.on_resume: OnResume = on_resume
        self.name = name or function.__qualname__
        self.signature = inspect.signature(function)
        kinds = {parameter.kind for parameter in self.signature.parameters.values()}
        self._simple = kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD}
        self._names = tuple(self.signature.parameters)
        self._decoder: msgspec.json.Decoder[Any] | None = None

    def started(self, args: tuple[Any, ...], options: dict[str, Any]) -> EffectStarted:
        """Return what is recorded of a call."""
        return EffectStarted(
            name=self.name, arguments=self.arguments(args, options), on_resume=self.on_resume
        )

    def arguments(self, args: tuple[Any, ...], options: dict[str, Any]) -> msgspec.Raw:
        """Return the arguments bound to their names, so that spelling does not matter.

        Defaults are in it: whoever changes one asks another question.
        """
        if self._simple and not options and len(args) == len(self._names):
            named = dict(zip(self._names, args))  # noqa: B905 - as many, and twice as fast
            # Of these no reading runs the program's code, so that one in vain does no harm.
            if _SCALARS.issuperset(map(type, args)):
                try:
                    return msgspec.Raw(_encode_scalars(named))
                except (ValueError, OverflowError):
                    pass  # half characters, or an integer beyond what JSON is read with
            return plain_json(named)
        bound = self.signature.bind(*args, **options)
        bound.apply_defaults()
        return plain_json(bound.arguments)

    def decode(self, value: msgspec.Raw) -> Any:
        """Return the result, in the type that the annotation says if it says one."""
        decoder = self._decoder
        if decoder is None:
            decoder = self._decoder = self._make_decoder()
        return decoder.decode(value)

    def encode(self, value: object) -> msgspec.Raw:
        """Return the recorded form of a result."""
        try:
            encoded = msgspec.Raw(msgspec.json.encode(value, order="deterministic"))
            again = self.decode(encoded)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise self._not_plain(value, str(error)) from None
        if len(encoded) > VALUE_BYTES_MAX:
            raise self._not_plain(value, f"{len(encoded)} bytes")
        if again != value and not isinstance(value, tuple):
            raise self._not_plain(value, "it does not survive its recorded form")
        return encoded

    # --- after a crash ------------------------------------------------------------------------

    destination = None
    carried = b""
    repeatable = True

    @property
    def label(self) -> str:
        """Its name."""
        return f"effect {self.name}"

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Do nothing: its body holds what it holds."""

    def failure(self, why: str) -> tuple[EffectReturned, Outcome]:
        """Return the answer that it failed."""
        return EffectReturned(failure=failure_of(OutsideError(why))), "error"

    def behind(
        self, post: Post, scrub: Callable[[bytes], bytes], differs: Callable[[], None]
    ) -> Post:
        """Return what was given: there is one answer, and it has not come."""
        return post

    def _make_decoder(self) -> msgspec.json.Decoder[Any]:
        try:
            hint = get_type_hints(self.function).get("return", Any)
            return msgspec.json.Decoder(hint)
        except (NameError, TypeError):
            return msgspec.json.Decoder()

    def _not_plain(self, value: object, why: str) -> UsageError:
        return UsageError(
            f"the result of effect {self.name} is not plain data: {type(value).__name__}, {why}",
            hint="return JSON data, or annotate the return type with one that msgspec decodes",
        )


def _begin(
    spec: _Spec,
    context: DoorContext,
    asked: Asked,
    args: tuple[Any, ...],
    options: dict[str, Any],
) -> Callable[[], None]:
    """Let a coroutine effect run outside, in the caller's context variables."""
    variables = contextvars.copy_context()

    async def work(post: Post) -> None:
        await _run(post, spec, lambda: _in_context(variables, spec.function, args, options))

    return context.world.begin(asked, work, network=False, flight=spec)


def _call_sync(
    spec: _Spec, context: DoorContext, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    marks = _Marks(context)
    recorder = context.recorder
    started = spec.started(args, options)
    asked = recorder.ask(started, None, marks)
    if context.world.begins:
        variables = contextvars.copy_context()
        args, options = _own(args), _own(options)

        async def work(post: Post) -> None:
            loop = asyncio.get_running_loop()
            call = functools.partial(variables.run, spec.function, *args, **options)
            await _run(post, spec, lambda: loop.run_in_executor(None, call))

        context.world.begin(asked, work, network=False, flight=spec)
    context.scheduler.wait(marks.ready)
    recorder.close(asked)
    context.world.finished(asked)
    return _result(spec, marks.ready.popleft())


def _own(value: T) -> T:
    """Return arguments that are the effect's own, as they were when it was recorded.

    It runs later, on a thread of its own, and its body does not run in a replay: neither may see
    what the other does to a list or a dictionary. Other objects stay shared.
    """
    try:
        return _copied(value)  # type: ignore[no-any-return]
    except RecursionError:
        return value


def _copied(value: Any) -> Any:
    kind = type(value)
    if kind in {list, tuple}:
        return kind([_copied(item) for item in value])
    if kind is dict:
        return {key: _copied(item) for key, item in value.items()}
    return kind(value) if kind in {set, bytearray} else value


class _Marks:
    """Where a thread that waits for one effect finds its answer."""

    def __init__(self, context: DoorContext) -> None:
        self.ready: deque[Payload] = deque()
        self._scheduler = context.scheduler
        self._participant = context.scheduler.current

    def receive(self, payload: Payload, body: bytes, outcome: Outcome) -> None:
        """Take the answer and wake the thread."""
        self.ready.append(payload)
        self._scheduler.wake(self._participant)


async def _in_context(
    variables: contextvars.Context,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    options: dict[str, Any],
) -> Any:
    coroutine: Coroutine[Any, Any, Any] = function(*args, **options)
    return await asyncio.get_running_loop().create_task(coroutine, context=variables)


async def _run(post: Post, spec: _Spec, call: Callable[[], Any]) -> None:
    """Run the effect outside and post its answer."""
    try:
        value = spec.encode(await call())
    except GeneratorExit:
        raise
    except BaseException as error:
        # A cancellation too: the effect may have raised it itself, and if it is ours, nobody
        # waits for this answer any more.
        post(EffectReturned(failure=failure_of(error)), None, "error")
        if isinstance(error, asyncio.CancelledError):
            raise
    else:
        post(EffectReturned(value=value), None, "ok")


def _result(spec: _Spec, payload: Payload) -> Any:
    assert isinstance(payload, EffectReturned)
    if payload.failure is not None:
        raise rebuild(payload.failure)
    return spec.decode(payload.value)
