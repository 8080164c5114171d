"""What an event loop offers towards the outside, refused by name: a run's loop has no socket.

The errors are also what asyncio raises for a method that a loop does not have, since libraries
look out for that and go another way. A connection stops the run before that: whatever a library
made of the error, the program would not be the one that was meant.
"""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

from replay.errors import LoopMethodError

__all__ = ["OutsideMethods"]

_CONNECTIONS = "use httpx in a recorded run, or wrap the call in an effect"
#: Ways to somebody else; the others only look what a loop has.
_CONNECTING = frozenset(
    {
        "create_connection",
        "create_datagram_endpoint",
        "create_server",
        "create_unix_connection",
        "create_unix_server",
        "getaddrinfo",
        "getnameinfo",
        "sock_connect",
        "sock_sendto",
    }
)
_PROCESSES = "use subprocess in a recorded run, or wrap the call in an effect"


def _refused(name: str, hint: str) -> Any:
    connects = name in _CONNECTING

    def method(self: Any, *_: Any, **__: Any) -> NoReturn:
        if connects:
            self.scheduler.connecting(f"loop.{name}")
        raise LoopMethodError(f"the event loop of a run has no {name}", hint=hint)

    async def coroutine(self: Any, *_: Any, **__: Any) -> NoReturn:
        method(self)

    found = coroutine if asyncio.iscoroutinefunction(vars(_Real)[name]) else method
    found.__name__ = name
    found.__qualname__ = f"OutsideMethods.{name}"
    found.__doc__ = f"Refuse: {hint}."
    return found


_Real = asyncio.AbstractEventLoop


class OutsideMethods(asyncio.AbstractEventLoop):
    """Connections, servers, descriptors and processes; none of them is in the schedule."""

    add_reader = _refused("add_reader", _CONNECTIONS)
    add_writer = _refused("add_writer", _CONNECTIONS)
    connect_accepted_socket = _refused("connect_accepted_socket", _CONNECTIONS)
    connect_read_pipe = _refused("connect_read_pipe", _CONNECTIONS)
    connect_write_pipe = _refused("connect_write_pipe", _CONNECTIONS)
    create_connection = _refused("create_connection", _CONNECTIONS)
    create_datagram_endpoint = _refused("create_datagram_endpoint", _CONNECTIONS)
    create_server = _refused("create_server", _CONNECTIONS)
    create_unix_connection = _refused("create_unix_connection", _CONNECTIONS)
    create_unix_server = _refused("create_unix_server", _CONNECTIONS)
    getaddrinfo = _refused("getaddrinfo", _CONNECTIONS)
    getnameinfo = _refused("getnameinfo", _CONNECTIONS)
    remove_reader = _refused("remove_reader", _CONNECTIONS)
    remove_writer = _refused("remove_writer", _CONNECTIONS)
    sendfile = _refused("sendfile", _CONNECTIONS)
    sock_accept = _refused("sock_accept", _CONNECTIONS)
    sock_connect = _refused("sock_connect", _CONNECTIONS)
    sock_recv = _refused("sock_recv", _CONNECTIONS)
    sock_recv_into = _refused("sock_recv_into", _CONNECTIONS)
    sock_recvfrom = _refused("sock_recvfrom", _CONNECTIONS)
    sock_recvfrom_into = _refused("sock_recvfrom_into", _CONNECTIONS)
    sock_sendall = _refused("sock_sendall", _CONNECTIONS)
    sock_sendfile = _refused("sock_sendfile", _CONNECTIONS)
    sock_sendto = _refused("sock_sendto", _CONNECTIONS)
    start_tls = _refused("start_tls", _CONNECTIONS)
    subprocess_exec = _refused("subprocess_exec", _PROCESSES)
    subprocess_shell = _refused("subprocess_shell", _PROCESSES)
