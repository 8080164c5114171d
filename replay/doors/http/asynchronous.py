"""An exchange that a task waits for, through the asynchronous transports of httpx and httpx2.

The program's own transport does the real work, with its certificates, proxies and limits, on the
network thread; here are only futures.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from replay.doors.failures import rebuild
from replay.doors.http.exchange import Exchange, post_failure, post_head
from replay.doors.waiting import Answers
from replay.events.kinds import ResponseEnded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import ModuleType

    from replay.doors.context import DoorContext, Post

__all__ = ["AsyncExchange", "async_body_class"]


class AsyncExchange(Exchange):
    """One exchange of a task."""

    def __init__(
        self, context: DoorContext, library: ModuleType, body_class: Callable[[AsyncExchange], Any]
    ) -> None:
        self._answers = Answers(asyncio.get_running_loop())
        super().__init__(context, library, self._answers)
        self._body_class = body_class

    async def run(self, handle: Any, transport: Any, request: Any, content: bytes) -> Any:
        """Send the request and return the response as soon as its head is there."""
        self.ask(request, content, functools.partial(_send, handle, transport))
        try:
            payload = (await self._answers.next())[0]
        except asyncio.CancelledError:
            self.abandon()
            raise
        return self.response(payload, self._body_class(self))

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the chunks of the body as they come."""
        while True:
            try:
                payload, data, _ = await self._answers.next()
            except asyncio.CancelledError:
                self.abandon()
                raise
            if isinstance(payload, ResponseEnded):
                if payload.failure is not None:
                    raise rebuild(payload.failure)
                return
            yield data


async def _send(handle: Any, transport: Any, post: Post, request: Any) -> None:
    """Do the real exchange on the network thread and post what comes of it."""
    try:
        response = await handle(transport, request)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        post_failure(post, error, request)
        return
    post_head(post, request, response)
    try:
        async for chunk in response.stream:
            if chunk:
                post(None, chunk, "ok")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        post_failure(post, error)
    else:
        post(ResponseEnded(), None, "ok")
    finally:
        await response.stream.aclose()


def async_body_class(library: ModuleType) -> Callable[[AsyncExchange], Any]:
    """Return the class of response bodies that a library's asynchronous client reads."""

    class Body(library.AsyncByteStream):  # type: ignore[name-defined,misc]
        """The body of a response: chunks as they enter."""

        def __init__(self, exchange: AsyncExchange) -> None:
            self._exchange = exchange

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in self._exchange.chunks():
                yield chunk

        async def aclose(self) -> None:
            self._exchange.abandon()

    return Body
