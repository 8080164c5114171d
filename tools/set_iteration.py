"""Finds places where the order of a set becomes visible, as far as a syntax tree shows it.

A value is visibly a set when it is a set literal, comprehension, call of `set` or `frozenset`, a
set operator between such values, or a name or `self` attribute that is assigned or annotated so
in the same scope. Sorting, measuring and membership do not show the order.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["set_iterations"]

_MAKERS = frozenset({"set", "frozenset"})
_TYPES = frozenset({"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"})
_ORDER_SHOWING = frozenset({"list", "tuple", "iter", "enumerate", "zip", "map", "filter", "dict"})
_SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference"})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def set_iterations(tree: ast.Module) -> Iterator[int]:
    """Line numbers where a visible set is iterated in an order that can be seen."""
    attributes = {
        node.target.attr if isinstance(node.target, ast.Attribute) else node.target.id
        for owner in ast.walk(tree)
        if isinstance(owner, ast.ClassDef)
        for node in ast.walk(owner)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Attribute | ast.Name)
        and _is_set_type(node.annotation)
    }
    yield from _in_scope(tree, frozenset(), frozenset(attributes))


def _in_scope(scope: ast.AST, outer: frozenset[str], attributes: frozenset[str]) -> Iterator[int]:
    own = list(_own_nodes(scope))
    names = outer | frozenset(_set_names(scope, own, outer, attributes))
    for node in own:
        for value in _order_shown(node):
            if _is_set(value, names, attributes):
                yield value.lineno
        if isinstance(node, _SCOPES):
            yield from _in_scope(node, names, attributes)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of one scope, in source order; nested functions are given but not entered."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, _SCOPES):
            yield from _own_nodes(child)


def _set_names(
    scope: ast.AST, own: list[ast.AST], outer: frozenset[str], attributes: frozenset[str]
) -> Iterator[str]:
    if isinstance(scope, _SCOPES):
        arguments = scope.args
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            if argument.annotation is not None and _is_set_type(argument.annotation):
                yield argument.arg
    for node in own:
        if isinstance(node, ast.Assign) and _is_set(node.value, outer, attributes):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and _is_set_type(node.annotation)
        ):
            yield node.target.id


def _order_shown(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.For | ast.AsyncFor):
        yield node.iter
    elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
        yield from (generator.iter for generator in node.generators)
    elif isinstance(node, ast.Starred | ast.YieldFrom):
        yield node.value
    elif isinstance(node, ast.Call):
        function = node.func
        name = function.id if isinstance(function, ast.Name) else ""
        method = function.attr if isinstance(function, ast.Attribute) else ""
        if name in _ORDER_SHOWING or method in {"join", "extend"}:
            yield from node.args
        elif isinstance(function, ast.Attribute) and method == "pop" and not node.args:
            yield function.value


def _is_set(node: ast.expr, names: frozenset[str], attributes: frozenset[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.attr in attributes
    if isinstance(node, ast.BinOp) and isinstance(
        node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor
    ):
        sides = (node.left, node.right)
        return any(_is_set(side, names, attributes) for side in sides)
    if isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Name):
            return function.id in _MAKERS
        return isinstance(function, ast.Attribute) and function.attr in _SET_METHODS
    return False


def _is_set_type(annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.Subscript):
        return _is_set_type(annotation.value)
    if isinstance(annotation, ast.Attribute):
        return annotation.attr in _TYPES
    return isinstance(annotation, ast.Name) and annotation.id in _TYPES
