"""Files that go out: annotated ones, templates, exports; no cell of theirs is ever a live formula."""

import io
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from shared.spreadsheets import (
    Columns,
    RowProblem,
    Value,
    annotated_workbook,
    find_tables,
    read_table,
    template,
    write_rows,
)
from tests.unit.spreadsheets.made import GOOD, HEADER, KINDS, LIST, book, old_book

INJECTIONS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://x.invalid")', "\t=1", "\r=1", "=cmd|'/c calc'!A0"]


def annotate(content: bytes, name: str = "list.xlsx", *wanted: tuple[int, str, str]) -> Any:
    """The workbook as openpyxl reads it, with these (Excel row, column key, code) as its problems."""
    sheets = read_table(content, name)
    found = find_tables(sheets, LIST)
    by_number = {row.number: row for row in found.rows()}
    problems: list[RowProblem] = [by_number[number].problem(key, code) for number, key, code in wanted]
    return openpyxl.load_workbook(io.BytesIO(annotated_workbook(sheets, found.tables, problems)))


@pytest.mark.parametrize("content", [book([HEADER, GOOD, GOOD]), old_book([HEADER, GOOD, GOOD])], ids=["xlsx", "xls"])
def test_bad_cells_are_coloured_and_commented_and_each_row_is_summed_up(content: bytes) -> None:
    sheet = annotate(content, "x", (3, "uscc", "uscc_check_digit"), (3, "reasons", "trailing_separator")).worksheets[0]
    assert sheet["B3"].fill.fgColor.rgb == "FFFFC7CE"
    assert "uscc_check_digit" in sheet["B3"].comment.text and "校验位" in sheet["B3"].comment.text
    assert sheet["C3"].fill.fgColor.rgb == "FFFFEB9C"
    assert [cell.value for cell in sheet["D"]][:2] == ["校验结果", "通过"]
    assert sheet["D3"].value.startswith("错误 B3") and "提示 C3" in sheet["D3"].value
    assert sheet["B2"].comment is None and sheet["B2"].fill.fill_type is None


def test_a_text_file_comes_back_as_a_workbook() -> None:
    sheet = annotate("企业名称,信用代码,类别\n甲示例,91430100MA4QA00108,双超\n".encode("gb18030"), "a.csv").worksheets[
        0
    ]
    assert [cell.value for cell in sheet[2]] == ["甲示例", "91430100MA4QA00108", "双超", "通过"]


def test_titles_merged_cells_widths_and_kinds_of_values_stay() -> None:
    day = date(2026, 3, 10)
    rows: list[list[Any]] = [["附件1"], [*HEADER, "备注"], ["甲示例", 914301, "双超", day]]
    sheet = annotate(book(rows, merged=["A1:D1"])).worksheets[0]
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:D1"]
    assert sheet["A1"].value == "附件1"
    assert sheet["E2"].value == "校验结果"
    assert sheet["B3"].value == 914301
    assert sheet["D3"].value.date() == day and sheet["D3"].is_date


def test_a_missing_value_can_be_marked_in_its_empty_cell() -> None:
    sheet = annotate(book([HEADER, ["甲示例", "", "双超"]]), "x", (2, "uscc", "value_missing")).worksheets[0]
    assert sheet["B2"].fill.fgColor.rgb == "FFFFC7CE"
    assert "value_missing" in sheet["B2"].comment.text


def test_a_formula_comes_back_as_its_last_value() -> None:
    sheet = annotate(book([HEADER, ["甲示例", '="a"', "双超"]]), "x", (2, "uscc", "formula_cell")).worksheets[0]
    assert sheet["B2"].data_type != "f"


def test_texts_that_look_like_formulas_stay_text_on_the_way_back() -> None:
    rows = [[*HEADER, "备注"], *([text, *GOOD[1:], text] for text in INJECTIONS)]
    text_file = "\n".join(",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows)
    sheet = annotate(text_file.encode(), "a.csv").worksheets[0]
    for number, text in enumerate(INJECTIONS, 2):
        cell = sheet.cell(number, 4)
        assert (cell.data_type, cell.value.removeprefix("_x000D_").strip()) == ("s", text.strip())
        assert cell.quotePrefix


def test_an_annotated_workbook_is_read_again_with_the_same_rows_and_no_second_result_column() -> None:
    content = book([["附件"], HEADER, GOOD])
    first = io.BytesIO()
    annotate(content).save(first)
    again = annotate(first.getvalue()).worksheets[0]
    assert [cell.value for cell in again[2]] == [*HEADER, "校验结果"]


def test_each_sheet_keeps_its_name_and_gets_its_own_problems() -> None:
    result = annotate(book([HEADER, GOOD], [HEADER, GOOD], names=["株洲", "娄底"]))
    assert result.sheetnames == ["株洲", "娄底"]


def test_a_sheet_name_that_excel_forbids_gets_the_nearest_allowed_one() -> None:
    content = book([HEADER, GOOD], [HEADER, GOOD], names=["S", "T"])
    sheets = read_table(content, "x")
    odd = replace(sheets, sheets=tuple(replace(sheet, name="'名/单" + "长" * 40) for sheet in sheets.sheets))
    names = openpyxl.load_workbook(io.BytesIO(annotated_workbook(odd, [], []))).sheetnames
    assert len(set(names)) == 2 and all(len(name) <= 31 and "/" not in name for name in names)


@pytest.mark.parametrize("columns", KINDS, ids=lambda columns: columns.kind)
def test_a_template_has_exactly_the_headers_that_its_validator_reads(columns: Columns) -> None:
    form = openpyxl.load_workbook(io.BytesIO(template(columns))).worksheets[0]
    headers = [cell.value for cell in form[1]]
    assert headers == [column.header for column in columns.template_columns]
    assert all(cell.comment for cell in form[1])
    assert len(form.data_validations.dataValidation) == len(headers)
    found = find_tables(read_table(template(columns), "t.xlsx"), columns)
    assert not found.problems
    assert found.rows_total == 0


def test_a_template_offers_choices_and_those_that_the_caller_adds() -> None:
    content = template(LIST, choices={"city": ["长沙市", "株洲市"]})
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    lists = {rule.formula1: str(rule.sqref) for rule in workbook.worksheets[0].data_validations.dataValidation}
    assert lists["选项!$C$1:$C$2"] == "C2:C5001"
    assert [workbook["选项"][f"F{number}"].value for number in range(1, 5)] == ["双超", "双有", "高耗能", "双超、双有"]
    assert workbook["选项"].sheet_state == "veryHidden"


def test_a_filled_in_template_is_read() -> None:
    workbook = openpyxl.load_workbook(io.BytesIO(template(LIST)))
    workbook.worksheets[0].append(["甲示例", "91430100MA4QA00108", "长沙市", "岳麓区", "3216", "双超", ""])
    target = io.BytesIO()
    workbook.save(target)
    found = find_tables(read_table(target.getvalue(), "t.xlsx"), LIST)
    assert [row.values["reasons"] for row in found.rows()] == ["双超"]
    assert set(found.skipped) == {"填写说明", "选项"}


def test_an_export_streams_rows_and_keeps_texts_texts(tmp_path: Path) -> None:
    path = tmp_path / "export.xlsx"
    rows: list[list[Value]] = [
        [text, Decimal("0.05"), Decimal("12345678901234567890"), date(2026, 3, 10)] for text in INJECTIONS
    ]
    assert write_rows(path, ["名称", "数", "长", "日期"], iter(rows)) == len(INJECTIONS)
    sheet = openpyxl.load_workbook(path).worksheets[0]
    assert [cell.data_type for cell in sheet["A"]] == ["s"] * (len(INJECTIONS) + 1)
    assert (sheet["B2"].value, sheet["C2"].value) == (0.05, "12345678901234567890")
