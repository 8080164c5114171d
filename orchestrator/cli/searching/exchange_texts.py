"""The texts of an exchange, as the installed dialects read them; for searches only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from replay.doors.dialect import Dialect, RequestView, ResponseView
from replay.events.kinds import ResponseReceived, ToolCalled
from replay.session.extensions import load_dialects

__all__ = ["ExchangeTexts", "installed_readings"]


class ExchangeTexts:
    """Reads an exchange with the first dialect that matches it."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        self._dialects = dialects

    def __call__(self, request: RequestView, response: ResponseView) -> Sequence[str]:
        """Return the texts of an exchange, whole."""
        for dialect in self._dialects:
            if dialect.matches(request):
                return tuple(self._texts(dialect, request, response))
        return ()

    def _texts(
        self, dialect: Dialect, request: RequestView, response: ResponseView
    ) -> Iterator[str]:
        for fact in dialect.read_response(request, response):
            if isinstance(fact, ResponseReceived):
                yield from (fact.text, fact.thinking, fact.error_message or "")
            elif isinstance(fact, ToolCalled):
                yield fact.arguments


def installed_readings() -> ExchangeTexts:
    """Return the reading of everything that is installed."""
    return ExchangeTexts(load_dialects())
