"""Decisions are taken on the unrounded index, one step after the other."""

from decimal import Decimal

import pytest

from services.audits.scoring import Level
from services.audits.scoring.decision import decide, first_level
from services.audits.scoring.loading import load_rules
from services.audits.scoring.thresholds import format_decimal

RULES = load_rules()
ALL_BEST: dict[bool, list[Level | None]] = {True: [Level.I], False: [Level.I]}


@pytest.mark.parametrize("rule", ["RULE_2013", "RULE_2018"])
@pytest.mark.parametrize(
    ("first", "level"), [("85", "I"), ("84.9999999995", "I"), ("84.996", "II"), ("84.99999999", "II")]
)
def test_85_is_met_within_a_billionth_and_never_by_rounding(rule: str, first: str, level: str) -> None:
    index = {Level.I: Decimal(first), Level.II: Decimal(100), Level.III: Decimal(100)}
    assert first_level(decide(RULES[rule], index, ALL_BEST)) == level
    assert format_decimal(Decimal(first), 2) == "85"


def test_level_iii_needs_the_whole_of_its_index() -> None:
    index: dict[Level, Decimal | None] = {Level.I: Decimal(0), Level.II: Decimal(84), Level.III: Decimal("99.996")}
    assert first_level(decide(RULES["RULE_2018"], index, ALL_BEST)) == Level.BELOW
    full = index | {Level.III: Decimal("99.9999999999")}
    assert first_level(decide(RULES["RULE_2018"], full, ALL_BEST)) == Level.III


def test_an_unknown_cell_is_neither_true_nor_false() -> None:
    unknown: dict[Level, Decimal | None] = dict.fromkeys((Level.I, Level.II, Level.III))
    reached: dict[bool, list[Level | None]] = {True: [Level.II], False: [None, Level.I]}
    steps = decide(RULES["RULE_2018"], unknown, reached)
    assert [step.holds for step in steps] == [False, None, None]
    assert [cell.holds for cell in steps[0].conditions] == [False, None, None]


def test_without_limiting_indicators_nothing_holds_a_level_back() -> None:
    index = {Level.I: Decimal(90), Level.II: Decimal(90), Level.III: Decimal(100)}
    assert first_level(decide(RULES["RULE_2013"], index, {True: [], False: [Level.I]})) == Level.I


@pytest.mark.parametrize(
    ("value", "text"), [("79.600", "79.6"), ("100.00", "100"), ("0.004", "0"), ("-0.001", "0"), ("97.945", "97.95")]
)
def test_an_index_is_published_plain_with_at_most_two_places(value: str, text: str) -> None:
    assert format_decimal(Decimal(value), 2) == text
