"""The named pure functions a table may use to work out a fact or its amounts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from services.incentives.engine import tariff
from services.incentives.engine.canon import plain_decimal
from services.incentives.engine.cells import coerce
from services.incentives.engine.dates import add_months, add_years
from services.incentives.engine.model import Param


@dataclass(frozen=True)
class Need:
    """Why a derived fact is unknown: the inputs (by position) and parameters (by local name) it lacks."""

    inputs: tuple[int, ...] = ()
    params: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """What a derived fact may look at besides its inputs: parameters in force, constants, schedules by year."""

    params: Mapping[str, Any]
    constants: Mapping[str, Any]
    schedules: Mapping[str, Param]


Function = Callable[[list[Any], Given, date], Any]


def accepted_within_months(inputs: list[Any], given: Given, as_of: date) -> bool | Need:
    """type, stage, accepted_on -> accepted, and `as_of` not after `accepted_on` plus the validity in months."""
    type_, stage, accepted_on = inputs
    if type_ == "none" or (stage is not None and stage not in given.constants["accepted_stages"]):
        return False
    months = given.params["months"]
    if months is None:
        return Need(params=("months",))
    if accepted_on is not None and not accepted_on <= as_of <= add_months(accepted_on, months):
        return False
    lacking = tuple(position for position, value in enumerate(inputs) if value is None)
    return Need(lacking) if lacking else True


def event_within_years(inputs: list[Any], given: Given, as_of: date) -> bool | Need:
    """events -> one of the given severities happened within the lookback, its first day included."""
    (events,) = inputs
    years = given.params["years"]
    if events is None:
        return Need((0,))
    if years is None:
        return Need(params=("years",)) if events else False
    first, doubt = add_years(as_of, -years), False
    for severity, occurred_on in events:
        in_window = None if occurred_on is None else first <= occurred_on <= as_of
        counts = None if severity is None else severity in given.constants["severities"]
        if in_window and counts:
            return True
        doubt = doubt or (in_window is not False and counts is not False)
    return Need((0,)) if doubt else False


def year_schedule(inputs: list[Any], given: Given, as_of: date) -> Decimal | Need:
    """price_year, data_year -> the value of the schedule for the year that the basis chooses."""
    basis = given.params["basis"]
    if basis is None:
        return Need(params=("basis",))
    position = 0 if basis == "price_year" else 1
    year = inputs[position]
    if year is None:
        return Need((position,))
    schedule = given.schedules["schedule"]
    begun = [v for v in schedule.values if v.from_year is not None and v.from_year <= year]
    if not begun:
        return Need(params=("schedule",))
    latest = max(begun, key=lambda v: v.from_year or 0)
    return Decimal(coerce(latest.value, "decimal")) if latest.usable else Need(params=("schedule",))


def difference(inputs: list[Any], given: Given, as_of: date) -> Decimal | Need:
    """value, threshold -> value minus threshold."""
    lacking = tuple(position for position, value in enumerate(inputs) if value is None)
    return Need(lacking) if lacking else Decimal(inputs[0] - inputs[1])


def renewable_reduction(inputs: list[Any], given: Given, as_of: date) -> Decimal | Need:
    """share, province incentive value -> percent off the addition; the second is needed only above the first step."""
    share, incentive = inputs
    lacking = tuple(name for name in ("counted_from", "per_point") if given.params[name] is None)
    if lacking:
        return Need(params=lacking)
    if share is None:
        return Need((0,))
    rule = tariff.RenewableRule(Decimal(given.params["counted_from"]), Decimal(given.params["per_point"]))
    found = tariff.reduction_pct(share, incentive, rule)
    return Need((1,)) if found is None else found


def step_surcharge(inputs: list[Any], given: Given, as_of: date) -> dict[str, Any] | None:
    """excess, threshold, reduction, kWh -> the amounts; the sum stays `None` while the kWh are unknown."""
    excess, threshold, reduction, kwh = inputs
    if excess is None:
        return None
    values = given.params
    step = tariff.StepTariff(values["step_kwh"], values["yuan_per_step"], values["partial_step"])
    count = tariff.steps(excess, step)
    off = reduction if count and reduction is not None else Decimal(0)
    per_kwh = tariff.rate(count, off, step)
    due = tariff.amount(per_kwh, kwh) if kwh is not None else None
    if not count:
        due = tariff.amount(per_kwh, Decimal(0))
    return {
        "rate_yuan_per_kwh": tariff.rate_text(per_kwh),
        "steps": count,
        "threshold": plain_decimal(threshold),
        "reduction_pct": plain_decimal(off),
        "amount_yuan": None if due is None else format(due, "f"),
    }


FUNCTIONS: dict[str, Function] = {
    "accepted_within_months": accepted_within_months,
    "event_within_years": event_within_years,
    "year_schedule": year_schedule,
    "difference": difference,
    "renewable_reduction": renewable_reduction,
}
AMOUNTS: dict[str, Function] = {"step_surcharge": step_surcharge}
