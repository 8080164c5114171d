"""The filter program, run by a small machine of our own: what it says of each call."""

from __future__ import annotations

import errno
import struct

import pytest

from replay.guard.rules import CLONE_THREAD, rules_for
from replay.guard.seccomp import INSTRUCTION_BYTES, assemble
from replay.guard.syscalls import MACHINES, NEWEST

OWN = 4242
ALLOWED = "allowed"
AF_UNIX, AF_INET, STREAM, DGRAM, CLOEXEC = 1, 2, 1, 2, 0o2000000
SIGCHLD, NEWNS = 17, 0x20000


def judged(program: bytes, number: int, arguments: tuple[int, ...] = (), arch: int = 0) -> object:
    """Run a filter as the kernel does, refusing what the kernel would not load."""
    filled = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, arch, 0, *filled)
    code = list(struct.iter_unpack("=HBBI", program))
    assert len(code) <= 4096
    place, accumulator = 0, 0
    while True:
        kind, hit, miss, constant = code[place]
        place += 1
        if kind == 0x20:
            accumulator = struct.unpack_from("<I", data, constant)[0]
        elif kind == 0x54:
            accumulator &= constant
        elif kind == 0x15:
            place += hit if accumulator == constant else miss
        elif kind == 0x25:
            place += hit if accumulator > constant else miss
        elif kind == 0x06:
            if constant == 0x7FFF0000:
                return ALLOWED
            assert constant & 0xFFFF0000 == 0x00050000
            return constant & 0xFFFF
        else:
            raise AssertionError(kind)


@pytest.fixture(params=sorted(MACHINES))
def ask(request):
    machine = MACHINES[request.param]
    program = assemble(rules_for(OWN), machine)
    assert len(program) % INSTRUCTION_BYTES == 0

    def ask(call, *arguments):
        number = machine.numbers[call] if isinstance(call, str) else call
        return judged(program, number, arguments, machine.audit_arch)

    ask.program, ask.machine = program, machine
    return ask


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("socket", (AF_INET, STREAM, 0), errno.EPERM),
        ("socket", (AF_UNIX, STREAM, 0), errno.EPERM),
        ("connect", (3, 0, 0), errno.EPERM),
        ("socketpair", (AF_UNIX, STREAM | CLOEXEC, 0), ALLOWED),
        ("socketpair", (AF_UNIX, DGRAM, 0), errno.EPERM),
        ("socketpair", (AF_INET, STREAM, 0), errno.EPERM),
        ("sendto", (3, 1, 1, 0, 0, 0), ALLOWED),
        ("sendto", (3, 1, 1, 0, 1, 16), errno.EPERM),
        ("sendto", (3, 1, 1, 0, 1 << 40, 16), errno.EPERM),
        ("clone", (CLONE_THREAD | 0x3D0F00,), ALLOWED),
        ("clone", (SIGCHLD,), errno.EPERM),
        ("clone", (CLONE_THREAD | NEWNS,), errno.EPERM),
        ("clone3", (), errno.ENOSYS),
        ("execve", (), errno.EPERM),
        ("kill", (OWN, 9), ALLOWED),
        ("kill", (0, 9), errno.EPERM),
        ("kill", (1, 9), errno.EPERM),
        ("kill", (-OWN & (1 << 64) - 1, 9), errno.EPERM),
        ("tgkill", (OWN, 7, 9), ALLOWED),
        ("tgkill", (1, 7, 9), errno.EPERM),
        ("prlimit64", (0, 7), ALLOWED),
        ("prlimit64", (1, 7), errno.EPERM),
        ("fcntl", (1, 3), ALLOWED),
        ("fcntl", (1, 8), errno.EPERM),
        ("ioctl", (1, 0x5401), ALLOWED),
        ("ioctl", (1, 0x5412), errno.EPERM),
        ("ioctl", (1, 0x5412 | 1 << 40), errno.EPERM),
        ("personality", (0xFFFFFFFF,), ALLOWED),
        ("personality", (8,), errno.EPERM),
        ("io_uring_setup", (), errno.ENOSYS),
        ("fchmod", (3, 0o777), 0),
        (NEWEST + 1, (), errno.ENOSYS),
        (1 << 30 | 41, (), errno.ENOSYS),
    ],
)
def test_a_call_gets_its_verdict(ask, call, arguments, expected):
    assert ask(call, *arguments) == expected


def test_calls_of_another_architecture_are_refused(ask):
    others = [m.audit_arch for m in MACHINES.values() if m is not ask.machine] + [0x40000003]

    assert {judged(ask.program, 1, (), arch) for arch in others} == {errno.EPERM}


def test_every_call_of_the_rules_is_in_the_table_of_some_machine():
    known = {name for machine in MACHINES.values() for name in machine.numbers}

    assert [call for rule in rules_for(1) for call in rule.calls if call not in known] == []


def test_what_computing_needs_is_allowed(ask):
    ruled = {call for rule in rules_for(OWN) for call in rule.calls}
    numbers = {ask.machine.numbers[c] for c in ruled if c in ask.machine.numbers}

    assert {ask(number) for number in range(NEWEST + 1) if number not in numbers} == {ALLOWED}
