"""Electroplating scores worked by hand."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.audits.scoring import Level, ScoreRequest, level_for_acceptance, load_systems, score

CASES = yaml.safe_load((Path(__file__).parent / "golden_scores.yaml").read_text(encoding="utf-8"))["cases"]
SYSTEM = load_systems()["ELECTROPLATING_2015_T1"]
NOT_APPLICABLE = {"not_applicable": "no such step on this site"}


def answers(changes: dict[str, Any]) -> dict[str, object]:
    found: dict[str, object] = dict.fromkeys(SYSTEM.indicators, "I")
    return found | {key: NOT_APPLICABLE if value == "NA" else value for key, value in changes.items()}


def request(case: dict[str, Any], rule: str | None = None) -> ScoreRequest:
    return ScoreRequest(answers(case["set"]), {"metals": case.get("metals", ["e06", "e08"])}, rule)


@pytest.mark.parametrize("rule", ["RULE_2013", "RULE_2018"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_worked_case_comes_out_as_by_hand(case: dict[str, Any], rule: str) -> None:
    answer = score(SYSTEM, request(case, rule)).as_json()
    assert [answer["y_i"], answer["y_ii"], answer["y_iii"]] == case["y"]
    assert answer["level"] == case[rule]


def test_the_rule_of_the_system_is_used_when_none_is_named() -> None:
    g14 = next(case for case in CASES if case["id"] == "G14")
    answer = score(SYSTEM, request(g14)).as_json()
    assert (answer["decision_rule"], answer["level"]) == ("RULE_2013", "I")
    assert answer["level_name"]["zh"] == "国际清洁生产领先水平"


def test_an_enterprise_that_says_nothing_is_below() -> None:
    answer = score(SYSTEM, ScoreRequest({}, {"metals": ["e06"]})).as_json()
    assert (answer["y_i"], answer["y_iii"], answer["level"]) == ("0", "0", "BELOW")
    assert len(answer["trace"]["not_given"]) == 25 - 6


def test_only_limiting_indicators_short_of_level_i_are_listed_worst_first() -> None:
    changes = {"e05": "30", "e14": "99.9", "e03": "II"}
    answer = score(SYSTEM, request({"set": changes})).as_json()
    assert answer["limiting"] == [{"id": "e14", "level": "BELOW"}, {"id": "e05", "level": "III"}]


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        ({"value": "70", "energy_saving": True}, "I"),
        ({"value": "69.9", "energy_saving": True}, "II"),
        ({"value": "0", "energy_saving": True}, "III"),
        ({"energy_saving": True}, "III"),
        ({"value": "100", "energy_saving": False}, "BELOW"),
        ({"value": "II"}, "II"),
    ],
)
def test_a_number_with_a_condition_needs_both(answer: dict[str, object], level: str) -> None:
    found = score(SYSTEM, request({"set": {"e03": answer}})).as_json()
    row = next(row for row in found["trace"]["indicators"] if row["id"] == "e03")
    assert row["level_reached"] == level
    assert row["thresholds"] == {"I": "70", "II": "50", "III": None}
    assert row["threshold_conditions"]["III"] == ["energy_saving"]


@pytest.mark.parametrize(
    ("value", "level"), [("8", "I"), ("8.0000000005", "I"), ("8.00000001", "II"), ("24", "II"), ("40.1", "BELOW")]
)
def test_a_value_on_its_threshold_meets_it_within_a_billionth(value: str, level: str) -> None:
    found = score(SYSTEM, request({"set": {"e05": value}})).as_json()
    assert next(row["level_reached"] for row in found["trace"]["indicators"] if row["id"] == "e05") == level


def test_the_trace_says_who_took_no_part_and_why() -> None:
    answer = score(SYSTEM, request({"metals": ["e06"], "set": {"e13": "NA"}})).as_json()
    rows = {row["id"]: row for row in answer["trace"]["indicators"]}
    assert rows["e13"]["reason"]["code"] == "not_applicable"
    assert rows["e13"]["reason"]["reason"] == "no such step on this site"
    assert rows["e12"]["reason"]["code"] == "not_chosen"
    assert (rows["e12"]["applies"], rows["e12"]["weight"], rows["e12"]["level_reached"]) == (False, None, None)
    assert rows["e06"]["weight"] == "1"


def test_the_decision_shows_every_condition_of_every_step() -> None:
    steps = score(SYSTEM, request({"set": {"e01": "BELOW"}}, "RULE_2018")).as_json()["trace"]["decision"]
    assert [(step["level"], step["result"]) for step in steps] == [("I", False), ("II", True), ("III", False)]
    assert [cell["result"] for cell in steps[0]["conditions"]] == [True, False, True]
    assert steps[0]["conditions"][1]["found"] == "BELOW"
    assert steps[2]["conditions"][1] == {
        "subject": "Y_III", "operator": "eq", "wanted": "100", "found": "95.05", "result": False,
    }  # fmt: skip


def test_a_level_below_raises_the_veto_of_the_acceptance() -> None:
    below = level_for_acceptance(score(SYSTEM, request({"set": {"e05": "45"}})))
    assert (below.level, below.vetoes, below.reviews) == (Level.BELOW, ("V4_BELOW_III",), ())
    third = level_for_acceptance(score(SYSTEM, request({"set": {"e05": "30"}})))
    assert (third.level, third.vetoes) == (Level.III, ())
