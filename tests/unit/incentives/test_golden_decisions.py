"""Every golden case beside a rule set gives the answer written there."""

from pathlib import Path
from typing import Any

import pytest

from services.incentives.engine import RuleSet, load_rule_sets, run_golden
from services.incentives.engine.golden import check_case

TOY = Path(__file__).parent / "toy"
RULE_SETS = [*load_rule_sets(), *load_rule_sets(TOY)]
CASES = [(rule_set, case) for rule_set in RULE_SETS for case in rule_set.golden]
SITUATIONS = {f"S{number}" for number in range(1, 13)}


@pytest.mark.parametrize(("rule_set", "case"), CASES, ids=[f"{r.id}-{c['id']}" for r, c in CASES])
def test_a_golden_case_gives_the_answer_written_beside_it(rule_set: RuleSet, case: dict[str, Any]) -> None:
    assert check_case(rule_set, case) == []


def test_the_reading_matrix_is_whole_for_every_programme_it_speaks_of() -> None:
    for programme in ("green_factory.province", "green_factory.national", "finance.recommend"):
        rule_set = next(r for r in RULE_SETS if r.programme == programme)
        assert {case["id"] for case in rule_set.golden} >= SITUATIONS


def test_the_hand_worked_cases_are_all_there() -> None:
    names = {case["id"] for _, case in CASES}
    for wanted in ("GC-01", "GC-02", "GC-04", "GC-22", "GC-23"):
        assert any(name.startswith(wanted) for name in names), wanted


def test_a_wrong_expectation_is_told_with_what_was_found() -> None:
    rule_set = next(r for r in RULE_SETS if r.id == "tariff.al")
    spoilt = rule_set.golden[1] | {"expect": {"outcome": "exempt", "amounts": {"steps": 9}}}
    failures = run_golden(rule_set.altered(golden=(spoilt,)))
    assert [(f.what, f.expected, f.found) for f in failures] == [
        ("outcome", "exempt", "surcharge"),
        ("amounts", {"steps": 9}, {"steps": 1}),
    ]
