"""State changes of LangGraph: what a graph's channels hold, and what its nodes read and hand in.

A graph runs in supersteps. Its channels do not change within one; at its end the graph merges what
the nodes handed in. So a node *offers*, as the actor that runs it; the graph *writes*, as the actor
that drives it, and names the nodes. What a node reads is recorded when the superstep begins.

A store is one execution of a graph; with a checkpointer it is the thread of conversation, which
goes on from one execution to the next (graphs inside a graph always have their own). What an
execution finds there that this run did not write is *held*. Channels that carry control and not
state (branches, joins, sends) are left out.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from orchestrator.adapters.opening_up import encode_library_value
from replay.doors.state.adapter import Wrap, stores_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from replay.doors.state.stores import Store, Stores

__all__ = ["LangGraphAdapter", "adapter"]

_NAME: Final = "langgraph"
_LOOP: Final = "langgraph.pregel._loop"
_WRITE: Final = "langgraph.pregel._write"
_SEND: Final = "__pregel_send"
_TASK: Final = "__pregel_task_id"
_CONTROL: Final = ("__", "branch:", "join:")
#: Of a functional graph: what its last execution returned.
_PREVIOUS: Final = "__previous__"


class LangGraphAdapter:
    """The adapter; see the module."""

    name = _NAME
    version = 1
    distribution = "langgraph"
    releases = ("1.2",)
    modules = (_LOOP, _WRITE)

    def wraps(self, module: ModuleType) -> tuple[Wrap, ...]:
        """Return what is wrapped: the stages of a graph's loop, and the writes of its nodes."""
        if module.__name__ == _WRITE:
            return (Wrap(owner=module.ChannelWrite, name="do_write", wrap=_do_write),)
        loop = module.PregelLoop
        return (
            Wrap(owner=loop, name="_first", wrap=_first),
            Wrap(owner=loop, name="tick", wrap=_tick),
            Wrap(owner=loop, name="after_tick", wrap=_after_tick),
        )


adapter: Final = LangGraphAdapter()


def _first(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what applies a graph's input, or goes on from a checkpoint."""

    @functools.wraps(original)
    def first(loop: Any, *args: Any, **options: Any) -> Any:
        stores = stores_for(_NAME)
        if stores is None:
            return original(loop, *args, **options)
        store = _open(stores, loop)
        for key in _state_keys(loop.channels):
            if loop.channels[key].is_available():
                store.held(key, loop.channels[key].get(), (), encode_library_value)
            elif store.knows(key):  # gone on from an earlier checkpoint of the thread
                store.deleted(key, ("checkpoint",))
        before = _versions(loop)
        result = original(loop, *args, **options)
        _record_changes(store, loop, before, lambda _: ("input",))
        return result

    return first


def _tick(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the beginning of a superstep: each of its nodes reads what it is given."""

    @functools.wraps(original)
    def tick(loop: Any) -> Any:
        going_on = original(loop)
        stores = stores_for(_NAME)
        if going_on and stores is not None:
            store = _open(stores, loop)
            for task in loop.tasks.values():
                stores.marks[task.id] = (store, task.name)
                if task.path[0] == "__pregel_pull" and not task.writes:
                    for key in _read_by(loop.nodes[task.name], loop.channels):
                        store.read(key, (task.name,))
        return going_on

    return tick


def _after_tick(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the end of a superstep, where the graph merges what its nodes handed in."""

    @functools.wraps(original)
    def after_tick(loop: Any) -> Any:
        stores = stores_for(_NAME)
        if stores is None:
            return original(loop)
        store = _open(stores, loop)
        tasks = list(loop.tasks.values())
        for task in tasks:
            stores.marks.pop(task.id, None)
        before = _versions(loop)
        result = original(loop)
        _record_changes(store, loop, before, lambda key: _writers(tasks, key))
        return result

    return after_tick


def _do_write(original: Any) -> Any:
    """Wrap what a node's writes go through; the node is the actor."""
    function = original.__func__

    @functools.wraps(function)
    def do_write(config: Any, *args: Any, **options: Any) -> Any:
        stores = stores_for(_NAME)
        settings = config["configurable"]
        mark = None if stores is None else stores.marks.get(settings.get(_TASK, ""))
        pending = getattr(settings.get(_SEND), "__self__", None)
        if mark is None or pending is None:
            return function(config, *args, **options)
        known = len(pending)
        result = function(config, *args, **options)
        store, node = mark
        for key, value in list(pending)[known:]:
            if _is_state(key):
                store.offered(key, value, (node,), encode_library_value)
        return result

    return staticmethod(do_write)


def _open(stores: Stores, loop: Any) -> Store:
    """Return the store of an execution of a graph."""
    thread = loop.checkpoint_config["configurable"].get("thread_id")
    if loop.checkpointer is None or thread is None or loop.is_nested:
        store, _ = stores.of(loop, lambda: _graph_name(loop))
        return store
    store = stores.named(f"{_graph_name(loop)}[{thread}]")
    stores.adopt(loop, store)
    return store


def _graph_name(loop: Any) -> str:
    """Return the name of a graph; below it, the path of nodes to a graph inside it."""
    graph = getattr(loop._migrate_checkpoint, "__self__", None)
    name = str(getattr(graph, "name", None) or "LangGraph")
    inside = [part.partition(":")[0] for part in loop.checkpoint_ns]
    return "/".join((*inside, name))


def _is_state(key: str) -> bool:
    return key == _PREVIOUS or not key.startswith(_CONTROL)


def _state_keys(channels: Iterable[str]) -> list[str]:
    return sorted(key for key in channels if _is_state(key))


def _versions(loop: Any) -> dict[str, Any]:
    return dict(loop.checkpoint["channel_versions"])


def _read_by(node: Any, channels: Any) -> list[str]:
    """Return the keys that a node is given: one, or a list of them."""
    asked = [node.channels] if isinstance(node.channels, str) else node.channels
    return [key for key in _state_keys(asked) if key in channels and channels[key].is_available()]


def _writers(tasks: list[Any], key: str) -> tuple[str, ...]:
    names = (task.name for task in tasks if any(channel == key for channel, _ in task.writes))
    return tuple(dict.fromkeys(names))


def _record_changes(
    store: Store, loop: Any, before: dict[str, Any], by: Callable[[str], tuple[str, ...]]
) -> None:
    """Record the channels whose version is another than before."""
    after = loop.checkpoint["channel_versions"]
    for key in _state_keys(loop.channels):
        if after.get(key) == before.get(key):
            continue
        channel = loop.channels[key]
        if channel.is_available():
            store.written(key, channel.get(), by(key), encode_library_value)
        elif store.knows(key):
            store.deleted(key, by(key))
