"""The rules as a program of the kernel's packet filter, and its installation.

The filter looks at each system call of every thread of the process, whoever makes it, and cannot be
taken off again. See ``Documentation/userspace-api/seccomp_filter.rst`` in the kernel's sources.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from typing import TYPE_CHECKING, Final

from replay.guard.libc import prctl, system_call
from replay.guard.syscalls import NEWEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.guard.rules import Check, Rule
    from replay.guard.syscalls import Machine

__all__ = ["INSTRUCTION_BYTES", "assemble", "forbid_new_privileges", "install_filter"]

#: struct sock_filter: code, jump if true, jump if false, constant.
_INSTRUCTION: Final = struct.Struct("=HBBI")
INSTRUCTION_BYTES: Final = _INSTRUCTION.size
_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_ABOVE: Final = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
# struct seccomp_data: number, architecture, instruction pointer, six arguments of 64 bits.
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = 16
_ALLOWED: Final = 0x7FFF0000
_ERROR: Final = 0x00050000
_SET_MODE_FILTER: Final = 1
_ALL_THREADS: Final = 1  # SECCOMP_FILTER_FLAG_TSYNC
_NO_NEW_PRIVILEGES: Final = 38
_ONE: Final = 1


def assemble(rules: Sequence[Rule], machine: Machine) -> bytes:
    """Return the filter program of some rules.

    A call by the numbers of another architecture is refused, one that is younger than the table of
    numbers does not exist.
    """
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, machine.audit_arch, 1, 0),
        _give(errno.EPERM),
        _instruction(_LOAD, _NUMBER),
    ]
    # Above the newest stand the x32 calls, too.
    program += [_instruction(_ABOVE, NEWEST, 0, 1), _give(errno.ENOSYS)]
    for rule in rules:
        for call in rule.calls:
            number = machine.numbers.get(call)
            if number is None:
                continue
            block = _verdict(rule)
            program.append(_instruction(_EQUAL, number, 0, len(block)))
            program += block
    program.append(_instruction(_RETURN, _ALLOWED))
    return b"".join(program)


def forbid_new_privileges() -> None:
    """Let no program that this process starts have more rights: both mechanisms ask for it.

    Raises:
        OSError: the kernel refuses.
    """
    prctl(_NO_NEW_PRIVILEGES, _ONE)


def install_filter(program: bytes, machine: Machine) -> None:
    """Put a filter over all threads of this process, for good.

    Raises:
        OSError: the kernel refuses, or a thread could not be put under it.
    """
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // INSTRUCTION_BYTES, ctypes.addressof(code))
    block = ctypes.create_string_buffer(header, len(header))
    result = system_call(
        machine.numbers["seccomp"], _SET_MODE_FILTER, _ALL_THREADS, ctypes.addressof(block)
    )
    if result:
        raise OSError(errno.ESRCH, f"thread {result} has another filter")


def _verdict(rule: Rule) -> list[bytes]:
    """Return what decides on one call; it always ends it."""
    looks = [_look(check) for check in rule.checks]
    refusal = [_give(rule.error)]
    if not looks:
        return refusal
    # Each look falls through when it passes and jumps to the refusal, which stands last, when not.
    program: list[bytes] = [_instruction(_RETURN, _ALLOWED)]
    for check, look in zip(reversed(rule.checks), reversed(looks), strict=True):
        compare = []
        for place, value in enumerate(check.values):
            left = len(check.values) - 1 - place
            if check.refuses:
                compare.append(_instruction(_EQUAL, value, left + len(program), 0))
            elif left:
                compare.append(_instruction(_EQUAL, value, left, 0))
            else:
                compare.append(_instruction(_EQUAL, value, 0, len(program)))
        program = look + compare + program
    return program + refusal


def _look(check: Check) -> list[bytes]:
    place = _ARGUMENTS + 8 * check.argument + (4 if check.high else 0)  # both are little-endian
    return [_instruction(_LOAD, place), _instruction(_AND, check.mask)]


def _give(error: int) -> bytes:
    return _instruction(_RETURN, _ERROR | error)


def _instruction(code: int, constant: int, hit: int = 0, miss: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, hit, miss, constant)
