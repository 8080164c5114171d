"""Writes the catalogue of kinds into docs/reference/record.md, or says that the page is old.

The page has a generated part between two marks; all else on it is written by hand. The source is
the code: docstrings, fields and roles of the payload structs, and the header. Run
``python -m tools.kinds_reference --write`` after a change there.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from replay.events import kinds, workspace_kinds
from replay.events.header import Header

__all__ = ["PAGE", "check_page", "generated", "rewritten"]

PAGE: Final = Path("docs/reference/record.md")
_START: Final = "<!-- generated: python -m tools.kinds_reference --write -->"
_END: Final = "<!-- end of the generated part -->"
_ATTRIBUTE: Final = re.compile(r"^([a-z_, ]+): (.*)$")


def generated() -> str:
    """The generated part: header fields, kinds of a run, kinds of the workspace log."""
    lines = ["## Header fields", "", *_fields(Header), ""]
    lines += ["## Kinds of a run", ""]
    for struct in get_args(kinds.Payload):
        lines += _kind(struct, kinds.CATALOGUE[_tag(struct)])
    lines += ["## Kinds of the workspace log", ""]
    lines += ["All are `noted`: nothing replays a workspace.", ""]
    for struct in get_args(workspace_kinds.WorkspacePayload):
        lines += _kind(struct, None)
    return "\n".join(lines)


def rewritten(text: str) -> str:
    """The page with its generated part made anew.

    Raises:
        ValueError: the page lacks one of the two marks.
    """
    before, start, rest = text.partition(_START)
    _, end, after = rest.partition(_END)
    if not start or not end:
        raise ValueError(f"{PAGE} lacks the marks of its generated part")
    return f"{before}{start}\n\n{generated()}\n{end}{after}"


def check_page(root: Path) -> bool:
    """Whether the page says what the code says."""
    text = (root / PAGE).read_text(encoding="utf-8")
    return rewritten(text) == text


def _tag(struct: type[msgspec.Struct]) -> str:
    return str(struct.__struct_config__.tag)


def _kind(struct: type[msgspec.Struct], role: str | None) -> Iterator[str]:
    summary, described = _docstring(struct)
    yield f"### `{_tag(struct)}`"
    yield ""
    yield (f"*{role}.* " if role else "") + summary
    yield ""
    if msgspec.structs.fields(struct):
        yield from _table(struct, described)
        yield ""


def _fields(struct: type[msgspec.Struct]) -> Iterator[str]:
    _, described = _docstring(struct)
    yield from _table(struct, described)


def _table(struct: type[msgspec.Struct], described: dict[str, str]) -> Iterator[str]:
    annotations = struct.__annotations__
    yield "| field | type | meaning |" if described else "| field | type |"
    yield "|---|---|---|" if described else "|---|---|"
    for field in msgspec.structs.fields(struct):
        kind = str(annotations[field.name]).replace("|", "\\|") + _default(field)
        meaning = f" {described.get(field.name, '')} |" if described else ""
        yield f"| `{field.encode_name}` | `{kind}` |{meaning}"


def _default(field: Any) -> str:
    """What a field is when it is absent; the page shows plain defaults only."""
    if field.default is msgspec.NODEFAULT or field.default is None:
        return ""
    return f" = {msgspec.json.encode(field.default).decode()}"


def _docstring(struct: type[msgspec.Struct]) -> tuple[str, dict[str, str]]:
    """The prose before the attributes as one paragraph, and what is said of each attribute."""
    text = inspect.getdoc(struct) or ""
    prose, _, listed = text.partition("\nAttributes:\n")
    described: dict[str, str] = {}
    names: list[str] = []
    for line in listed.splitlines():
        match = _ATTRIBUTE.match(line.strip()) if line.startswith("    ") else None
        if match is not None and not line.startswith("     "):
            names = [name.strip() for name in match.group(1).split(",")]
            described.update(dict.fromkeys(names, match.group(2)))
        elif line.strip():
            described.update({name: f"{described[name]} {line.strip()}" for name in names})
    return " ".join(_plain(prose).split()), {k: _plain(v) for k, v in described.items()}


def _plain(text: str) -> str:
    """Docstring markup as Markdown."""
    return text.replace("``", "`").replace("|", "\\|")


def main() -> int:
    """Checks the page, or with ``--write`` writes it."""
    page = Path.cwd() / PAGE
    if "--write" in sys.argv[1:]:
        page.write_text(rewritten(page.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    current = check_page(Path.cwd())
    print(f"{PAGE}: {'current' if current else 'old; run with --write'}")
    return 0 if current else 1


if __name__ == "__main__":
    sys.exit(main())
