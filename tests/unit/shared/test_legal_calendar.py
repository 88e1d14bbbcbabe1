"""Months, working days and due days, over the published tables and over none."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from shared.calendar import (
    TABLES,
    CalendarNotPublished,
    Due,
    LegalCalendar,
    YearTable,
    add_months,
    add_working_days,
    calendar,
    due_after_months,
    due_after_working_days,
    fixed_date,
    is_working_day,
    known_year,
    legal_day,
    load_calendar,
    next_fixed_date,
    next_working_day,
    read_tables,
)

GOLDEN = yaml.safe_load((Path(__file__).parent / "golden" / "calendar.yaml").read_text(encoding="utf-8"))
NOT_YET = Due(None, None, provisional=True)
INVENTED_2027 = """
years:
  2027:
    rest: [2027-01-01..2027-01-03, 2027-03-10]
    adjusted_work: [2027-01-09]
"""


@pytest.mark.parametrize(("year", "days"), GOLDEN["working_days_in_year"].items())
def test_a_year_has_as_many_working_days_as_its_table_gives(year: int, days: int) -> None:
    every = (date(year, 1, 1) + timedelta(days=n) for n in range(366))
    assert sum(is_working_day(day) for day in every if day.year == year) == days


@pytest.mark.parametrize("case", GOLDEN["months"], ids=lambda case: str(case["from"]))
def test_a_month_ends_on_the_same_day_number_or_the_last(case: dict[str, date]) -> None:
    assert [add_months(case["from"], n) for n in (1, 2, 12)] == [case["m1"], case["m2"], case["m12"]]


def test_months_may_be_counted_back() -> None:
    assert add_months(date(2026, 3, 31), -1) == date(2026, 2, 28)
    assert add_months(date(2026, 1, 15), -13) == date(2024, 12, 15)
    assert add_months(date(2026, 1, 15), 0) == date(2026, 1, 15)


@pytest.mark.parametrize("case", GOLDEN["working_terms"], ids=lambda case: str(case["received"]))
def test_a_term_in_working_days_ends_where_the_notices_say(case: dict[str, date]) -> None:
    found = due_after_working_days(case["received"], int(str(case["days"])))
    assert found == (Due(case["due"], case["due"], provisional=False) if case["due"] else NOT_YET)


@pytest.mark.parametrize("case", GOLDEN["days"], ids=lambda case: str(case["day"]))
def test_a_day_is_worked_or_not_as_published(case: dict[str, object]) -> None:
    assert is_working_day(date.fromisoformat(str(case["day"]))) is case["works"]


@pytest.mark.parametrize("case", GOLDEN["rolled"], ids=lambda case: str(case["nominal"]))
def test_a_counted_day_rolls_to_the_next_working_day(case: dict[str, date]) -> None:
    assert calendar().rolled(case["nominal"]) == Due(case["nominal"], case["due"], provisional=False)
    assert next_working_day(case["nominal"]) == case["due"]


def test_a_term_in_months_is_rolled_only_when_asked() -> None:
    published = date(2026, 3, 10)
    assert due_after_months(published, 2, roll=True) == Due(date(2026, 5, 10), date(2026, 5, 11), provisional=False)
    assert due_after_months(published, 2, roll=False) == Due(date(2026, 5, 10), date(2026, 5, 10), provisional=False)


def test_a_term_into_an_unpublished_year_stays_as_counted_and_provisional() -> None:
    nominal = date(2027, 3, 10)
    assert due_after_months(date(2026, 3, 10), 12, roll=True) == Due(nominal, nominal, provisional=True)
    assert due_after_months(date(2026, 3, 10), 12, roll=False) == Due(nominal, nominal, provisional=False)


def test_a_later_table_settles_what_was_provisional(tmp_path: Path) -> None:
    newer = tmp_path / "2027.yaml"
    newer.write_text(INVENTED_2027)
    for settled in (load_calendar(TABLES, newer), calendar().with_tables(read_tables(newer))):
        assert settled.rolled(date(2027, 3, 10)) == Due(date(2027, 3, 10), date(2027, 3, 11), provisional=False)
        working = settled.due_after_working_days(date(2026, 12, 28), 5)
        assert working == Due(date(2027, 1, 5), date(2027, 1, 5), provisional=False)
        assert settled.is_working_day(date(2027, 1, 9))
        assert settled.rolled(date(2026, 5, 10)) == calendar().rolled(date(2026, 5, 10))
    assert not known_year(2027)


def test_rolling_over_the_end_of_the_known_years_is_provisional() -> None:
    only_2028 = LegalCalendar({2028: YearTable(frozenset(), frozenset())})
    new_years_eve = date(2028, 12, 31)
    assert new_years_eve.weekday() == 6
    assert only_2028.rolled(new_years_eve) == Due(new_years_eve, new_years_eve, provisional=True)
    assert only_2028.rolled(date(2028, 12, 24)) == Due(date(2028, 12, 24), date(2028, 12, 25), provisional=False)


def test_a_table_may_move_a_day_of_the_neighbouring_year() -> None:
    tables = read_tables(TABLES)
    moved = tables | {2027: YearTable(frozenset({date(2026, 12, 31)}), frozenset())}
    assert is_working_day(date(2026, 12, 31))
    assert not LegalCalendar(moved).is_working_day(date(2026, 12, 31))


@pytest.mark.parametrize("year", [2023, 2027])
def test_nobody_guesses_the_days_of_an_unknown_year(year: int) -> None:
    assert not known_year(year)
    with pytest.raises(CalendarNotPublished) as refused:
        is_working_day(date(year, 6, 6))
    assert refused.value.year == year


def test_the_day_of_the_event_does_not_count() -> None:
    assert add_working_days(date(2026, 3, 2), 1) == date(2026, 3, 3)
    assert add_working_days(date(2026, 3, 7), 1) == date(2026, 3, 9)
    assert add_working_days(date(2026, 3, 7), 0) == date(2026, 3, 7)
    with pytest.raises(ValueError, match="negative"):
        add_working_days(date(2026, 3, 2), -1)
    with pytest.raises(CalendarNotPublished):
        add_working_days(date(2026, 12, 31), 1)


def test_a_date_named_by_the_law_does_not_roll() -> None:
    sunday = date(2026, 3, 15)
    assert sunday.weekday() == 6
    assert fixed_date(2026, 3, 15) == Due(sunday, sunday, provisional=False)
    assert calendar().rolled(sunday).due_on == date(2026, 3, 16)
    assert fixed_date(2031, 3, 15).provisional is False


@pytest.mark.parametrize(
    ("after", "due"),
    [
        (date(2026, 3, 14), date(2026, 3, 15)),
        (date(2026, 3, 15), date(2027, 3, 15)),
        (date(2026, 12, 31), date(2027, 3, 15)),
    ],
)
def test_the_next_fixed_date_is_strictly_after(after: date, due: date) -> None:
    assert next_fixed_date(after, 3, 15) == Due(due, due, provisional=False)


def test_a_legal_day_begins_at_midnight_in_shanghai() -> None:
    assert legal_day(datetime(2026, 3, 10, 15, 59, 59, tzinfo=UTC)) == date(2026, 3, 10)
    assert legal_day(datetime(2026, 3, 10, 16, 0, tzinfo=UTC)) == date(2026, 3, 11)
    with pytest.raises(ValueError, match="time zone"):
        legal_day(datetime(2026, 3, 10))  # noqa: DTZ001 (the point of the test)


def test_a_range_that_ends_before_it_starts_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("years: {2027: {rest: [2027-02-02..2027-02-01], adjusted_work: []}}")
    with pytest.raises(ValueError, match="ends before"):
        load_calendar(broken)
