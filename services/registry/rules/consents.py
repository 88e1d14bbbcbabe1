"""How long a consent may last."""

from datetime import date
from functools import cache
from pathlib import Path

from shared.calendar import add_months
from shared.datafiles import read_data
from shared.problems import Fault, Text

DATA = Path(__file__).parent.parent / "data" / "consents.yaml"


@cache
def max_months() -> int:
    return int(read_data(DATA)["max_months"])


def last_day(today: date) -> date:
    """The latest last day of a consent given today."""
    return add_months(today, max_months())


def term_faults(valid_to: date, today: date) -> list[Fault]:
    """A consent does not end before today and does not last longer than the limit."""
    if valid_to < today:
        text = Text("截止日期不得早于今天。", "The last day is not before today.")
        return [Fault("/valid_to", "date_out_of_order", text)]
    if valid_to > last_day(today):
        months = max_months()
        text = Text(
            f"授权期限最长 {months} 个月，最晚至 {last_day(today)}。",
            f"A consent lasts {months} months at most, until {last_day(today)}.",
        )
        return [Fault("/valid_to", "consent_too_long", text)]
    return []
