"""Periods of days in UTC, as a provider's invoice has them."""

from __future__ import annotations

import calendar
import email.utils
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from replay.errors import UsageError

__all__ = ["Period", "day_of", "parse_period"]

_DAY: Final = r"([0-9]{4}-[0-9]{2}(?:-[0-9]{2})?)"
_FORM: Final = re.compile(rf"{_DAY}(?:\.\.{_DAY})?")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_MAX: Final = 64


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """Days, both ends included."""

    first: date
    last: date


def parse_period(text: str) -> Period | None:
    """Read `2026-11`, `2026-11-03` or two of these with `..` between; None for another form.

    Raises:
        UsageError: there is no such day, or the period runs backwards.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    try:
        first, last = _ends(match[1])[0], _ends(match[2] or match[1])[1]
    except ValueError:
        raise UsageError("there is no such day or month", where=text) from None
    if first > last:
        raise UsageError("the period runs backwards", where=text)
    return Period(first=first, last=last)


def _ends(text: str) -> tuple[date, date]:
    """Return first and last day of a month, or one day twice."""
    year, month, *day = map(int, text.split("-"))
    if day:
        return date(year, month, day[0]), date(year, month, day[0])
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def day_of(response_date: str | None, sent_us: int) -> tuple[date | None, str]:
    """Return the day of an exchange, and whose word that is: the provider's, or the record's.

    A date that no clock can show is nobody's: None.
    """
    if response_date is not None and len(response_date) <= _DATE_MAX:
        try:
            found = email.utils.parsedate_to_datetime(response_date)
            if found.tzinfo is None:  # without a zone it is UTC, not that of this machine
                found = found.replace(tzinfo=UTC)
            return found.astimezone(UTC).date(), "provider"
        except (ValueError, TypeError, OverflowError):
            pass
    try:
        return (_EPOCH + timedelta(microseconds=sent_us)).date(), "record"
    except OverflowError:
        return None, ""
