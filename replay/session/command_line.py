"""What can be launched: the forms of a command that start a Python program, and what is refused.

A run's record holds the argument list after the interpreter, or the whole of a `uv run`, so that
the same list, read again here, starts the same program.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from replay.errors import NotFoundError, UsageError
from replay.session.shadows import OUR_MODULES
from replay.session.uv_command import parse_uv

__all__ = [
    "Command",
    "Form",
    "engine_root",
    "parse_command",
    "parse_recorded",
    "refuse_collisions",
    "resolve_tool",
]

#: How Python was told what to run; ``tool`` is a command of an environment that is not up yet.
Form = Literal["script", "module", "code", "tool"]

_PYTHON: Final = re.compile(r"python(\d+(\.\d+)?)?(\.exe)?")
_PLAIN_FLAGS: Final = frozenset("bBdOPqsuv")
_REFUSED_FLAGS: Final = {
    "E": "with -E Python ignores PYTHONHASHSEED, so its hashes could not be repeated",
    "I": "with -I Python ignores PYTHONHASHSEED, so its hashes could not be repeated",
    "S": "with -S Python does not find installed packages, so not the engine either",
    "i": "-i is interactive: there is nothing to run again",
}
_SHEBANG_SIZE_MAX: Final = 4096
#: The second line of scripts whose interpreter has a path too long for the first.
_SHELL_EXEC: Final = re.compile(rb"""'''exec' +(?P<python>"[^"]+"|'[^']+'|[^ "']+) """)
_LONG_OPTION: Final = "--check-hash-based-pycs"


class Command(msgspec.Struct, frozen=True, kw_only=True, tag="command"):
    """A Python program to start.

    Attributes:
        python: path of the interpreter.
        flags: its own options, one argument each.
        form: how it is told what to run.
        target: script path as the program sees it, module name, code, or name of a tool.
        arguments: what follows.
        path: where the script is, if not at the target.
        prefix: what starts the interpreter, if it is not started by its path; by its name then.
        typed: the whole command where it has a prefix.
    """

    python: str
    flags: tuple[str, ...]
    form: Form
    target: str
    arguments: tuple[str, ...]
    path: str = ""
    prefix: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()

    @property
    def after_python(self) -> tuple[str, ...]:
        """The argument list after the interpreter."""
        options: dict[Form, tuple[str, ...]] = {"module": ("-m",), "code": ("-c",)}
        return (*self.flags, *options.get(self.form, ()), self.target, *self.arguments)

    @property
    def recorded(self) -> tuple[str, ...]:
        """What stands in the record: read again, it starts the same program."""
        return self.typed or self.after_python


def engine_root() -> Path:
    """Return the directory that the engine's packages are imported from."""
    return Path(__file__).resolve().parents[2]


def parse_command(command: Sequence[str]) -> Command:
    """Read a command as a shell would be given it.

    Raises:
        UsageError: it is not a Python program, or one that cannot be recorded; says why.
        NotFoundError: it is nowhere to be found.
    """
    if not command:
        raise UsageError(
            "there is no command to record", hint="ritornello record -- python agent.py"
        )
    first, rest = command[0], command[1:]
    if Path(first).name == "uv":
        return _checked(_after_uv(command))
    if _PYTHON.fullmatch(Path(first).name):
        python = shutil.which(first)
        if python is None:
            raise UsageError(
                f"there is no interpreter {first!r}", hint=f"the one used here is {sys.executable}"
            )
        return _checked(_after_python(python, rest))
    if first.endswith(".py"):
        return _checked(_script(_interpreter_of(Path(first)) or (sys.executable,), first, rest))
    found = shutil.which(first)
    if found is None:
        raise NotFoundError(f"there is no command {first!r}", hint="check its name and PATH")
    interpreter = _interpreter_of(Path(found))
    if interpreter is None:
        raise UsageError(
            f"{first!r} is not a Python program",
            where=found,
            hint=f"put it in front instead: {first} … ritornello record -- python …",
        )
    return _checked(_script(interpreter, found, rest))


def parse_recorded(arguments: Sequence[str], directory: Path) -> Command:
    """Read the argument list of a record, for this interpreter.

    Args:
        arguments: what stands in the first record.
        directory: where the program will be started.

    Raises:
        UsageError: it could not have been recorded.
        NotFoundError: the script is not there; names it.
    """
    if tuple(arguments[:2]) == ("uv", "run") and not (directory / "uv").exists():
        return _checked(_after_uv(arguments), directory)
    command = _after_python(sys.executable, arguments)
    if command.form == "script" and not (directory / command.target).exists():
        # A console script of another machine may be on this one's PATH.
        path = Path(command.target)
        found = shutil.which(path.name) if path.is_absolute() else None
        if found is None or _interpreter_of(Path(found)) is None:
            raise NotFoundError(
                f"the program {command.target!r} is not there",
                where=str(directory),
                hint="a replay runs the code on disk: start it there, or name it by --in DIR",
            )
        command = msgspec.structs.replace(command, path=found)
    return _checked(command, directory)


def resolve_tool(command: Command) -> Command:
    """Find a tool on this process's path; it must be a script of this very environment.

    Raises:
        NotFoundError: there is no such command.
        UsageError: it is not a program of this Python.
    """
    if command.form != "tool":
        return command
    found = shutil.which(command.target)
    if found is None:
        raise NotFoundError(f"there is no command {command.target!r} in the environment")
    interpreter = _interpreter_of(Path(found))
    if interpreter is None or Path(interpreter[0]).parent != Path(sys.executable).parent:
        raise UsageError(
            f"{command.target!r} is not a program of this environment's Python",
            where=found,
            hint=f"its Python is {sys.executable}",
        )
    return msgspec.structs.replace(command, form="script", target=found)


def _after_python(python: str, arguments: Sequence[str]) -> Command:
    """Read what follows the interpreter, as the interpreter does."""
    flags: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in {"-", "--"}:
        argument = rest.pop(0)
        if argument == _LONG_OPTION and rest:
            flags += [argument, rest.pop(0)]
            continue
        for place, letter in enumerate(argument[1:], start=1):
            if letter in _PLAIN_FLAGS:
                flags.append(f"-{letter}")
                continue
            value = argument[place + 1 :] or (rest.pop(0) if rest else None)
            if letter in "XW" and value is not None:
                flags.append(f"-{letter}{value}")
                break
            if letter in "mc" and value is not None:
                form: Form = "module" if letter == "m" else "code"
                return _command(python, flags, form, value, rest)
            raise UsageError(
                f"Python's option {argument!r} cannot be recorded",
                hint=_REFUSED_FLAGS.get(letter, "leave it out"),
            )
    if not rest or rest[0] in {"-", "--"}:
        raise UsageError(
            "Python is not told what to run",
            hint="name a script, -m MODULE or -c CODE; a program on standard input is not kept",
        )
    return _command(python, flags, "script", rest[0], rest[1:])


def _script(interpreter: Sequence[str], path: str, arguments: Sequence[str]) -> Command:
    python, *flags = interpreter
    return _after_python(python, [*flags, path, *arguments])


def _after_uv(words: Sequence[str]) -> Command:
    """Read `uv run …`; any other command of uv runs nothing that can be recorded."""
    uv = shutil.which(words[0])
    if uv is None:
        raise NotFoundError("there is no uv here", hint="check PATH")
    if len(words) < 2 or words[1] != "run":
        raise UsageError("of uv's commands only `uv run` can be recorded")
    read = parse_uv(words[2:])
    first, *rest = read.command
    is_script = read.is_script or first.endswith((".py", ".pyz"))
    if read.is_module:
        command = _command("python", (), "module", first, rest)
    elif _PYTHON.fullmatch(first):
        command = _after_python(first, rest)
    elif is_script or (Path(first) / "__main__.py").exists():
        command = _command("python", (), "script", first, rest)
    else:
        command = _command("python", (), "tool", first, rest)
    return msgspec.structs.replace(
        command, prefix=(uv, "run", *read.options), typed=("uv", *words[1:])
    )


def _command(
    python: str, flags: Sequence[str], form: Form, target: str, arguments: Sequence[str]
) -> Command:
    return Command(
        python=python,
        flags=tuple(flags),
        form=form,
        target=target,
        arguments=tuple(arguments),
    )


def _checked(command: Command, directory: Path | None = None) -> Command:
    """Check that the script is there and that no module of the program hides behind ours."""
    for argument in command.recorded:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the argument {argument!r} is no UTF-8 text") from None
    directory = directory or Path.cwd()
    place = directory
    if command.form == "script":
        path = directory / (command.path or command.target)
        if path.is_dir() and not (path / "__main__.py").is_file():
            raise UsageError("the directory has no __main__.py to run", where=str(path))
        if not path.exists() and not Path(command.target).is_absolute():
            raise NotFoundError("there is no such script", where=str(path))
        place = path if path.is_dir() else path.resolve().parent
    if "-P" not in command.flags and command.form != "tool":
        refuse_collisions(place)
    return command


def refuse_collisions(place: Path) -> None:
    """Refuse a program whose own modules would be hidden by the engine's.

    Raises:
        UsageError: names the module that is in the way.
    """
    if place == engine_root():
        return
    for name in OUR_MODULES:
        for candidate in (place / f"{name}.py", place / name / "__init__.py"):
            if candidate.is_file():
                raise UsageError(
                    f"the program has a module {name!r} of its own, which is the engine's name too",
                    where=str(candidate),
                    hint="rename it, or record through the library in a program without it",
                )


def _interpreter_of(path: Path) -> tuple[str, ...] | None:
    """Return the Python that a file's first line names and its options, or None if it names none.

    A Python that is looked up by name is the one in use here.
    """
    try:
        with path.open("rb") as file:
            line, _, rest = file.read(_SHEBANG_SIZE_MAX).partition(b"\n")
    except OSError:
        return None
    if not line.startswith(b"#!"):
        return None
    words = os.fsdecode(line[2:]).split()
    if words == ["/bin/sh"]:
        found = _SHELL_EXEC.match(rest)
        words = [] if found is None else [os.fsdecode(found["python"]).strip("\"'")]
    if words and Path(words[0]).name == "env":
        words = words[2:] if words[1:2] == ["-S"] else words[1:]
    if not words or not _PYTHON.fullmatch(Path(words[0]).name):
        return None
    python = words[0] if Path(words[0]).is_file() else sys.executable
    return (python, *words[1:])
