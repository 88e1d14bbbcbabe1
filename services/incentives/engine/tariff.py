"""Pure arithmetic of the stepped power price for electrolytic aluminium (发改价格〔2021〕1239号)."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from services.incentives.engine.canon import plain_decimal

CENT = Decimal("0.01")
MICRO = Decimal("0.000001")
HUNDRED = Decimal(100)


@dataclass(frozen=True)
class StepTariff:
    """Width of a step in kWh per tonne, and yuan per kWh added for each step begun."""

    step_kwh: Decimal
    yuan_per_step: Decimal
    partial_step: str = "CEIL"


def steps(excess: Decimal, tariff: StepTariff) -> int:
    """Steps begun (CEIL) or completed (FLOOR) by an excess in kWh per tonne; none without an excess."""
    if excess <= 0:
        return 0
    rounding = ROUND_CEILING if tariff.partial_step == "CEIL" else ROUND_FLOOR
    return int((excess / tariff.step_kwh).to_integral_value(rounding))


@dataclass(frozen=True)
class RenewableRule:
    """Above `counted_from_pct` and at the province's incentive value, each whole point lowers the addition."""

    counted_from_pct: Decimal
    reduction_per_point_pct: Decimal


def reduction_pct(share: Decimal, incentive: Decimal | None, rule: RenewableRule) -> Decimal | None:
    """Percent by which the addition falls, never above 100; None while the incentive value is needed but unknown."""
    if share <= rule.counted_from_pct:
        return Decimal(0)
    if incentive is None:
        return None
    if share < incentive:
        return Decimal(0)
    points = (share - rule.counted_from_pct).to_integral_value(ROUND_FLOOR)
    return min(HUNDRED, points * rule.reduction_per_point_pct)


def rate(step_count: int, reduction: Decimal, tariff: StepTariff) -> Decimal:
    """Yuan per kWh added to whatever price is paid, to six decimals, half up."""
    full = step_count * tariff.yuan_per_step
    return (full * (HUNDRED - reduction) / HUNDRED).quantize(MICRO, ROUND_HALF_UP)


def amount(rate_yuan_per_kwh: Decimal, kwh: Decimal) -> Decimal:
    """Yuan for a quantity of electricity, to the cent, half up."""
    return (rate_yuan_per_kwh * kwh).quantize(CENT, ROUND_HALF_UP)


def rate_text(value: Decimal) -> str:
    """At least two decimals, at most six: `0.13`, `0.1196`."""
    text = plain_decimal(value)
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"
