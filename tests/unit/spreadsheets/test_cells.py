"""One cell: what a person typed, and what is meant."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from shared.spreadsheets import (
    CODES,
    DateCell,
    Value,
    clean_code,
    clean_text,
    read_date,
    read_flag,
    read_number,
    split_reasons,
    text_of,
)
from tests.unit.spreadsheets.made import ENTERPRISES, LIST

REASONS = LIST.by_key["reasons"].choices
DAY = date(2026, 3, 10)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("９１４３０１００ＭＡ４ＱＡ００１０８", "91430100MA4QA00108"),
        (" 91430100ma4qa00108\u200b ", "91430100MA4QA00108"),
        ("9143 0100\u3000MA4QA00108\n", "91430100MA4QA00108"),
        (Decimal("3216"), "3216"),
        (None, ""),
    ],
)
def test_a_code_is_half_width_capitals_without_blanks(typed: Value, code: str) -> None:
    assert clean_code(typed) == code


def test_a_name_keeps_its_own_width_and_loses_blanks_at_its_ends() -> None:
    assert clean_text(" 湘江示例（集团）\u00a0有限公司\u3000") == "湘江示例（集团） 有限公司"


@pytest.mark.parametrize(
    "text", ["2026-03-10", "2026/3/10", "2026年3月10日", "2026.03.10", "20260310", "２０２６－０３－１０"]
)
def test_a_date_written_as_text_is_an_error_with_a_suggestion_where_the_file_knows_dates(text: str) -> None:
    assert read_date(text, typed=True) == DateCell(code="date_as_text", suggestion="2026-03-10")
    assert read_date(text, typed=False) == DateCell(DAY)


@pytest.mark.parametrize("value", ["2026-02-30", "10/03/2026", "三月十日", Decimal("46091"), "2026-03", True])
def test_what_is_no_date_is_malformed(value: Value) -> None:
    for typed in (True, False):
        assert read_date(value, typed=typed).code == "date_malformed"


def test_a_date_cell_is_a_date_and_an_empty_one_is_nothing() -> None:
    assert read_date(DAY, typed=True) == DateCell(DAY)
    assert read_date(datetime(2026, 3, 10, 9, 30), typed=True) == DateCell(DAY)  # noqa: DTZ001
    assert read_date(" ", typed=True) == DateCell()


@pytest.mark.parametrize(
    "text",
    [
        "双超、双有",
        "双超双有",
        "双超；双有",
        "双超;双有",
        "双超，双有",
        "双超,双有",
        "双超/双有",
        "双超 双有",
        "双超　双有",
    ],
)
def test_reasons_are_split_at_every_separator_and_where_they_run_together(text: str) -> None:
    reasons = split_reasons(text, REASONS)
    assert (reasons.codes, reasons.unknown, reasons.trailing_separator) == (("EXCESS_EMISSION", "TOXIC"), (), False)


@pytest.mark.parametrize("text", ["双超;双有;", "双超、双有、", "；双超；双有", "双超，双有，"])
def test_a_separator_at_an_end_is_a_warning_with_the_tidy_form(text: str) -> None:
    reasons = split_reasons(text, REASONS)
    assert (reasons.codes, reasons.trailing_separator) == (("EXCESS_EMISSION", "TOXIC"), True)
    assert reasons.written(REASONS) == "双超、双有"


def test_a_blank_at_the_end_is_no_separator() -> None:
    assert not split_reasons("双有 ", REASONS).trailing_separator


def test_a_reason_given_twice_counts_once_and_an_unknown_one_is_named() -> None:
    reasons = split_reasons("双有、双有、污染大,双超高耗能", REASONS)
    assert reasons.codes == ("TOXIC", "EXCESS_EMISSION", "HIGH_ENERGY")
    assert reasons.unknown == ("污染大",)
    assert split_reasons("双超双", REASONS).unknown == ("双超双",)
    assert split_reasons(None, REASONS).codes == ()


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (Decimal("5"), Decimal(5)),
        ("1,234.50", Decimal("1234.50")),
        ("１２", Decimal(12)),
        ("x", None),
        ("NaN", None),
        (True, None),
    ],
)
def test_a_number_is_decimal_or_nothing(value: Value, number: Decimal | None) -> None:
    assert read_number(value) == number


@pytest.mark.parametrize(
    ("value", "flag"), [("是", True), ("否 ", False), (True, True), ("n", False), (Decimal(1), True), ("?", None)]
)
def test_yes_and_no_are_read_by_the_choices_of_the_column(value: Value, flag: bool | None) -> None:
    assert read_flag(value, ENTERPRISES.by_key["above_scale"].choices) is flag


CONTRACT_ERRORS = [
    "uscc_malformed",
    "uscc_check_digit",
    "duplicate_in_file",
    "enterprise_deregistered",
    "division_unknown",
    "industry_unknown",
    "reason_unknown",
    "formula_cell",
    "date_as_text",
]
CONTRACT_WARNINGS = ["enterprise_not_registered", "name_mismatch", "round_open", "trailing_separator"]


def test_every_code_of_the_contract_has_its_severity_and_both_texts() -> None:
    assert {code: CODES[code][0] for code in CONTRACT_ERRORS} == dict.fromkeys(CONTRACT_ERRORS, "error")
    assert {code: CODES[code][0] for code in CONTRACT_WARNINGS} == dict.fromkeys(CONTRACT_WARNINGS, "warning")
    for code in CODES:
        text = text_of(code, value="{x}", header="h")
        assert text.zh and text.en
