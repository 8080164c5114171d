"""The difference of two runs as one page: no script, nothing from outside, all of it escaped.

Recorded text is hostile. It only ever stands between tags, escaped, with every character spelled
out that could reorder or hide what is read; and the page forbids itself scripts, images, forms and
connections.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from orchestrator.cli.reading.diff_text import CLASS_TEXTS, HEAD, end_text, name_of, pair_of, row_of
from orchestrator.cli.terminal import inert, instant
from replay.forensics.diff.values import (
    Difference,
    FieldDifference,
    RunDiff,
    RunFacts,
    Segment,
)

__all__ = ["MARK", "page"]

#: Stands at the beginning of every page.
MARK: Final = "<!-- ritornello/diff/1 -->"

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; }
td, dd, pre { overflow-wrap: anywhere; vertical-align: top; } th { font-weight: 600; }
pre { white-space: pre-wrap; margin: .3rem 0; padding: .5rem; border: 1px solid #8886; }
code { font-family: ui-monospace, monospace; } .numbers td { font-variant-numeric: tabular-nums; }
del { background: #d333; } ins { background: #2a53; text-decoration: none; }
del::before { content: "[-"; } del::after { content: "-]"; }
ins::before { content: "{+"; } ins::after { content: "+}"; }
details { margin: .3rem 0; } summary { cursor: pointer; }
"""
_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)


def page(found: RunDiff) -> str:
    """Return the page."""
    return "\n".join(_page(found)) + "\n"


def _page(found: RunDiff) -> Iterator[str]:
    yield "<!doctype html>"
    yield MARK
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_escaped(_POLICY)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>Two runs: {found.verdict}</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>Two runs: {found.verdict.replace('_', ' ')}</h1>"
    yield from _table(
        ("", "Run", "Ended", "Events", "Started"), [_run("A", found.a), _run("B", found.b)]
    )
    yield (
        f"<p>{found.equal} things are the same; {found.changed} changed, {found.only_a} only in A,"
        f" {found.only_b} only in B. {found.ignored} differences are ignored, {found.not_compared}"
        f" things are not here to be compared, {found.moved} came in another order.</p>"
    )
    if found.first is not None:
        yield from _first(found, found.first)
        yield from _others(found)
    yield from _outputs(found)
    yield "<h2>Task by task</h2>"
    rows = [row_of("(the run)", found.a.figures, found.b.figures, None)]
    rows += [row_of(pair.task, pair.a, pair.b, pair.differences) for pair in found.tasks]
    yield from _table(HEAD, rows, "numbers")
    if found.omitted_tasks:
        yield f"<p>{found.omitted_tasks} more tasks are not listed.</p>"
    yield "<p>A | B where they differ. Tokens as providers gave them; no price is on record.</p>"
    if found.code:
        yield "<h2>The program's own source</h2>"
        yield from _fields(found.code)
    if found.set_up:
        yield "<h2>Set up otherwise</h2>"
        yield from _fields(found.set_up)
    yield "<details><summary>What is ignored</summary>"
    uses = [
        (use.rule, "default" if use.default else "given", _count(use.records))
        for use in found.rules
    ]
    yield from _table(("Rule", "", "Records"), uses)
    yield "</details></main></body></html>"


def _first(found: RunDiff, first: Difference) -> Iterator[str]:
    yield f"<h2>First divergence: {first.cls}</h2>"
    yield f"<p>{_escaped(CLASS_TEXTS[first.cls])}: <code>{_escaped(name_of(first))}</code></p>"
    yield from _difference(first)
    yield f"<p>{found.prefix} things before it are the same, in the same order.</p>"
    if found.ignored_causes:
        yield "<p>Among its causes, ignored:</p>"
        rows = [
            (cause.rule, str(cause.count), pair_of(cause.nearest_a, cause.nearest_b))
            for cause in found.ignored_causes
        ]
        yield from _table(("Rule", "Records", "The last"), rows)
    yield (
        f"<p>{found.reached_a} events of A and {found.reached_b} of B come after it by their"
        f" causes. {found.follows} differences follow from it, {found.independent} do not.</p>"
    )
    if found.reached:
        yield "<details><summary>What comes after it</summary>"
        reached = [(each.task, each.kind, str(each.a), str(each.b)) for each in found.reached]
        yield from _table(("Task", "Kind", "A", "B"), reached, "numbers")
        yield "</details>"


def _others(found: RunDiff) -> Iterator[str]:
    others = [each for each in found.differences if each is not found.first]
    if not others:
        return
    yield "<h2>Other differences</h2>"
    for each in others:
        mark = "follows" if each.follows_first else "root" if each.root else "other"
        yield (
            f"<details><summary>{each.cls}, {mark}:"
            f" <code>{_escaped(name_of(each))}</code></summary>"
        )
        yield from _difference(each)
        yield "</details>"
    if found.omitted:
        yield f"<p>{found.omitted} more are not listed.</p>"


def _difference(each: Difference) -> Iterator[str]:
    yield from _fields(each.fields)
    if each.omitted_fields:
        yield f"<p>{each.omitted_fields} more fields differ.</p>"
    for side, place in (("A", each.place_a), ("B", each.place_b)):
        if place is not None:
            yield f"<p>In {side} at <code>{_escaped(place)}</code></p>"


def _fields(fields: Iterable[FieldDifference]) -> Iterator[str]:
    for field in fields:
        yield f"<p><code>{_escaped(field.path)}</code></p>"
        if field.words:
            yield f"<pre>{''.join(map(_segment, field.words))}</pre>"
            continue
        for side, value in (("A", field.a), ("B", field.b)):
            if value is not None:
                yield f"<pre>{side}: {_escaped(value)}</pre>"


def _segment(segment: Segment) -> str:
    tag = {"a": "del", "b": "ins", "both": "span"}[segment.of]
    return f"<{tag}>{_escaped(segment.text)}</{tag}>"


def _outputs(found: RunDiff) -> Iterator[str]:
    out = found.outputs
    yield "<h2>What came out</h2>"
    yield from _table(("", "Ended"), [("A", end_text(out.end_a)), ("B", end_text(out.end_b))])
    yield from _fields(out.streams)
    if out.files:
        rows = [(each.path, _bytes(each.size_a), _bytes(each.size_b)) for each in out.files]
        yield from _table(("File", "A", "B"), rows)
    yield (
        f"<p>The same: {out.streams_same} streams, {out.files_same} files."
        f" Not compared: {out.files_not_compared} files.</p>"
    )


def _run(side: str, run: RunFacts) -> Sequence[str]:
    ended = run.reason or "open: no seal"
    return side, run.run or "-", ended, str(run.events), instant(run.started_us)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], style: str = "") -> Iterator[str]:
    yield f'<table class="{style}"><thead><tr>' if style else "<table><thead><tr>"
    yield (
        "".join(f'<th scope="col">{_escaped(cell)}</th>' for cell in head) + "</tr></thead><tbody>"
    )
    for row in rows:
        yield "<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table>"


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def _bytes(size: int | None) -> str:
    return "not written" if size is None else f"{size} bytes"


def _escaped(text: str) -> str:
    """Return text that is only ever text: what steers is spelled out, but for line feeds."""
    return html.escape("\n".join(inert(line) for line in text.split("\n")), quote=True)
