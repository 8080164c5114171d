"""Which system calls a replayed program is refused, and which are answered without being done.

What is not in this table is allowed: computing, memory, threads of its own, reading files. Writing
files is not told apart here, where a path is only an address: see :mod:`replay.guard.landlock`.
"""

from __future__ import annotations

import errno
from typing import Final

import msgspec

__all__ = ["CLONE_THREAD", "Check", "Rule", "rules_for"]

CLONE_THREAD: Final = 0x10000
_CLONE_NAMESPACES: Final = 0x7E020080  # CLONE_NEWTIME, NEWNS, NEWCGROUP to NEWNET
_AF_UNIX: Final = 1
_TYPE_MASK: Final = 0xF
_STREAM: Final = 1
_SEQPACKET: Final = 5
_WORD: Final = 0xFFFFFFFF
#: Terminal input by a program, console calls, and whom a descriptor's signals go to.
_IOCTLS: Final = (0x5412, 0x541C, 0x8901, 0x8902)
_SETOWN: Final = (8, 15)
_SETSIG: Final = (10,)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One look at an argument of a call: half of its bits, masked, are among some values.

    Attributes:
        argument: its index, 0 to 5.
        values: what it is compared with.
        mask: the bits that count.
        high: look at the upper 32 bits instead of the lower ones.
        refuses: whether a hit refuses the call; else it is refused where none hits.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = _WORD
    high: bool = False
    refuses: bool = False


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of some system calls.

    Attributes:
        calls: their names.
        error: the error number that they give; 0 answers that it was done, though it was not.
        checks: a call that passes all of them is let through; none passes without any.
    """

    calls: tuple[str, ...]
    error: int
    checks: tuple[Check, ...] = ()


def rules_for(process: int) -> tuple[Rule, ...]:
    """Return the rules for a process.

    Args:
        process: its number; signals to itself stay possible, Python's own need them.
    """
    itself = (Check(argument=0, values=(process,)),)
    own = (Check(argument=0, values=(0, process)),)
    return (
        *_FIXED,
        _refuse("kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo", itself),
        _refuse("prlimit64 sched_setaffinity sched_setscheduler sched_setparam sched_setattr", own),
    )


def _refuse(calls: str, checks: tuple[Check, ...] = ()) -> Rule:
    return Rule(calls=tuple(calls.split()), error=errno.EPERM, checks=checks)


def _absent(calls: str) -> Rule:
    """Say that the kernel has none of these: libraries then take the older way, which is ruled."""
    return Rule(calls=tuple(calls.split()), error=errno.ENOSYS)


def _answer(calls: str) -> Rule:
    return Rule(calls=tuple(calls.split()), error=0)


_FIXED: Final = (
    # Reaching others. A pair of connected sockets leads nowhere else: of these only stream types,
    # since a datagram socket can be given another address.
    _refuse("socket connect bind listen accept accept4 sendmsg sendmmsg"),
    _refuse(
        "sendto",
        (Check(argument=4, values=(0,)), Check(argument=4, values=(0,), high=True)),
    ),
    _refuse(
        "socketpair",
        (
            Check(argument=0, values=(_AF_UNIX,)),
            Check(argument=1, values=(_STREAM, _SEQPACKET), mask=_TYPE_MASK),
        ),
    ),
    # Other processes: none is begun, none is touched. Threads are made by clone.
    _refuse("fork vfork execve execveat"),
    _absent("clone3"),
    _refuse(
        "clone",
        (
            Check(argument=0, values=(CLONE_THREAD,), mask=CLONE_THREAD),
            Check(argument=0, values=(0,), mask=_CLONE_NAMESPACES),
        ),
    ),
    _refuse(
        "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp"
        " pidfd_open pidfd_send_signal pidfd_getfd setpriority ioprio_set move_pages migrate_pages"
    ),
    _refuse("fcntl", (Check(argument=1, values=(*_SETOWN, *_SETSIG), refuses=True),)),
    _refuse("ioctl", (Check(argument=1, values=_IOCTLS, refuses=True),)),
    # Ways to have the kernel do any of this on one's behalf.
    _absent("io_uring_setup io_uring_enter io_uring_register io_setup io_submit"),
    _refuse("bpf perf_event_open userfaultfd keyctl add_key request_key"),
    # Memory and queues that other processes see.
    _refuse("shmget shmat shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl"),
    _refuse("mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr"),
    # The machine itself.
    _refuse(
        "mount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig"
        " fsmount fspick mount_setattr swapon swapoff setns unshare reboot sethostname"
        " setdomainname settimeofday clock_settime adjtimex clock_adjtime init_module finit_module"
        " delete_module kexec_load kexec_file_load iopl ioperm acct quotactl quotactl_fd"
        " nfsservctl syslog vhangup uselib lookup_dcookie fanotify_init fanotify_mark"
        " open_by_handle_at"
    ),
    _refuse("personality", (Check(argument=0, values=(_WORD,)),)),
    # Owner, mode, times and attributes of files: no right of Landlock covers them, and their only
    # answer is that it was done.
    _answer(
        "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat"
        " utimensat setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr"
        " removexattrat file_setattr"
    ),
)
