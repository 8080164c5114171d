"""HTTP, captured at the transports of httpx and httpx2, asynchronous and synchronous.

One door serves both libraries, whose classes have the same names and shapes. Below the transport is
the program's own connection pool, above it the program's client, of whatever package.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any, Final

from replay.doors.context import current
from replay.doors.counted import CountedDoor
from replay.doors.http.asynchronous import AsyncExchange, async_body_class
from replay.doors.http.synchronous import SyncExchange, on_own_thread, sync_body_class

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["HttpDoor"]

_LIBRARIES: Final = ("httpx2", "httpx")


class HttpDoor(CountedDoor):
    """Puts the door into the transports of the libraries that are there."""

    def __init__(self) -> None:
        super().__init__()
        self._originals: list[tuple[type, str, Any]] = []

    def put(self) -> None:
        """Wrap the transport classes."""
        for name in _LIBRARIES:
            try:
                library = importlib.import_module(name)
            except ImportError:
                continue
            self._wrap_async(library)
            self._wrap_sync(library)

    def take_back(self) -> None:
        """Give the transport classes back."""
        while self._originals:
            owner, name, original = self._originals.pop()
            setattr(owner, name, original)

    def _wrap_async(self, library: ModuleType) -> None:
        owner = library.AsyncHTTPTransport
        handle, close, leave = owner.handle_async_request, owner.aclose, owner.__aexit__
        body = async_body_class(library)

        @functools.wraps(handle)
        async def handle_async_request(transport: Any, request: Any) -> Any:
            context = current()
            if context is None:
                return await handle(transport, request)
            content = await request.aread()
            exchange = AsyncExchange(context, library, body)
            return await exchange.run(handle, transport, request, content)

        @functools.wraps(close)
        async def aclose(transport: Any) -> None:
            context = current()
            if context is None:
                await close(transport)
            else:
                context.world.detached(lambda: close(transport))

        @functools.wraps(leave)
        async def __aexit__(transport: Any, *details: Any) -> None:  # noqa: N807
            context = current()
            if context is None:
                await leave(transport, *details)
            else:
                context.world.detached(lambda: close(transport))

        self._set(owner, "handle_async_request", handle_async_request)
        self._set(owner, "aclose", aclose)
        self._set(owner, "__aexit__", __aexit__)

    def _wrap_sync(self, library: ModuleType) -> None:
        owner = library.HTTPTransport
        handle, close, leave = owner.handle_request, owner.close, owner.__exit__
        body = sync_body_class(library)

        def detach(transport: Any) -> None:
            context = current()
            assert context is not None, "a door without a run"
            context.world.detached(lambda: on_own_thread(lambda: close(transport)))

        @functools.wraps(handle)
        def handle_request(transport: Any, request: Any) -> Any:
            context = current()
            if context is None:
                return handle(transport, request)
            content = request.read()
            exchange = SyncExchange(context, library, body)
            return exchange.run(handle, transport, request, content)

        @functools.wraps(close)
        def close_door(transport: Any) -> None:
            close(transport) if current() is None else detach(transport)

        @functools.wraps(leave)
        def __exit__(transport: Any, *details: Any) -> None:  # noqa: N807
            leave(transport, *details) if current() is None else detach(transport)

        self._set(owner, "handle_request", handle_request)
        self._set(owner, "close", close_door)
        self._set(owner, "__exit__", __exit__)

    def _set(self, owner: type, name: str, value: object) -> None:
        self._originals.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)
