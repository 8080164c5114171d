"""The ways out that go through the interpreter, by the names of its audit events.

Where an event alone says too little, a function here looks at its arguments. It is given plain
values of a program, so it does not trust their types.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final

__all__ = ["BY_ARGUMENTS", "REFUSED_EVENTS", "SYMBOLS", "THREAD_EVENTS"]

#: Events that are a way out whatever their arguments.
REFUSED_EVENTS: Final = frozenset(
    {
        "ftplib.connect",
        "http.client.connect",
        "imaplib.open",
        "nntplib.connect",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.killpg",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "os.system",
        "poplib.connect",
        "pty.spawn",
        "replay.effect",  # raised by an effect that is called outside of the run
        "smtplib.connect",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
        "socket.sethostname",
        "subprocess.Popen",
        "syslog.openlog",
        "syslog.syslog",
        "telnetlib.Telnet.open",
        "webbrowser.open",
    }
)

#: Threads that start: the engine's own are the schedule's, any other would run outside of it.
THREAD_EVENTS: Final = frozenset({"_thread.start_joinable_thread", "_thread.start_new_thread"})

#: Functions of the C library that a program fetches for one purpose.
SYMBOLS: Final = frozenset(
    {
        "_Fork",
        "accept",
        "accept4",
        "bind",
        "chmod",
        "chown",
        "clone",
        "connect",
        "creat",
        "creat64",
        "daemon",
        "execl",
        "execle",
        "execlp",
        "execv",
        "execve",
        "execveat",
        "execvp",
        "execvpe",
        "fchmodat",
        "fexecve",
        "fopen",
        "fopen64",
        "fork",
        "forkpty",
        "freopen",
        "getaddrinfo",
        "gethostbyaddr",
        "gethostbyname",
        "gethostbyname2",
        "gethostbyname_r",
        "getnameinfo",
        "io_uring_enter",
        "io_uring_setup",
        "kill",
        "killpg",
        "lchown",
        "link",
        "linkat",
        "listen",
        "mkdir",
        "mkdirat",
        "mkfifo",
        "mknod",
        "mount",
        "mq_open",
        "mq_send",
        "msgget",
        "msgsnd",
        "open",
        "open64",
        "openat",
        "openat64",
        "popen",
        "posix_spawn",
        "posix_spawnp",
        "process_vm_writev",
        "pthread_create",
        "ptrace",
        "remove",
        "rename",
        "renameat",
        "renameat2",
        "res_query",
        "res_search",
        "rmdir",
        "semget",
        "send",
        "sendmmsg",
        "sendmsg",
        "sendto",
        "setns",
        "shm_open",
        "shmget",
        "sigqueue",
        "socket",
        "symlink",
        "symlinkat",
        "syscall",
        "syslog",
        "system",
        "thrd_create",
        "truncate",
        "truncate64",
        "umount2",
        "unlink",
        "unlinkat",
        "unshare",
        "vfork",
    }
)

_LOCAL_FAMILY: Final = 1  # AF_UNIX, the same everywhere: pairs are made of it
_MAKES_SOCKETS: Final = socket.socket.__init__.__code__
_LOCAL_URLS: Final = ("data:", "file:")
#: As in :mod:`replay.guard.rules`: terminal input, console, owner of a descriptor's signals.
_DEVICE_CALLS: Final = frozenset({0x5412, 0x541C, 0x8901, 0x8902})
_OWNER_CALLS: Final = frozenset({8, 10, 15})
# Asked before a door stands in it: a replay may answer with the recorded number.
_PROCESS: Final = os.getpid()


def _new_socket(args: tuple[Any, ...]) -> bool:
    if int(args[1]) != _LOCAL_FAMILY:
        return True
    # One half of a pair comes with its descriptor, which the event does not show.
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not _MAKES_SOCKETS:
        frame = frame.f_back
    return frame is not None and frame.f_locals.get("fileno") is None


def _request(args: tuple[Any, ...]) -> bool:
    return not str(args[0]).lower().startswith(_LOCAL_URLS)


def _kill(args: tuple[Any, ...]) -> bool:
    return bool(args[0] != _PROCESS)


def _symbol(args: tuple[Any, ...]) -> bool:
    return args[1] in SYMBOLS if isinstance(args[1], str) else False


def _device_call(args: tuple[Any, ...]) -> bool:
    return int(args[1]) & 0xFFFFFFFF in _DEVICE_CALLS


def _descriptor_call(args: tuple[Any, ...]) -> bool:
    return args[1] in _OWNER_CALLS


#: Events that are a way out with some arguments only.
BY_ARGUMENTS: Final[Mapping[str, Callable[[tuple[Any, ...]], bool]]] = {
    "ctypes.dlsym": _symbol,
    "ctypes.dlsym/handle": _symbol,
    "fcntl.fcntl": _descriptor_call,
    "fcntl.ioctl": _device_call,
    "os.kill": _kill,
    "socket.__new__": _new_socket,
    "urllib.Request": _request,
}
