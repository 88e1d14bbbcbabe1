"""Legal months and years: the same day number, else the last day of the month."""

from calendar import monthrange
from datetime import date
from functools import lru_cache


@lru_cache(maxsize=65536)
def add_months(day: date, months: int) -> date:
    """The day `months` later; 31 August plus six months is the last day of February."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def add_years(day: date, years: int) -> date:
    """The day `years` later; 29 February falls back to the 28th."""
    return add_months(day, 12 * years)
