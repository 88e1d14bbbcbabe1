"""Comparisons, their bounds, and what an unknown does to a row."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.incentives.engine import Facts, TableError, decide, load_rule_sets
from services.incentives.engine.cells import any_of, coerce, comparison
from services.incentives.engine.dates import add_months, add_years
from services.incentives.engine.model import FactType

COMPARISONS: list[tuple[str, Any, FactType, list[Any], list[Any]]] = [
    ("=", "a", "code", ["a"], ["b"]),
    ("!=", "a", "code", ["b"], ["a"]),
    ("in", ("a", "b"), "code", ["a", "b"], ["c"]),
    ("<", 3, "int", [2], [3, 4]),
    ("<=", 3, "int", [2, 3], [4]),
    (">", Decimal("0.1"), "decimal", [Decimal("0.11")], [Decimal("0.10")]),
    (">=", Decimal("0.1"), "decimal", [Decimal("0.10")], [Decimal("0.09")]),
    ("between", (1, 3), "int", [1, 2, 3], [0, 4]),
    ("any", None, "int", [0, 9], []),
    ("known", None, "int", [0, 9], []),
    ("true", None, "bool", [True], [False]),
    ("false", None, "bool", [False], [True]),
]


@pytest.mark.parametrize(("op", "threshold", "type_", "yes", "no"), COMPARISONS)
def test_a_comparison_holds_for_these_values_only(
    op: str, threshold: Any, type_: FactType, yes: list[Any], no: list[Any]
) -> None:
    test = comparison(op, threshold, type_)
    assert all(test(value) for value in yes)
    assert not any(test(value) for value in no)


@pytest.mark.parametrize(("op", "type_"), [("<", "code"), ("between", "bool"), ("true", "int")])
def test_an_operator_that_makes_no_sense_for_the_type_is_refused(op: str, type_: FactType) -> None:
    with pytest.raises(TableError):
        comparison(op, (1, 2), type_)


@pytest.mark.parametrize(
    ("value", "type_"), [("x", "decimal"), (True, "int"), ("1", "int"), (1, "code"), ("no", "date")]
)
def test_a_constant_of_another_type_is_refused(value: Any, type_: str) -> None:
    with pytest.raises(TableError):
        coerce(value, type_)


def test_one_true_is_enough_for_a_choice_and_an_unknown_is_not() -> None:
    assert any_of([None, True, False]) is True
    assert any_of([None, False]) is None
    assert any_of([False, False]) is False


def test_a_legal_month_ends_with_the_month() -> None:
    assert add_months(date(2026, 8, 31), 6) == date(2027, 2, 28)
    assert add_months(date(2021, 6, 1), 60) == date(2026, 6, 1)
    assert add_years(date(2024, 2, 29), -3) == date(2021, 2, 28)
    assert add_months(date(2026, 1, 15), -1) == date(2025, 12, 15)


def test_an_unknown_fact_is_traced_as_unknown_with_no_value() -> None:
    rule_set = load_rule_sets().rule_set_on("tariff.al", date(2025, 1, 1))
    trace = decide(rule_set, Facts({"industry": "3216"}), date(2025, 1, 1)).trace
    cell = next(cell for cell in trace if cell["rule"] == "E00_YEAR")
    assert (cell["result"], cell["value"], cell["threshold"], cell["clause"]) == ("unknown", None, 2022, "P1239")
    assert cell["text"]["zh"] and cell["text"]["en"]


def test_a_derived_fact_is_traced_with_its_value() -> None:
    rule_set = load_rule_sets().rule_set_on("tariff.al", date(2025, 1, 1))
    facts = Facts({"industry": "3216", "price_year": 2025, "al_kwh_per_t": Decimal("13300.50")})
    cell = next(c for c in decide(rule_set, facts, date(2025, 1, 1)).trace if c["rule"] == "E02")
    assert (cell["fact"], cell["value"], cell["threshold"], cell["result"]) == ("al_excess", "0.5", "0", "false")
