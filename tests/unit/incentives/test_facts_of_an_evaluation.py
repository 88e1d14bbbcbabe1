"""What an evaluate body may say, and what it is refused for."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.incentives.engine import Facts, decide, facts_from_api, facts_from_stored, load_rule_sets

WHOLE: dict[str, Any] = {
    "industry": "3216",
    "price_year": 2025,
    "data_year": 2024,
    "al_kwh_per_t": "13400.50",
    "al_production_kwh": "2740000000",
    "renewable_share_pct": "8",
    "province_incentive_share_pct": "10",
    "audit": {
        "type": "MANDATORY",
        "stage": "ACCEPTED_PASS",
        "level": "I",
        "accepted_on": "2024-11-20",
        "overdue": False,
    },
    "credit": {"norm": 1},
    "vetoes": {f"GF_V{number}": "absent" for number in range(1, 7)},
    "provincial_green_factory": True,
    "plan_in_catalogue": False,
    "env_event": {"severity": "一般", "occurred_on": "2025-01-01"},
}

REFUSED: list[tuple[Any, str, str]] = [
    ([], "", "wrong_type"),
    ({"colour": "red"}, "/colour", "unknown_field"),
    ({"audit.type": "none"}, "/audit.type", "unknown_field"),
    ({"audit": {"colour": 1}}, "/audit/colour", "unknown_field"),
    ({"audit": "none"}, "/audit", "wrong_type"),
    ({"a/b~": 1}, "/a~1b~0", "unknown_field"),
    ({"vetoes": {"GF_V7": "absent"}}, "/vetoes/GF_V7", "unknown_field"),
    ({"vetoes": {"GF_V1": "perhaps"}}, "/vetoes/GF_V1", "not_a_code"),
    ({"audit": {"type": 3}}, "/audit/type", "not_a_code"),
    ({"audit": {"accepted_on": "2024-02-30"}}, "/audit/accepted_on", "not_a_date"),
    ({"audit": {"accepted_on": "20240228"}}, "/audit/accepted_on", "not_a_date"),
    ({"audit": {"overdue": "false"}}, "/audit/overdue", "wrong_type"),
    ({"audit": {"stage": "OVERDUE", "overdue": False}}, "/audit/overdue", "fact_contradicts"),
    ({"credit": {"norm": 6}}, "/credit/norm", "out_of_range"),
    ({"credit": {"norm": True}}, "/credit/norm", "wrong_type"),
    ({"credit": {"norm": "two"}}, "/credit/norm", "wrong_type"),
    ({"credit": {"norm": 2.5}}, "/credit/norm", "wrong_type"),
    ({"al_kwh_per_t": 13400.123456789012345}, "/al_kwh_per_t", "decimal_as_string"),
    ({"al_kwh_per_t": float("nan")}, "/al_kwh_per_t", "decimal_as_string"),
    ({"al_kwh_per_t": "1e4"}, "/al_kwh_per_t", "wrong_type"),
    ({"al_kwh_per_t": "NaN"}, "/al_kwh_per_t", "wrong_type"),
    ({"al_kwh_per_t": "-1"}, "/al_kwh_per_t", "out_of_range"),
    ({"renewable_share_pct": "100.1"}, "/renewable_share_pct", "out_of_range"),
    ({"industry": "铝冶炼"}, "/industry", "wrong_type"),
    ({"env_event": [{"severity": "tiny"}]}, "/env_event/0/severity", "not_a_code"),
    ({"env_event": {"colour": 1}}, "/env_event/colour", "unknown_field"),
    ({"env_event": "none"}, "/env_event", "wrong_type"),
]


def test_a_whole_body_becomes_typed_facts() -> None:
    facts = facts_from_api(WHOLE)
    assert isinstance(facts, Facts)
    assert facts.values["al_kwh_per_t"] == Decimal("13400.50")
    assert facts.values["audit.type"] == "mandatory"
    assert facts.values["audit.stage"] == "accepted"
    assert facts.values["audit.accepted_on"] == date(2024, 11, 20)
    assert facts.values["vetoes.GF_V6"] == "absent"
    assert facts.values["env_event"] == (("一般", date(2025, 1, 1)),)


@pytest.mark.parametrize(("body", "pointer", "code"), REFUSED)
def test_a_body_is_refused_where_it_is_wrong(body: Any, pointer: str, code: str) -> None:
    problems = facts_from_api(body)
    assert isinstance(problems, list)
    assert [(problem.pointer, problem.code) for problem in problems] == [(pointer, code)]
    assert problems[0].text.zh and problems[0].text.en


def test_json_numbers_are_read_as_they_were_written() -> None:
    facts = facts_from_api({"al_kwh_per_t": 13400.5, "renewable_share_pct": 8, "credit": {"norm": "2"}, "price_year": 2025.0})
    assert isinstance(facts, Facts)
    expected = {"al_kwh_per_t": Decimal("13400.5"), "renewable_share_pct": Decimal(8), "credit.norm": 2, "price_year": 2025}
    assert facts.values == expected


def test_every_problem_of_a_body_is_told_at_once() -> None:
    problems = facts_from_api({"credit": {"norm": 0}, "zzz": 1, "audit": {"type": "x"}})
    assert isinstance(problems, list)
    assert [problem.pointer for problem in problems] == ["/audit/type", "/credit/norm", "/zzz"]


def test_null_and_absent_are_both_unknown() -> None:
    assert facts_from_api({"industry": None, "audit": None, "credit": {"norm": None}}) == facts_from_api({})


@pytest.mark.parametrize(
    ("stage", "implied"),
    [("OVERDUE", {"audit.overdue": True}), ("fraud_confirmed", {"audit.fraud": True}), ("listed", {})],
)
def test_an_older_status_word_says_what_it_implies(stage: str, implied: dict[str, bool]) -> None:
    facts = facts_from_api({"audit": {"stage": stage}})
    assert isinstance(facts, Facts)
    assert {name: value for name, value in facts.values.items() if name != "audit.stage"} == implied


@pytest.mark.parametrize("body", [WHOLE, {}, {"env_event": []}, {"audit": {"type": "none"}}])
def test_stored_facts_give_the_same_decision_again(body: dict[str, Any]) -> None:
    facts = facts_from_api(body)
    assert isinstance(facts, Facts)
    for rule_set in load_rule_sets():
        decision = decide(rule_set, facts, date(2026, 6, 1))
        again = decide(rule_set, facts_from_stored(decision.facts, rule_set), date(2026, 6, 1))
        assert again.canonical() == decision.canonical()


def test_damaged_stored_facts_are_an_error() -> None:
    rule_set = load_rule_sets().rule_set_on("tariff.al", date(2025, 1, 1))
    with pytest.raises(ValueError, match="stored facts"):
        facts_from_stored({"al_kwh_per_t": "much"}, rule_set)
