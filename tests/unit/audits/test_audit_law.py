"""The law of audits by date: regimes, categories, citations, forms, parameters."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.audits import law
from services.audits.policy import refuse_floats
from services.audits.sheets import Sheet
from shared.problems import Text

GOLDEN = Path(__file__).parent / "golden"
LEGAL = yaml.safe_load((GOLDEN / "legal_basis.yaml").read_text(encoding="utf-8"))
SCORES = yaml.safe_load((GOLDEN / "scores.yaml").read_text(encoding="utf-8"))
OLD_LAW_ENDS, CODE_BEGINS = date(2026, 8, 14), date(2026, 8, 15)


def test_the_code_takes_over_on_its_first_day() -> None:
    assert law.regime_on(OLD_LAW_ENDS).id == "CPPL_2012"
    assert law.regime_on(CODE_BEGINS).id == law.regime_on(date(2040, 1, 1)).id == "ECO_CODE_2026"
    assert law.regime_on(date(2012, 7, 1)).id == "CPPL_2012"
    with pytest.raises(law.NoRegime):
        law.regime_on(date(2012, 6, 30))


def test_high_energy_is_a_ground_of_its_own_only_under_the_old_law() -> None:
    assert "HIGH_ENERGY" in law.regime_on(OLD_LAW_ENDS).mandatory_categories
    assert "HIGH_ENERGY" not in law.regime_on(CODE_BEGINS).mandatory_categories


@pytest.mark.parametrize(
    ("day", "code", "article", "least", "most"),
    [
        (OLD_LAW_ENDS, "disclosure_failure", "36", None, "100000"),
        (CODE_BEGINS, "disclosure_failure", "1110", "20000", "200000"),
        (OLD_LAW_ENDS, "no_audit_or_fraud_or_no_report", "39(1)", "50000", "500000"),
        (CODE_BEGINS, "no_audit_or_fraud_or_no_report", "1221(1)", "50000", "500000"),
    ],
)
def test_a_sanction_has_the_article_and_the_fine_of_its_day(
    day: date, code: str, article: str, least: str | None, most: str
) -> None:
    found = law.regime_on(day).sanctions[code]
    assert (found.article, found.order_first) == (article, True)
    assert found.fine_min_cny == (Decimal(least) if least else None)
    assert found.fine_max_cny == Decimal(most)


@pytest.mark.parametrize("case", LEGAL["statuses"], ids=lambda case: f"{'+'.join(case['categories'])} {case['day']}")
def test_a_listing_is_as_sure_as_its_surest_category_on_that_day(case: dict[str, Any]) -> None:
    assert law.legal_basis_status(case["categories"], case["day"]) == case["status"]


def test_a_listing_without_category_or_with_an_unknown_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        law.legal_basis_status([], CODE_BEGINS)
    with pytest.raises(KeyError):
        law.legal_basis_status(["DOUBLE"], CODE_BEGINS)


@pytest.mark.parametrize("case", LEGAL["citations"], ids=lambda case: f"{case['code']} {case['day']}")
def test_a_duty_cites_the_statute_of_the_day_of_the_act(case: dict[str, Any]) -> None:
    assert law.obligation_basis(case["code"], case["day"]) == case["cite"]


def test_no_duty_or_act_cites_the_repealed_law_under_the_code_nor_the_code_before_it() -> None:
    for code in law.obligations():
        assert "清洁生产促进法" not in law.obligation_basis(code, CODE_BEGINS)
        assert "生态环境法典" not in law.obligation_basis(code, OLD_LAW_ENDS)
        assert law.obligation_basis(code, CODE_BEGINS) and law.obligation_basis(code, OLD_LAW_ENDS)
    for act in ("LIST_PUBLICATION", "EVALUATION", "ACCEPTANCE", "FEE_BAN"):
        assert "生态环境法典 第九百六十七条" in law.act_basis(act, CODE_BEGINS)
        assert "清洁生产促进法 第二十七条" in law.act_basis(act, OLD_LAW_ENDS)


def test_every_sanction_that_a_duty_names_exists_in_its_regime() -> None:
    known = {regime.id: regime.sanctions for regime in law.regimes()}
    named = [(r, s) for duty in law.obligations().values() for r, s in duty.sanctions.items()]
    assert named
    assert all(sanction in known[regime] for regime, sanction in named)


def test_the_interval_is_the_law_for_toxic_and_policy_for_the_others() -> None:
    assert law.category("TOXIC").max_interval_years == 5
    assert law.category("EXCESS_EMISSION").max_interval_years is None
    assert law.interval_years(["EXCESS_EMISSION"], CODE_BEGINS) == law.interval_years(["TOXIC"], CODE_BEGINS) == 5


def test_the_four_categories_have_the_words_of_the_lists() -> None:
    words = {word: category.code for category in law.categories().values() for word in category.words}
    assert words.items() >= {"双超": "EXCESS_EMISSION", "双有": "TOXIC", "高耗能": "HIGH_ENERGY"}.items()


def test_the_seven_phases_name_the_products_they_need() -> None:
    assert [phase.code.partition("_")[0] for phase in law.phases()] == ["P1", "P2", "P3", "P4", "P5", "P6", "P7"]
    assert law.phase("P2_PRE_AUDIT").min_products == ("three_year_data", "level_benchmark", "audit_focus", "targets")
    assert law.phase("P7_CONTINUOUS").min_products == ("continuous_plan",)
    assert sum(len(phase.min_products) for phase in law.phases()) == 19
    with pytest.raises(KeyError):
        law.phase("P8")


def test_the_sheets_have_their_items_and_make_a_hundred_points() -> None:
    evaluation, acceptance = law.evaluation_sheet(), law.acceptance_sheet()
    assert " ".join(i.code for i in evaluation.items) == "A1 A2 B1 B2 B3 B4 B5 B6 B7 B8 B9 C1 C2 C3 C4"
    assert [int(i.points) for i in evaluation.items] == [3, 7, 3, 10, 9, 5, 8, 5, 5, 7, 6, 6, 8, 12, 6]
    points = {"D1": 10, "D2": 10, "D3": 25, "D4": 20, "D5": 20, "D6": 10, "D7": 5}
    assert {i.code: int(i.points) for i in acceptance.items} == points
    assert evaluation.total == acceptance.total == 100
    assert {evaluation.status, acceptance.status} == {"UNCONFIRMED"}


@pytest.mark.parametrize(("points", "codes"), [(["60", "39"], "XY"), (["60", "41"], "XY"), (["50", "50"], "XX")])
def test_a_sheet_that_does_not_add_up_is_refused(points: list[str], codes: str) -> None:
    items = tuple(law.SheetItem(c, Decimal(p), Text("项", "item")) for c, p in zip(codes, points, strict=True))
    with pytest.raises(law.LawDataError):
        Sheet("S", "1", "UNCONFIRMED", "P", "", Decimal(100), items)


def test_the_vetoes_are_the_published_codes() -> None:
    assert list(law.acceptance_vetoes()) == [
        "V1_FRAUD",
        "V2_EXCESS",
        "V3_POLICY",
        "V4_BELOW_III",
        "V5_VIOLATION",
        "V6_LOCAL",
    ]
    assert list(law.evaluation_vetoes()) == ["EV1_FRAUD", "EV2_DATA_ERROR", "EV3_FOCUS_WRONG", "EV4_OUTLAWED"]


@pytest.mark.parametrize("case", SCORES["costs"], ids=lambda case: case["cost"])
def test_a_measure_has_the_class_of_its_cost(case: dict[str, Any]) -> None:
    assert law.measure_cost_class(Decimal(case["cost"])) == case["class"]
    assert law.is_no_low(Decimal(case["cost"])) is case["no_low"]


@pytest.mark.parametrize("cost", ["-0.01", "NaN", "Infinity"])
def test_a_cost_that_is_no_amount_has_no_class(cost: str) -> None:
    with pytest.raises(ValueError, match="not negative"):
        law.measure_cost_class(Decimal(cost))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_experts", 3),
        ("expert_conflict_years", 3),
        ("accept_application_working_days", 5),
        ("evaluation_decision_working_days", 30),
        ("supplement_deadline_days", 60),
        ("max_supplement_rounds", 2),
        ("reaudit_deadline_months", 12),
        ("accept_apply_within_months_after_eval", 12),
        ("rectification_deadline_months", 6),
        ("max_acceptance_attempts", 2),
        ("record_retention_years", 10),
        ("acceptance_validity_months", 60),
    ],
)
def test_a_count_is_the_default_of_the_register(name: str, value: int) -> None:
    assert law.policy(name).whole == law.policy(name, date(2020, 1, 1)).whole == value


def test_parameters_of_other_kinds_are_read_as_what_they_are() -> None:
    assert law.policy("evaluation_for_all").flag is True
    assert law.policy("odd_number_of_experts").flag is True
    assert law.policy("voluntary_pass_score").amount == Decimal(70)
    assert law.policy("reminders_days_before").numbers == (30, 7, 1)
    with pytest.raises(KeyError):
        law.policy("fee_schedule")


def test_every_parameter_says_how_sure_it_is_and_in_what_unit() -> None:
    for name in law.policy_names():
        parameter = law.policy(name)
        assert parameter.unit and parameter.confidence in {"P", "V", "R3"}, name
        assert parameter.confidence == "P" or parameter.basis, name


def test_a_figure_with_a_fraction_must_be_written_as_text() -> None:
    refuse_floats({"a": ["0.1", 1]}, "x.yaml")
    with pytest.raises(law.LawDataError, match=r"0\.1"):
        refuse_floats({"a": [{"b": 0.1}]}, "x.yaml")
