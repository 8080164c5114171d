"""Cassettes in YAML, read as plain values by the parser's events; no object is ever constructed.

The parser is PyYAML's, which gives a flat sequence of events; what they become is decided here, by
a closed list of tags. An alias is a reference to what was built already, and counts as often as it
is used, so a few lines cannot become billions. Unquoted words stay text: no dates, no Norway.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from replay.errors import IntegrityError, SetupError

if TYPE_CHECKING:
    import yaml

__all__ = ["DEPTH_MAX", "NODES_MAX", "Plain", "read_yaml"]

DEPTH_MAX: Final = 32
#: Values, those behind an alias counted at each use.
NODES_MAX: Final = 2_000_000
_BYTES_MAX: Final = 512 << 20

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | bytes | int | None"

_YAML: Final = "tag:yaml.org,2002:"
_TEXT: Final = frozenset({"!", f"{_YAML}str", f"{_YAML}python/str", f"{_YAML}python/unicode"})
_COLLECTIONS: Final = frozenset(
    {
        "!",
        f"{_YAML}map",
        f"{_YAML}seq",
        f"{_YAML}python/tuple",
        # How vcrpy writes bodies that were files or iterators: their content stands below.
        f"{_YAML}python/object/new:_io.BytesIO",
        f"{_YAML}python/object/apply:builtins.iter",
    }
)
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,15}")


def read_yaml(data: bytes, name: str) -> Plain:
    """Return the one document of a YAML file as plain values.

    Args:
        data: the file.
        name: of the file, for errors.

    Raises:
        IntegrityError: it is no YAML, has a tag that is not of the list, or is over a limit.
        SetupError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise SetupError(
            "a cassette in YAML needs PyYAML", hint='pip install "ritornello[interop]"'
        ) from None
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder(name).build(yaml.parse(data, Loader=loader))
    except (yaml.YAMLError, UnicodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = name if mark is None else f"{name}, line {mark.line + 1}"
        problem = getattr(error, "problem", None) or type(error).__name__
        raise IntegrityError(f"this is no YAML: {problem}", where=where) from None


class _Open:
    """A collection that is not complete yet."""

    __slots__ = ("anchor", "key", "line", "value", "weight")

    def __init__(self, value: dict[str, Plain] | list[Plain], anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: str | None = None
        self.weight = (1, 0)


class _Builder:
    """Builds plain values from events; weights are (values, bytes)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._line = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Plain, tuple[int, int]]] = {}
        self._root: list[Plain] = []

    def build(self, events: Iterator[yaml.Event]) -> Plain:
        """Return what the events say.

        Raises:
            IntegrityError: something that no cassette has.
        """
        for event in events:
            mark = event.start_mark
            self._line = 0 if mark is None else mark.line + 1
            self._take(type(event).__name__, event)
        return self._root[0] if self._root else None

    def _take(self, kind: str, event: Any) -> None:
        if kind == "ScalarEvent":
            value = self._scalar(event)
            size = len(value) if isinstance(value, str | bytes) else 0
            self._put(value, (1, size), event.anchor)
        elif kind == "AliasEvent":
            known = self._anchors.get(event.anchor)
            if known is None:
                raise self._refused("an alias to nothing, or to what it stands in")
            self._put(*known, None)
        elif kind in {"MappingStartEvent", "SequenceStartEvent"}:
            if event.tag is not None and event.tag not in _COLLECTIONS:
                raise self._refused(f"tag {event.tag[:80]!r}")
            if len(self._stack) >= DEPTH_MAX:
                raise self._refused(f"more than {DEPTH_MAX} levels")
            self._stack.append(_Open({} if kind[0] == "M" else [], event.anchor))
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            closed = self._stack.pop()
            self._put(closed.value, closed.weight, closed.anchor)
        elif kind == "DocumentStartEvent" and self._root:
            raise self._refused("a second document")

    def _put(self, value: Plain, weight: tuple[int, int], anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, weight)
        if not self._stack:
            self._root.append(value)
            return
        parent = self._stack[-1]
        nodes, size = parent.weight[0] + weight[0], parent.weight[1] + weight[1]
        if nodes > NODES_MAX or size > _BYTES_MAX:
            raise self._refused("too much, with what its aliases stand for")
        parent.weight = (nodes, size)
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is None:
            # A number as a name is its text.
            if isinstance(value, int):
                value = str(value)
            if not isinstance(value, str):
                raise self._refused("a name that is no text")
            if value in parent.value:
                raise self._refused(f"a name that stands twice: {value[:80]!r}")
            parent.key = value
        else:
            parent.value[parent.key] = value
            parent.key = None

    def _scalar(self, event: Any) -> str | bytes | int | None:
        tag, text = event.tag, str(event.value)
        if tag in _TEXT:
            return text
        if tag == f"{_YAML}binary":
            try:
                return base64.b64decode("".join(text.split()), validate=True)
            except ValueError:
                raise self._refused("binary data that are no base64") from None
        if tag == f"{_YAML}null":
            return None
        if tag is not None and tag != f"{_YAML}int":
            raise self._refused(f"tag {tag[:80]!r}")
        plain = bool(event.implicit[0])
        if plain and text in _NULL and tag is None:
            return None
        if (plain or tag) and _INTEGER.fullmatch(text):
            return int(text)
        return text

    def _refused(self, what: str) -> IntegrityError:
        return IntegrityError(
            f"not read: {what}", where=f"{self._name}, line {self._line}", hint="record it anew"
        )
