"""System calls of Linux by name, for the two machines that the kernel filter knows.

Numbers from the kernel's ``arch/x86/entry/syscalls/syscall_64.tbl`` and
``include/uapi/asm-generic/unistd.h``. Those above :data:`NEWEST` are younger than this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["MACHINES", "NEWEST", "Machine"]

#: The last number that was read. The machines count together from 424 on.
NEWEST: Final = 469


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the filter must know of a kind of processor.

    Attributes:
        audit_arch: how the kernel names it to a filter, ``AUDIT_ARCH_*``.
        foreign_bit: the bit of a number that stands for another way of calling; 0 if there is none.
        numbers: number of each system call that exists on it.
    """

    audit_arch: int
    foreign_bit: int
    numbers: Mapping[str, int]


# Name, number on x86_64, number on aarch64; a dash where the call does not exist.
_TABLE: Final = """
socket 41 198  socketpair 53 199  connect 42 203  bind 49 200  listen 50 201  accept 43 202
accept4 288 242  sendto 44 206  sendmsg 46 211  sendmmsg 307 269
fork 57 -  vfork 58 -  clone 56 220  clone3 435 435  execve 59 221  execveat 322 281
ptrace 101 117  process_vm_readv 310 270  process_vm_writev 311 271  process_madvise 440 440
process_mrelease 448 448  kcmp 312 272  setns 308 268  unshare 272 97
kill 62 129  tkill 200 130  tgkill 234 131  rt_sigqueueinfo 129 138  rt_tgsigqueueinfo 297 240
pidfd_open 434 434  pidfd_send_signal 424 424  pidfd_getfd 438 438
setpriority 141 140  prlimit64 302 261  sched_setaffinity 203 122  sched_setscheduler 144 119
sched_setparam 142 118  sched_setattr 314 274  ioprio_set 251 30
move_pages 279 239  migrate_pages 256 238
io_uring_setup 425 425  io_uring_enter 426 426  io_uring_register 427 427
io_setup 206 0  io_submit 209 2  bpf 321 280  perf_event_open 298 241  userfaultfd 323 282
mount 165 40  umount2 166 39  pivot_root 155 41  chroot 161 51  move_mount 429 429
open_tree 428 428  open_tree_attr 467 467  fsopen 430 430  fsconfig 431 431  fsmount 432 432
fspick 433 433  mount_setattr 442 442  swapon 167 224  swapoff 168 225
reboot 169 142  sethostname 170 161  setdomainname 171 162  settimeofday 164 170
clock_settime 227 112  adjtimex 159 171  clock_adjtime 305 266
init_module 175 105  finit_module 313 273  delete_module 176 106
kexec_load 246 104  kexec_file_load 320 294  iopl 172 -  ioperm 173 -  acct 163 89
quotactl 179 60  quotactl_fd 443 443  nfsservctl 180 42  syslog 103 116  vhangup 153 58
personality 135 92  keyctl 250 219  add_key 248 217  request_key 249 218  uselib 134 -
lookup_dcookie 212 18  fanotify_init 300 262  fanotify_mark 301 263  open_by_handle_at 304 265
shmget 29 194  shmat 30 196  shmctl 31 195  semget 64 190  semop 65 193  semtimedop 220 192
semctl 66 191  msgget 68 186  msgsnd 69 189  msgrcv 70 188  msgctl 71 187
mq_open 240 180  mq_unlink 241 181  mq_timedsend 242 182  mq_timedreceive 243 183
mq_notify 244 184  mq_getsetattr 245 185
chmod 90 -  fchmod 91 52  fchmodat 268 53  fchmodat2 452 452  chown 92 -  fchown 93 55
lchown 94 -  fchownat 260 54  utime 132 -  utimes 235 -  futimesat 261 -  utimensat 280 88
setxattr 188 5  lsetxattr 189 6  fsetxattr 190 7  setxattrat 463 463  removexattr 197 14
lremovexattr 198 15  fremovexattr 199 16  removexattrat 466 466  file_setattr 469 469
ioctl 16 29  fcntl 72 25  seccomp 317 277
landlock_create_ruleset 444 444  landlock_add_rule 445 445  landlock_restrict_self 446 446
"""


def _column(column: int) -> dict[str, int]:
    words = _TABLE.split()
    numbers = zip(words[::3], words[column::3], strict=True)
    return {name: int(number) for name, number in numbers if number != "-"}


#: By the name that ``uname -m`` gives.
MACHINES: Final[Mapping[str, Machine]] = {
    # Bit 30 marks the x32 calls.
    "x86_64": Machine(audit_arch=0xC000003E, foreign_bit=1 << 30, numbers=_column(1)),
    "aarch64": Machine(audit_arch=0xC00000B7, foreign_bit=0, numbers=_column(2)),
}
