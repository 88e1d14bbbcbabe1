"""The stepped price: steps, reductions, roundings, switches, and figures that may not decide."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.incentives.engine import Facts, RuleSet, decide, load_rule_sets
from services.incentives.engine.tariff import RenewableRule, StepTariff, amount, rate, rate_text, reduction_pct, steps

STEP = StepTariff(Decimal(20), Decimal("0.01"))
RULE = RenewableRule(Decimal(15), Decimal(1))
DAY = date(2025, 6, 1)
SMELTER = {
    "industry": "3216",
    "price_year": 2025,
    "data_year": 2024,
    "al_kwh_per_t": Decimal(13400),
    "renewable_share_pct": Decimal(0),
}


def tariff() -> RuleSet:
    return load_rule_sets().rule_set_on("tariff.al", DAY)


def with_param(name: str, **changes: Any) -> RuleSet:
    rule_set = tariff()
    changed = []
    for param in rule_set.params:
        values = tuple(value.model_copy(update=changes) for value in param.values)
        changed.append(param.model_copy(update={"values": values}) if param.name == name else param)
    return rule_set.altered(params=tuple(changed))


@pytest.mark.parametrize(
    ("excess", "count"), [("-1", 0), ("0", 0), ("0.001", 1), ("20", 1), ("20.001", 2), ("21", 2), ("250", 13)]
)
def test_a_step_begun_counts_whole(excess: str, count: int) -> None:
    assert steps(Decimal(excess), STEP) == count


def test_only_completed_steps_count_where_the_parameter_says_floor() -> None:
    assert steps(Decimal("39.9"), StepTariff(Decimal(20), Decimal("0.01"), "FLOOR")) == 1


@pytest.mark.parametrize(
    ("share", "incentive", "expected"),
    [("15", None, "0"), ("15.9", "10", "0"), ("16", "10", "1"), ("16", "16.1", "0"), ("16", None, None)],
)
def test_each_whole_point_above_fifteen_lowers_the_addition(
    share: str, incentive: str | None, expected: str | None
) -> None:
    found = reduction_pct(Decimal(share), None if incentive is None else Decimal(incentive), RULE)
    assert found == (None if expected is None else Decimal(expected))


def test_the_reduction_never_exceeds_the_whole() -> None:
    steep = RenewableRule(Decimal(15), Decimal(3))
    assert reduction_pct(Decimal(90), Decimal(1), steep) == 100
    assert rate(5, Decimal(100), STEP) == 0


def test_money_is_rounded_half_up_to_the_cent() -> None:
    assert amount(Decimal("0.01"), Decimal("0.5")) == Decimal("0.01")
    assert amount(Decimal("0.01"), Decimal("0.4")) == Decimal("0.00")


@pytest.mark.parametrize(("value", "text"), [("0", "0.00"), ("0.130000", "0.13"), ("0.1196", "0.1196"), ("1", "1.00")])
def test_a_rate_shows_two_decimals_or_more(value: str, text: str) -> None:
    assert rate_text(Decimal(value)) == text


def test_the_year_that_chooses_the_threshold_is_a_switch() -> None:
    by_price_year = decide(tariff(), Facts(SMELTER), DAY)
    by_data_year = decide(with_param("tariff.al.threshold_year_basis", value="data_year"), Facts(SMELTER), DAY)
    assert by_price_year.amounts and by_data_year.amounts
    assert (by_price_year.amounts["threshold"], by_price_year.amounts["rate_yuan_per_kwh"]) == ("13300", "0.05")
    assert (by_data_year.amounts["threshold"], by_data_year.amounts["rate_yuan_per_kwh"]) == ("13450", "0.00")
    assert by_data_year.outcome == "not_applicable"


def test_the_data_year_is_needed_where_it_chooses_the_threshold() -> None:
    facts = Facts({name: value for name, value in SMELTER.items() if name != "data_year"})
    decision = decide(with_param("tariff.al.threshold_year_basis", value="data_year"), facts, DAY)
    assert decision.missing == [{"code": "FACT_MISSING", "fact": "data_year"}]


@pytest.mark.parametrize("change", [{"status": "UNCONFIRMED"}, {"value": None}])
@pytest.mark.parametrize(
    "name",
    [
        "tariff.al.thresholds",
        "tariff.al.step_kwh",
        "tariff.al.yuan_per_step",
        "tariff.al.partial_step",
        "tariff.al.threshold_year_basis",
        "tariff.al.first_price_year",
        "tariff.al.renewable_counted_from_pct",
    ],
)
def test_a_figure_that_is_not_confirmed_never_makes_a_surcharge(name: str, change: dict[str, Any]) -> None:
    decision = decide(with_param(name, **change), Facts(SMELTER), DAY)
    assert (decision.outcome, decision.amounts) == ("manual_review", None)
    assert {"code": "PARAM_UNCONFIRMED", "fact": name} in decision.missing


def test_an_audit_moves_no_power_price() -> None:
    overdue = {"audit.type": "mandatory", "audit.stage": "overdue", "audit.overdue": True, "audit.fraud": True}
    with_audit = decide(tariff(), Facts({**SMELTER, **overdue}), DAY)
    assert with_audit.canonical() == decide(tariff(), Facts(SMELTER), DAY).canonical()
