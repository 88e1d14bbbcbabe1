"""The legal calendar: months, working days and due days by the dated tables of the State Council."""

from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from shared.clock import SHANGHAI
from shared.datafiles import read_data

TABLES = Path(__file__).parent / "data" / "holidays.yaml"
_DAY = timedelta(days=1)


class CalendarNotPublished(LookupError):
    """The days off of a year are not known (yet), so nobody can say which of its days are worked."""

    def __init__(self, year: int) -> None:
        super().__init__(f"no holiday table for {year}")
        self.year = year


@dataclass(frozen=True)
class Due:
    """When something is due: as counted, and as it falls after rolling; provisional until the table is published.

    A term in working days that no table covers has neither day.
    """

    nominal_on: date | None
    due_on: date | None
    provisional: bool


@dataclass(frozen=True)
class YearTable:
    """What one notice says: the days off, and the weekend days that are worked instead."""

    rest: frozenset[date]
    adjusted_work: frozenset[date]


class LegalCalendar:
    """Working days and due days over the tables of some years; pure, so that another set of tables is another calendar."""

    def __init__(self, tables: Mapping[int, YearTable]) -> None:
        self._tables = dict(tables)
        # a notice may move days of a neighbouring year (New Year), so every table speaks for all of its days
        self._rest = frozenset[date]().union(*(table.rest for table in self._tables.values()))
        self._work = frozenset[date]().union(*(table.adjusted_work for table in self._tables.values()))

    def with_tables(self, tables: Mapping[int, YearTable]) -> "LegalCalendar":
        """This calendar with further or newer tables."""
        return LegalCalendar(self._tables | dict(tables))

    def known_year(self, year: int) -> bool:
        """Whether the table of a year is loaded."""
        return year in self._tables

    def is_working_day(self, day: date) -> bool:
        """Neither weekend nor day off, or a weekend day that is worked; CalendarNotPublished for an unknown year."""
        if day.year not in self._tables:
            raise CalendarNotPublished(day.year)
        if day in self._work:
            return True
        return day.weekday() < 5 and day not in self._rest

    def next_working_day(self, day: date) -> date:
        """The day itself if it is worked, else the first one after it; CalendarNotPublished past the known years."""
        while not self.is_working_day(day):
            day += _DAY
        return day

    def add_working_days(self, day: date, n: int) -> date:
        """The n-th working day after a day, which does not count itself (民法典 第二百零一条); CalendarNotPublished."""
        if n < 0:
            raise ValueError("a term has no negative length")
        for _ in range(n):
            day = self.next_working_day(day + _DAY)
        return day

    def rolled(self, nominal_on: date) -> Due:
        """A counted day moved to a working day (民法典 第二百零三条); as counted and provisional where that is unknown."""
        try:
            return Due(nominal_on, self.next_working_day(nominal_on), provisional=False)
        except CalendarNotPublished:
            return Due(nominal_on, nominal_on, provisional=True)

    def due_after_months(self, day: date, n: int, *, roll: bool) -> Due:
        """A term of n months after a day; unrolled terms need no table and are never provisional."""
        nominal_on = add_months(day, n)
        return self.rolled(nominal_on) if roll else Due(nominal_on, nominal_on, provisional=False)

    def due_after_working_days(self, day: date, n: int) -> Due:
        """A term of n working days after a day; without days and provisional where a table is missing."""
        try:
            due_on = self.add_working_days(day, n)
        except CalendarNotPublished:
            return Due(None, None, provisional=True)
        return Due(due_on, due_on, provisional=False)


def read_tables(path: Path) -> dict[int, YearTable]:
    """The published years of a file; a year that is null is left out. ValueError for a range that ends before it starts."""
    years = read_data(path)["years"]
    return {year: _table(table) for year, table in years.items() if table is not None}


def _table(table: Mapping[str, Any]) -> YearTable:
    return YearTable(frozenset(_days(table["rest"])), frozenset(_days(table["adjusted_work"])))


def _days(listed: Iterable[date | str]) -> Iterator[date]:
    for item in listed:
        first, _, last = str(item).partition("..")
        day, end = date.fromisoformat(first), date.fromisoformat(last or first)
        if end < day:
            raise ValueError(f"{item} ends before it starts")
        while day <= end:
            yield day
            day += _DAY


def load_calendar(*paths: Path) -> LegalCalendar:
    """A calendar from files; a later file adds years to the earlier ones or replaces them."""
    tables: dict[int, YearTable] = {}
    for path in paths:
        tables |= read_tables(path)
    return LegalCalendar(tables)


@cache
def calendar() -> LegalCalendar:
    """The calendar of the tables that come with the product."""
    return load_calendar(TABLES)


def add_months(day: date, n: int) -> date:
    """The same day number n months on, else the last day of that month (民法典 第二百零二条)."""
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def fixed_date(year: int, month: int, day: int) -> Due:
    """A date that the law itself names (15 March): never rolled, never provisional."""
    named = date(year, month, day)
    return Due(named, named, provisional=False)


def next_fixed_date(after: date, month: int, day: int) -> Due:
    """The first such date strictly after a day."""
    this_year = fixed_date(after.year, month, day)
    assert this_year.due_on is not None
    return this_year if this_year.due_on > after else fixed_date(after.year + 1, month, day)


def legal_day(instant: datetime) -> date:
    """The date in Asia/Shanghai of an instant; ValueError without a time zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs its time zone")
    return instant.astimezone(SHANGHAI).date()


def known_year(year: int) -> bool:
    """As LegalCalendar, by the tables that come with the product."""
    return calendar().known_year(year)


def is_working_day(day: date) -> bool:
    """As LegalCalendar, by the tables that come with the product."""
    return calendar().is_working_day(day)


def next_working_day(day: date) -> date:
    """As LegalCalendar, by the tables that come with the product."""
    return calendar().next_working_day(day)


def add_working_days(day: date, n: int) -> date:
    """As LegalCalendar, by the tables that come with the product."""
    return calendar().add_working_days(day, n)


def due_after_months(day: date, n: int, *, roll: bool) -> Due:
    """As LegalCalendar, by the tables that come with the product."""
    return calendar().due_after_months(day, n, roll=roll)


def due_after_working_days(day: date, n: int) -> Due:
    """As LegalCalendar, by the tables that come with the product."""
    return calendar().due_after_working_days(day, n)
