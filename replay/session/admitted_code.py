"""Lets only admitted source files run in this process: the bytes that were hashed are compiled.

The one invariant: a module of the program is compiled from bytes whose digest was admitted, read
once. Cached bytecode, modules in archives and compiled extensions of the program's are refused,
since nobody vouched for them. The standard library, installed distributions and the engine are not
asked about: whoever installed them vouches for them. A file is theirs only where it also stands in
their directories: a link to it from the program's has other bytecode beside it, and can be turned.
What links away among the modules of the standard library itself is its distributor's, such as the
`sitecustomize` of Debian's.

What an admitted program does with text that it reads itself is its own affair.
"""

from __future__ import annotations

import sys
import sysconfig
import zipimport
from hashlib import sha256
from importlib.machinery import ExtensionFileLoader, SourceFileLoader, SourcelessFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from replay.errors import CodeRefusedError
from replay.session.command_line import engine_root

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

__all__ = ["AdmittedCode"]

T = TypeVar("T")

_PACKAGES: Final = ("attestations", "orchestrator", "replay")


class AdmittedCode:
    """The source files that may run in this process.

    Args:
        digests: hex SHA-256 of each; None for any, bytecode, extensions and archives included.
        revoked: those of files of any sort that may not.

    """

    def __init__(self, digests: tuple[str, ...] | None, revoked: tuple[str, ...] = ()) -> None:
        self._digests = None if digests is None else frozenset(digests)
        self._revoked = frozenset(revoked)
        names = ("stdlib", "platstdlib", "purelib", "platlib")
        places = [Path(sysconfig.get_path(name)) for name in names]
        # An interpreter of a virtual environment has its library elsewhere.
        base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
        scheme = sysconfig.get_default_scheme()
        places += [
            Path(sysconfig.get_path(name, scheme, {**base, "installed_base": sys.base_prefix}))
            for name in ("stdlib", "platstdlib")
        ]
        found = [place.resolve() for place in places]
        self._standard = frozenset(found[:2] + found[4:])  # between them: for packages
        engine = [engine_root() / name for name in _PACKAGES]
        # As they are, and as they stand in the path.
        self._places = tuple(dict.fromkeys([*found, *engine, *places]))
        self._refused: list[CodeRefusedError] = []

    def install(self) -> None:
        """Stand before every way in which a module comes into this process, until it ends.

        Raises:
            CodeRefusedError: a module is loaded already that nobody admitted.
        """
        self._refuse_loaded()
        whole = SourceFileLoader.get_code

        def get_code(loader: SourceFileLoader, fullname: str) -> CodeType | None:
            path = loader.get_filename(fullname)
            if self.is_library(path):
                return whole(loader, fullname)
            data = loader.get_data(path)
            self.require(data, path)
            code: CodeType = loader.source_to_code(data, path)
            return code

        setattr(SourceFileLoader, "get_code", get_code)  # noqa: B010 - typed as what it replaces
        for kind, name in (
            (SourcelessFileLoader, "get_code"),
            (ExtensionFileLoader, "create_module"),
            (zipimport.zipimporter, "get_code"),
        ):
            setattr(kind, name, self._library_only(getattr(kind, name)))

    def require(self, data: bytes, path: str) -> None:
        """Refuse source that was not admitted.

        Raises:
            CodeRefusedError: it was not.
        """
        digest = sha256(data).hexdigest()
        if digest in self._revoked or (self._digests is not None and digest not in self._digests):
            self.refuse(path)

    def require_whole(self, path: str) -> None:
        """Refuse a file that is no source, unless any file may run that is not revoked.

        Raises:
            CodeRefusedError: it may not.
        """
        if self._digests is not None:
            self.refuse(path)
        if Path(path).is_file():
            self.require(Path(path).read_bytes(), path)

    def refuse(self, path: str) -> None:
        """Refuse a file whatever is in it.

        Raises:
            CodeRefusedError: always.
        """
        refusal = CodeRefusedError(
            "a policy admits only code that is vouched for, and this file is not"
            if self._digests is not None
            else "a policy revokes this file",
            where=path,
            hint="see `ritornello policy explain`; what a policy asks for can be added",
        )
        self._refused.append(refusal)
        raise refusal

    def ending(self, program: Callable[[], T]) -> Callable[[], T]:
        """Return a program that does not end well where it caught that a file was refused.

        Raises:
            CodeRefusedError: one was already, and what was loaded before caught it.
        """
        self._raise_first()

        def ended() -> T:
            try:
                value = program()
            except SystemExit:
                self._raise_first()
                raise
            self._raise_first()
            return value

        return ended

    def is_library(self, path: str) -> bool:
        """Return whether a file is of the standard library, installed, or the engine's."""
        stands = Path(path).absolute()
        if ".." in stands.parts or not self._is_inside(stands):
            return False
        return self._is_inside(stands.resolve()) or stands.parent.resolve() in self._standard

    def _is_inside(self, path: Path) -> bool:
        return any(path.is_relative_to(place) for place in self._places)

    def _library_only(self, whole: Callable[..., Any]) -> Callable[..., Any]:
        def checked(loader: Any, argument: Any) -> Any:
            path = str(getattr(loader, "path", None) or getattr(loader, "archive", ""))
            if not self.is_library(path):
                self.require_whole(path)
            return whole(loader, argument)

        return checked

    def _raise_first(self) -> None:
        if self._refused:
            raise self._refused[0] from None

    def _refuse_loaded(self) -> None:
        for name in sorted(sys.modules):
            origin = getattr(getattr(sys.modules[name], "__spec__", None), "origin", None)
            if not origin or origin in {"built-in", "frozen"} or self.is_library(origin):
                continue
            self.require_whole(origin)
