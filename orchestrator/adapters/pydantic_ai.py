"""State changes of pydantic-ai: the message history of an agent's run, message by message.

A store is one run of an agent, its one key is ``messages``. Each message that is new or another is
*written* as an item; a history that is cut is *deleted* from there on; the history a run is given
is *held*. A request to the model reads it. The user's dependencies are not looked at.

The library changes its list of messages at many places. So the list is compared with what is on
record wherever a step of the agent has prepared or ended something: by identity, the last messages
by content too, since the library completes those after it has appended them.
"""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final

from replay.doors.plain_values import PlainEncoder
from replay.doors.state.adapter import Wrap, stores_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    import msgspec

    from replay.doors.state.stores import Store, Stores

__all__ = ["PydanticAIAdapter", "adapter"]

_NAME: Final = "pydantic-ai"
_KEY: Final = "messages"
#: Messages at the end of a history whose content is compared: one request and its response.
_UNSETTLED: Final = 2
_ENCODE: Final = PlainEncoder().encode


class PydanticAIAdapter:
    """The adapter; see the module."""

    name = _NAME
    version = 1
    distribution = "pydantic-ai-slim"
    releases = ("2.68",)
    modules = ("pydantic_ai._agent_graph",)

    def wraps(self, module: ModuleType) -> tuple[Wrap, ...]:
        """Return what is wrapped: the steps of an agent's run."""
        request = module.ModelRequestNode
        return (
            Wrap(owner=module.UserPromptNode, name="run", wrap=_starting),
            Wrap(owner=request, name="_prepare_request", wrap=_requesting),
            Wrap(owner=request, name="_apply_before_model_request", wrap=_requesting),
            Wrap(owner=request, name="_append_response", wrap=_appending),
            Wrap(owner=request, name="_commit_interrupted_response", wrap=_appending),
            Wrap(owner=request, name="run", wrap=_step),
            Wrap(owner=module.CallToolsNode, name="run", wrap=_step),
        )


adapter: Final = PydanticAIAdapter()


def _starting(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the first step: what is there before it was given to the run."""

    @functools.wraps(original)
    async def run(node: Any, ctx: Any, *args: Any, **options: Any) -> Any:
        _compare(ctx, "held")
        try:
            return await original(node, ctx, *args, **options)
        finally:
            _compare(ctx)

    return run


def _requesting(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what makes a request to the model of the history."""

    @functools.wraps(original)
    async def prepare(node: Any, ctx: Any, *args: Any, **options: Any) -> Any:
        result = await original(node, ctx, *args, **options)
        found = _compare(ctx)
        if found is not None:
            found.read(_KEY, ("request",))
        return result

    return prepare


def _appending(original: Any) -> Any:
    """Wrap what puts a response into the history."""
    function = inspect.unwrap(getattr(original, "__func__", original))
    context_at = 0 if isinstance(original, staticmethod) else 1

    @functools.wraps(function)
    def append(*args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        _compare(args[context_at])
        return result

    return staticmethod(append) if isinstance(original, staticmethod) else append


def _step(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a step of the agent as a whole, however it ends."""

    @functools.wraps(original)
    async def run(node: Any, ctx: Any, *args: Any, **options: Any) -> Any:
        try:
            return await original(node, ctx, *args, **options)
        finally:
            _compare(ctx)

    return run


def _compare(ctx: Any, operation: str = "written") -> Store | None:
    """Record how a history differs from what is on record of it."""
    stores = stores_for(_NAME)
    if stores is None:
        return None
    store = _open(stores, ctx)
    history, known = ctx.state.message_history, store.memory
    settled = min(len(history), len(known)) - _UNSETTLED
    for position, message in enumerate(history):
        if position < len(known):
            before, content = known[position]
            if before is message and position < settled:
                continue
            encoded = _encoded(message)
            if bytes(encoded) == content:
                known[position] = (message, content)
                continue
        else:
            encoded = _encoded(message)
        by = (str(message.kind),)
        if operation == "held":
            store.held(_KEY, encoded, by, _ENCODE, item=position)
        else:
            store.written(_KEY, encoded, by, _ENCODE, item=position)
        known[position:] = [(message, bytes(encoded)), *known[position + 1 :]]
    if len(history) < len(known):
        store.deleted(_KEY, item=len(history))
        del known[len(history) :]
    return store


def _open(stores: Stores, ctx: Any) -> Store:
    store, _ = stores.of(ctx.state, lambda: _agent_name(ctx))
    return store


def _agent_name(ctx: Any) -> str:
    return str(getattr(ctx.deps.agent, "name", None) or "agent")


def _encoded(message: Any) -> msgspec.Raw:
    """Return a message as the library itself writes it; by its fields if that fails."""
    library = sys.modules["pydantic_ai.messages"]
    try:
        (plain,) = library.ModelMessagesTypeAdapter.dump_python([message], mode="json")
    except Exception:  # noqa: BLE001 - what a tool returned may have any serializer
        plain = message
    return _ENCODE(plain)[0]
