"""Scores, bands, acceptance, validity and the days of obligations."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.audits.law import acceptance_sheet, evaluation_sheet
from services.audits.rules import (
    EvaluationBand,
    acceptance_passes,
    check_sheet,
    evaluation_band,
    mean_score,
    obligations_for_publication,
    ordered_obligation,
    plan_obligation,
    sheet_total,
    valid_until,
)
from shared.calendar import YearTable, calendar

GOLDEN = Path(__file__).parent / "golden"
SCORES = yaml.safe_load((GOLDEN / "scores.yaml").read_text(encoding="utf-8"))
PUBLICATIONS = yaml.safe_load((GOLDEN / "deadlines.yaml").read_text(encoding="utf-8"))["publications"]
CODES = ["FIRST_DISCLOSURE", "START", "REPORT", "ANNUAL_DISCLOSURE"]


def full_marks() -> dict[str, object]:
    return {item.code: str(item.points) for item in evaluation_sheet().items}


@pytest.mark.parametrize("case", SCORES["bands"], ids=lambda case: f"{case['mean']} {'+'.join(case['vetoes'])}")
def test_a_mean_score_falls_into_its_band(case: dict[str, Any]) -> None:
    assert evaluation_band(Decimal(case["mean"]), case["vetoes"]) == EvaluationBand(case["band"])


@pytest.mark.parametrize("case", SCORES["means"], ids=lambda case: "+".join(case["totals"]))
def test_the_mean_is_rounded_half_up_to_a_tenth(case: dict[str, Any]) -> None:
    assert str(mean_score([Decimal(total) for total in case["totals"]])) == case["mean"]


def test_there_is_no_mean_without_a_sheet() -> None:
    with pytest.raises(ValueError, match="at least one"):
        mean_score([])


@pytest.mark.parametrize("case", SCORES["acceptances"], ids=lambda case: f"{case['total']} {case['vetoes']}")
def test_an_acceptance_passes_at_sixty_without_veto(case: dict[str, Any]) -> None:
    assert acceptance_passes(Decimal(case["total"]), case["vetoes"]) is case["passes"]


@pytest.mark.parametrize("case", SCORES["validity"], ids=lambda case: str(case["accepted"]))
def test_an_acceptance_counts_for_sixty_months(case: dict[str, Any]) -> None:
    assert valid_until(case["accepted"]) == case["until"]


def test_a_sheet_filled_to_the_brim_is_right_and_makes_a_hundred() -> None:
    scores = full_marks()
    assert check_sheet(evaluation_sheet(), scores) == []
    assert sheet_total({code: str(score) for code, score in scores.items()}) == 100
    assert check_sheet(acceptance_sheet(), {item.code: item.points for item in acceptance_sheet().items}) == []
    assert check_sheet(evaluation_sheet(), dict.fromkeys(scores, "0")) == []


@pytest.mark.parametrize(
    ("score", "code"),
    [
        ("3.01", "score_above_points"),
        ("4", "score_above_points"),
        (Decimal("3.1"), "score_above_points"),
        ("-0.1", "score_negative"),
        ("three", "not_a_decimal"),
        ("", "not_a_decimal"),
        ("NaN", "not_a_decimal"),
        ("Infinity", "not_a_decimal"),
        ("1e0", "not_a_decimal"),
        ("３", "not_a_decimal"),
        ("1_0", "not_a_decimal"),
        (" 3", "not_a_decimal"),
        ("3\n", "not_a_decimal"),
        (3, "not_a_decimal"),
        (1.5, "not_a_decimal"),
        (True, "not_a_decimal"),
        (None, "not_a_decimal"),
        (Decimal("NaN"), "not_a_decimal"),
    ],
)
def test_a_wrong_score_of_a_three_point_item_is_named(score: object, code: str) -> None:
    found = check_sheet(evaluation_sheet(), full_marks() | {"A1": score})
    assert [(problem.item, problem.code) for problem in found] == [("A1", code)]
    assert found[0].text.zh and found[0].text.en


def test_every_missing_and_every_unknown_item_is_named() -> None:
    scores = full_marks() | {"D1": "1", "a1": "1"}
    del scores["A2"], scores["C4"]
    found = [(problem.item, problem.code) for problem in check_sheet(evaluation_sheet(), scores)]
    assert found == [("A2", "item_missing"), ("C4", "item_missing"), ("D1", "item_unknown"), ("a1", "item_unknown")]
    assert len(check_sheet(evaluation_sheet(), {})) == 15


@pytest.mark.parametrize("case", PUBLICATIONS, ids=lambda case: str(case["published"]))
def test_a_publication_starts_four_duties_on_their_days(case: dict[str, Any]) -> None:
    found = obligations_for_publication(case["published"])
    assert [duty.code for duty in found] == CODES
    for duty in found:
        expected = case[duty.code]
        days = (duty.nominal_on, duty.due_on, duty.provisional)
        assert days == (expected["nominal"], expected["due"], expected["provisional"]), duty.code


def test_each_duty_cites_the_law_of_the_day_of_publication() -> None:
    before = {duty.code: duty.legal_basis for duty in obligations_for_publication(date(2026, 8, 14))}
    after = {duty.code: duty.legal_basis for duty in obligations_for_publication(date(2026, 8, 15))}
    assert before["START"] == "清洁生产审核办法 第十二条；清洁生产促进法 第二十七条第二款"
    assert after["START"] == "清洁生产审核办法 第十二条；生态环境法典 第九百六十七条第一款"
    assert all(before[code] != after[code] for code in CODES)


def test_a_later_calendar_settles_the_provisional_day() -> None:
    later = calendar().with_tables({2027: YearTable(frozenset({date(2027, 3, 10)}), frozenset())})
    report = next(d for d in obligations_for_publication(date(2026, 3, 10), by=later) if d.code == "REPORT")
    assert (report.nominal_on, report.due_on, report.provisional) == (date(2027, 3, 10), date(2027, 3, 11), False)


@pytest.mark.parametrize(
    ("code", "nominal", "due"),
    [
        ("RESULT_PUBLICATION", date(2025, 2, 28), date(2025, 2, 28)),
        ("ACCEPTANCE_APPLICATION", date(2026, 1, 31), date(2026, 2, 2)),
    ],
)
def test_later_duties_run_from_their_own_trigger(code: str, nominal: date, due: date) -> None:
    planned = plan_obligation(code, date(2025, 1, 31))
    assert (planned.nominal_on, planned.due_on, planned.provisional) == (nominal, due, False)


def test_the_next_round_is_due_five_years_on() -> None:
    planned = plan_obligation("NEXT_ROUND", date(2026, 5, 10))
    assert (planned.nominal_on, planned.provisional) == (date(2031, 5, 10), True)


def test_an_ordered_day_is_the_ordered_day() -> None:
    sunday = date(2026, 5, 10)
    ordered = ordered_obligation("RECTIFICATION", date(2026, 2, 1), sunday)
    assert (ordered.nominal_on, ordered.due_on, ordered.provisional) == (sunday, sunday, False)
    with pytest.raises(ValueError, match="as ordered"):
        plan_obligation("RECTIFICATION", date(2026, 2, 1))
