"""Looks at the source of a workflow's file before a line of it runs.

A file that is named by mistake, because it is a program, would otherwise do its work unrecorded
while it is imported, and be refused for having no workflow afterwards.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from replay.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["require_workflow"]

_DEFAULT: Final = "main"
_SCOPES: Final = (ast.AsyncFunctionDef, ast.ClassDef, ast.FunctionDef, ast.Lambda)


def require_workflow(path: Path, name: str) -> None:
    """Refuse a file that cannot have a workflow, as far as its text tells.

    What the text leaves open (a name that is imported, assigned or made at run time) passes; the
    import tells.

    Args:
        path: the file; one that is not there or is no Python passes, for it is refused elsewhere.
        name: the function that is asked for; empty for the only workflow, or ``main``.

    Raises:
        NotFoundError: no function of that name can come of it, or none that is a coroutine's.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    statements = list(_runs_through(tree, _SCOPES))
    wanted = name.partition(".")[0] or _DEFAULT
    if any(_may_be(statement, wanted) for statement in statements):
        return
    # What a function does counts, too: the import may call it.
    if any(_may_name(node, wanted) for node in ast.walk(tree)):
        return
    if not name and _may_be_marked(tree, statements):
        return
    plain = any(isinstance(each, ast.FunctionDef) and each.name == wanted for each in statements)
    what = f"{wanted!r} is no coroutine function" if plain else f"there is no function {wanted!r}"
    raise NotFoundError(
        f"{what}, and nothing of the file has run",
        where=str(path),
        hint="mark an `async def` with @replay.workflow, or name one: FILE.py:FUNCTION; to record"
        f" the file as a program: ritornello record -- python {path}",
    )


def _runs_through(tree: ast.Module, scopes: tuple[type[ast.AST], ...]) -> Iterator[ast.AST]:
    """Yield what a file consists of, in no order, without what lies in its scopes."""
    left: list[ast.AST] = list(tree.body)
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, scopes):
            left.extend(ast.iter_child_nodes(node))


def _may_be(node: ast.AST, name: str) -> bool:
    """Return whether something may give a name to a coroutine function, or to what holds one."""
    match node:
        case ast.FunctionDef():
            # A decorator may make anything of it, and a module may look names up by a function.
            return (node.name == name and bool(node.decorator_list)) or node.name == "__getattr__"
        case ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name == name
        case ast.ImportFrom() | ast.Import():
            names = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            return not names.isdisjoint({name, "*"})
        case ast.Name():
            return (isinstance(node.ctx, ast.Store) and node.id == name) or node.id == "setattr"
    return False


def _may_name(node: ast.AST, name: str) -> bool:
    """Return whether something may give any name to anything, or this one from a function."""
    match node:
        case ast.Global():
            return name in node.names
        case ast.Name():
            return node.id in {"exec", "globals"}
        case ast.Attribute():
            return node.attr == "modules"
        case ast.Call(func=ast.Name(id="locals" | "vars"), args=[]):
            return True
    return False


def _may_be_marked(tree: ast.Module, statements: Iterable[ast.AST]) -> bool:
    """Return whether something may be a workflow by its mark, which a call gives as well."""
    functions: set[str] = set()
    handed: set[str] = set()
    for node in statements:
        if isinstance(node, ast.AsyncFunctionDef):
            functions.add(node.name)
        elif isinstance(node, ast.Call):
            handed.update(each.id for each in node.args if isinstance(each, ast.Name))
    if not functions.isdisjoint(handed):
        return True
    for node in _runs_through(tree, (ast.ClassDef,)):
        match node:
            case ast.AsyncFunctionDef(decorator_list=[_, *_]):
                return True
            case ast.Name(id="workflow") | ast.Attribute(attr="workflow"):
                return True
            case ast.ImportFrom() if any(alias.name == "workflow" for alias in node.names):
                return True
    return False
