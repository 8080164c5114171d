"""Starts a program in this process the way Python starts one: path, arguments, ``__main__``."""

from __future__ import annotations

import importlib.abc
import importlib.util
import inspect
import pkgutil
import runpy
import sys
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from replay.doors.effects import is_effect
from replay.errors import NotFoundError, UsageError
from replay.session.messages import Call
from replay.session.workflow import is_workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from replay.session.admitted_code import AdmittedCode
    from replay.session.command_line import Command
__all__ = ["find_function", "load_file", "main_file", "prepare_program", "set_up"]


def set_up(program: Command | Path, root: str) -> None:
    """Make `sys.path` and `sys.argv` what the program expects.

    Args:
        program: a command, or the file of a function.
        root: what was put in front of the path to find the engine; empty if nothing was.
    """
    if root:
        # Taken off again: an engine that is not installed stays importable, behind all else.
        sys.path.remove(root)
        if root not in sys.path:
            sys.path.append(root)
    first = ""
    if isinstance(program, Path):
        first = str(program.resolve().parent)
        sys.argv[:] = [str(program)]
    else:
        if program.form == "script":
            first = _first_of(program)
        elif program.form == "module":
            first = str(Path.cwd())
        start = {"module": "-m", "code": "-c"}.get(program.form, program.target)
        sys.argv[:] = [start, *program.arguments]
    sys.orig_argv[1:] = sys.argv if isinstance(program, Path) else program.after_python
    if not sys.flags.safe_path:
        sys.path.insert(0, first)


def _first_of(program: Command) -> str:
    """Return the first entry of the path for a script: its directory, or what is run itself."""
    path = program.path or program.target
    return path if _is_container(path) else str(Path(path).resolve().parent)


def _is_container(path: str) -> bool:
    """Whether Python takes it for a directory or archive with a ``__main__`` in it."""
    return pkgutil.get_importer(path) is not None


def prepare_program(command: Command, admitted: AdmittedCode | None = None) -> Callable[[], None]:
    """Return what runs a command's ``__main__`` to its end, and raises whatever that raises.

    A script is read here and now: it is code, and no file that the program reads.

    Raises:
        CodeRefusedError: it is none of the files that may run, where only some may.
    """
    if admitted is not None:
        _require_main(command, admitted)
    if command.form == "module":
        return lambda: _run_module(command.target)
    if command.form == "code":
        loader = _MainLoader(command.target.encode(), "<string>")
        return lambda: _run_main(loader, None)
    place = command.path or command.target
    path = Path(place).absolute()
    if _is_container(place) or path.suffix == ".pyc":
        return lambda: _run_path(place)
    data = path.read_bytes()
    if admitted is not None:
        admitted.require(data, str(path))
    source = _MainLoader(data, str(path))
    return lambda: _run_main(source, str(path))


def main_file(program: Command | Call) -> str | None:
    """Return the file that ran as ``__main__``, as far as there is one, after the run."""
    if isinstance(program, Call):
        return program.file
    if program.form == "code":
        return None
    if program.form != "module":
        place = program.path or program.target
        return str(Path(place) / "__main__.py") if Path(place).is_dir() else place
    for name in (f"{program.target}.__main__", program.target):
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            continue
        if spec is not None:
            return spec.origin
    return None


def _require_main(command: Command, admitted: AdmittedCode) -> None:
    """Refuse what is started in another way than from one source file, unless it may run.

    What a module or directory is compiled from is compared once more when it is.
    """
    if command.form == "code":
        admitted.require(command.target.encode(), "-c")
    place = command.path or command.target
    if command.form == "module" or _is_container(place):
        file = main_file(command)
        if file is None or not Path(file).is_file():
            admitted.require_whole(place)
        elif not admitted.is_library(file):
            admitted.require(Path(file).read_bytes(), file)
    elif command.form != "code" and Path(place).suffix == ".pyc":
        admitted.require_whole(place)


def _run_module(name: str) -> None:
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _run_path(place: str) -> None:
    if sys.path[:1] == [place] and not sys.flags.safe_path:
        del sys.path[0]  # it is put there again
    runpy.run_path(place, run_name="__main__")


def _run_main(loader: _MainLoader, file: str | None) -> None:
    module = ModuleType("__main__")
    module.__loader__ = loader
    if file is not None:
        module.__file__ = file
        vars(module)["__cached__"] = None
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        loader.exec_module(module)
    finally:
        sys.modules["__main__"] = before


def load_file(path: Path) -> ModuleType:
    """Import a file under its stem.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it is not Python, or its name is taken by a module that is loaded.
        BaseException: whatever it raised.
    """
    if not path.is_file():
        raise NotFoundError(
            "the program's file is not there",
            where=str(path.absolute()),
            hint="a replay runs the code on disk: start it there, or name the place by --in DIR",
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError("this is not a Python file", where=str(path))
    if path.stem in sys.modules:
        raise UsageError(
            f"a module {path.stem!r} is loaded already", where=str(path), hint="rename the file"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def find_function(
    module: ModuleType, name: str, path: Path
) -> tuple[str, Callable[..., Coroutine[Any, Any, object]]]:
    """Find a coroutine function in a module; without a name its only workflow, or ``main``.

    Returns:
        The name under which it is found again, and the function; it may call itself otherwise.

    Raises:
        NotFoundError: there is none of that name, or it is not one.
    """
    if not name:
        own = {  # one function may have several names
            value: key
            for key, value in vars(module).items()
            if is_workflow(value) and value.__module__ == module.__name__
        }
        if len(own) > 1:
            raise UsageError(
                "the file has several workflows",
                where=str(path),
                hint="name one: " + ", ".join(f"{path}:{key}" for key in own.values()),
            )
        name = next(iter(own.values()), "main")
    found: Any = module
    for step in name.split("."):
        found = getattr(found, step, None)
    if is_effect(found):
        raise UsageError(
            f"{name!r} is an effect: in a replay it would not run, so there is nothing to repeat",
            where=str(path),
            hint="name a function that calls it",
        )
    if not inspect.iscoroutinefunction(found):
        raise NotFoundError(
            f"there is no coroutine function {name!r}",
            where=str(path),
            hint="mark an `async def` with @replay.workflow, or name one: FILE.py:FUNCTION",
        )
    function: Callable[..., Coroutine[Any, Any, object]] = found
    return name, function


class _MainLoader(importlib.abc.InspectLoader):
    """Loads given source as ``__main__``, without the cache that modules have."""

    def __init__(self, source: bytes, file: str) -> None:
        self._source = source
        self._file = file

    def get_source(self, fullname: str) -> str:
        """Return the source text."""
        return importlib.util.decode_source(self._source)

    def get_code(self, fullname: str) -> CodeType:
        """Return the compiled source."""
        return self.source_to_code(self._source, self._file)
