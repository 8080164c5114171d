"""CSV that no spreadsheet runs: RFC 4180, and no cell that begins a formula.

Source: RFC 4180; OWASP, "CSV Injection".
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from orchestrator.reports.spelling import spelled

__all__ = ["Cell", "csv_bytes", "neutral"]

#: None is an empty cell: unknown.
Cell: TypeAlias = str | int | None

#: What spreadsheets take for the beginning of a formula; they take the full-width forms as well.
_FORMULA: Final = frozenset("=+-@|%")
_CELL_MAX: Final = 1000
#: Where the language of a system has the semicolon between cells, as in Germany or France, a
#: spreadsheet begins one behind each.
_OTHER_CELL: Final = re.compile(r""";([ '"]*)(\S)""")


def neutral(text: str) -> str:
    """Return text that is a text in every spreadsheet: a quote before what begins a formula."""
    shown = _OTHER_CELL.sub(_quoted, spelled(text, _CELL_MAX))
    return f"'{shown}" if _begins_formula(shown.lstrip(" '\"")[:1]) else shown


def _quoted(match: re.Match[str]) -> str:
    return f";'{match[1]}{match[2]}" if _begins_formula(match[2]) else match[0]


def _begins_formula(character: str) -> bool:
    return unicodedata.normalize("NFKC", character) in _FORMULA


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return a table as CSV in UTF-8, with a line of names; every text is made neutral."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if c is None else neutral(c) if isinstance(c, str) else c for c in row])
    return out.getvalue().encode()
