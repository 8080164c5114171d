import time
from datetime import date

import pytest

from orchestrator.cli.batch.report_period import Period, day_of, parse_period
from replay.errors import UsageError


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11", date(2026, 11, 1), date(2026, 11, 30)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-11-03", date(2026, 11, 3), date(2026, 11, 3)),
        ("2026-11-01..2026-11-21", date(2026, 11, 1), date(2026, 11, 21)),
        ("2026-10..2026-11-02", date(2026, 10, 1), date(2026, 11, 2)),
    ],
)
def test_a_period_is_days_with_both_ends(text, first, last):
    assert parse_period(text) == Period(first=first, last=last)


@pytest.mark.parametrize("text", ["last", "01M7YB", "2026", "2026-1", "2026-11-", "x.ritornello"])
def test_what_is_none_is_the_name_of_a_run(text):
    assert parse_period(text) is None


@pytest.mark.parametrize("text", ["2026-13", "2026-02-30", "0000-01", "2026-11..2026-10"])
def test_a_day_that_is_not_and_a_period_backwards_are_refused(text):
    with pytest.raises(UsageError):
        parse_period(text)


@pytest.mark.parametrize(
    ("said", "day", "by"),
    [
        ("Sat, 21 Nov 2026 23:30:00 GMT", date(2026, 11, 21), "provider"),
        ("Sat, 21 Nov 2026 23:30:00 -0500", date(2026, 11, 22), "provider"),
        (None, date(1970, 1, 1), "record"),
        ("yesterday", date(1970, 1, 1), "record"),
        ("9" * 100_000, date(1970, 1, 1), "record"),
        ("Sat, 21 Nov 99999 23:30:00 GMT", date(1970, 1, 1), "record"),
    ],
)
def test_the_day_is_the_providers_where_it_gave_one(said, day, by):
    assert day_of(said, 0) == (day, by)


@pytest.mark.parametrize("said", ["Sat, 21 Nov 2026 03:30:00 -0000", "Sat, 21 Nov 2026 03:30:00"])
def test_a_date_without_a_zone_is_one_in_utc_wherever_the_report_is_made(said, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert day_of(said, 0) == (date(2026, 11, 21), "provider")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_time_that_no_clock_shows_has_no_day():
    assert day_of(None, 2**53 - 1) == (None, "") or day_of(None, 2**53 - 1)[0].year > 2200
    assert day_of(None, 2**62) == (None, "")
