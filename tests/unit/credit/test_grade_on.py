"""Which grade holds on a day."""

from datetime import date

import pytest

from services.credit.models import CreditRecord
from services.credit.rules import grade_on, input_rule, regime_of, regimes


def record(year: int, grade: str, published_on: str, level: str = "city") -> CreditRecord:
    regime = regime_of(year)
    assert regime is not None
    return CreditRecord(
        uscc="91430200MA4QA0029A",
        regime=regime.id,
        evaluation_year=year,
        grade=grade,
        norm=regime.grades[grade],
        level=level,
        published_on=date.fromisoformat(published_on),
        document_no="示例",
        recorded_by="t",
    )


@pytest.mark.parametrize(
    ("year", "regime"),
    [(2011, None), (2012, "HN_2012"), (2020, "HN_2012"), (2021, "HN_2021"), (2022, "HN_2021"), (2023, "HN_2023"), (2030, "HN_2023")],
)
def test_the_evaluation_year_chooses_the_regime(year: int, regime: str | None) -> None:
    found = regime_of(year)
    assert (found.id if found else None) == regime


def test_no_two_regimes_share_a_year() -> None:
    assert all(sum(r.covers(year) for r in regimes()) == 1 for year in range(2012, 2040))


def test_a_grade_holds_from_its_publication_and_is_not_back_dated() -> None:
    records = [record(2023, "绿牌", "2024-06-05"), record(2024, "红牌", "2025-06-05")]
    assert grade_on(records, date(2024, 6, 4)) is None
    assert grade_on(records, date(2024, 6, 5)) is records[0]
    assert grade_on(records, date(2025, 6, 4)) is records[0]
    assert grade_on(records, date(2025, 6, 5)) is records[1]


def test_the_province_outranks_the_city_for_the_same_year() -> None:
    records = [record(2024, "绿牌", "2025-06-30"), record(2024, "黄牌", "2025-05-01", "province")]
    assert grade_on(records, date(2025, 7, 1)) is records[1]


def test_a_newer_city_result_outranks_an_older_one_of_the_province() -> None:
    records = [record(2023, "绿牌", "2024-06-30", "province"), record(2024, "黄牌", "2025-05-01")]
    assert grade_on(records, date(2025, 7, 1)) is records[1]


def test_an_old_year_published_late_does_not_replace_the_newer_year() -> None:
    records = [record(2024, "绿牌", "2025-06-05"), record(2022, "不良", "2025-09-01")]
    assert grade_on(records, date(2025, 10, 1)) is records[0]


@pytest.mark.parametrize("kind", ["AUDIT_ACCEPTED", "ACCEPTANCE_FAILED", "OVERDUE_WARNING"])
def test_nothing_is_deducted_where_nothing_is_confirmed(kind: str) -> None:
    rule = input_rule(kind)
    assert rule["effect"] == "none" and rule["why"] in {"PARAM_UNCONFIRMED", "NO_LEGAL_DOCUMENT"}
