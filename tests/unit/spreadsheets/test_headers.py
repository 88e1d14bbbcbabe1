"""The header is found wherever it stands, and whatever is missing or unknown is named."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.spreadsheets import FileProblem, Found, find_tables, load_columns, read_table
from tests.unit.spreadsheets.made import GOOD, HEADER, KINDS, LIST, book, raw_book, row_xml, sheet_xml

TWO_ROWS: list[list[Any]] = [
    ["附件1 名单"],
    ["单位: 示例"],
    ["序号", "企业名称", "统一社会信用代码", "所在地区", "", "纳入原因"],
    ["", "", "", "市州", "县市区", ""],
    [],
    [1, "湘江示例有限公司", "91430100MA4QA00108", "长沙市", "岳麓区", "双超"],
]


def found_in(*sheets: Sequence[Sequence[Any]], **options: Any) -> Found:
    return find_tables(read_table(book(*sheets, **options), "list.xlsx"), LIST)


def test_columns_are_found_in_any_order_under_any_alias() -> None:
    (row,) = found_in(
        [["列入原因", "备注", "信用代码", "单位名称"], ["双有", "x", "91430100MA4QA00108", "湘江示例"]]
    ).rows()
    assert row.values == {"reasons": "双有", "remark": "x", "uscc": "91430100MA4QA00108", "name": "湘江示例"}


@pytest.mark.parametrize(
    "header", [" 企业名称 ", "企业\n名称", "＊企业名称", "企业　名称：", "企业名称（全称）", "企业名称*"]
)
def test_blanks_breaks_marks_and_width_in_a_header_make_no_difference(header: str) -> None:
    found = found_in([[header, "统一社会信用代码", "纳入原因"], GOOD])
    assert not found.problems
    assert next(iter(found.rows())).values["name"] == GOOD[0]


@pytest.mark.parametrize(
    "merged",
    [
        pytest.param(["A1:F1", "A3:A4", "B3:B4", "C3:C4", "D3:E3", "F3:F4"], id="merged as a person would"),
        pytest.param(["A1:F1", "D3:E3"], id="only the group merged"),
        pytest.param([], id="nothing merged"),
    ],
)
def test_two_header_rows_give_the_columns_and_the_row_numbers_of_excel(merged: list[str]) -> None:
    found = found_in(TWO_ROWS, merged=merged)
    assert not found.problems
    (row,) = found.rows()
    assert (row.number, row.values["city"], row.values["county"], row.values["name"]) == (
        6,
        "长沙市",
        "岳麓区",
        "湘江示例有限公司",
    )


def test_headers_that_all_span_two_rows_end_at_the_second() -> None:
    rows: list[list[Any]] = [HEADER, [], GOOD]
    (row,) = found_in(rows, merged=["A1:A2", "B1:B2", "C1:C2"]).rows()
    assert row.number == 3


def test_a_first_row_of_data_is_never_taken_for_a_second_header_row() -> None:
    found = found_in([["企业名称", "统一社会信用代码", "纳入缘由"], ["甲示例", "91430100MA4QA00108", "双超双有"]])
    assert [(problem.code, problem.header, problem.column) for problem in found.problems] == [
        ("column_missing", None, None),
        ("column_unknown", "纳入缘由", "C"),
    ]


def test_a_missing_column_is_named() -> None:
    (problem,) = found_in([["企业名称", "纳入原因"], ["甲示例", "双超"]]).problems
    assert (problem.code, problem.headers) == ("column_missing", ("统一社会信用代码",))
    assert problem.as_json()["headers"] == ["统一社会信用代码"]


def test_an_unknown_column_is_named_with_its_letter() -> None:
    found = found_in([[*HEADER, "利润"], [*GOOD, 1]])
    (problem,) = found.problems
    assert (problem.code, problem.header, problem.column) == ("column_unknown", "利润", "D")
    assert not list(found.rows())


def test_data_without_a_header_above_it_is_an_unknown_column() -> None:
    (problem,) = found_in([HEADER, [*GOOD, "", "随手记的"]]).problems
    assert (problem.code, problem.header, problem.column) == ("column_unknown", "", "E")


def test_a_column_that_stands_twice_fails_the_file() -> None:
    (problem,) = found_in([[*HEADER, "信用代码"], [*GOOD, "x"]]).problems
    assert (problem.code, problem.column) == ("column_unknown", "D")


def test_a_file_without_any_header_misses_every_required_column() -> None:
    (problem,) = found_in([["甲示例", "91430100MA4QA00108", "随便"]]).problems
    assert problem.headers == ("企业名称", "统一社会信用代码", "纳入原因")


def test_the_result_column_of_an_annotated_workbook_is_accepted_and_ignored() -> None:
    found = found_in([[*HEADER, "校验结果"], [*GOOD, "通过"]])
    assert not found.problems
    assert found.tables[0].result_column == 3


def test_every_sheet_with_the_header_is_read_and_notes_are_skipped_aloud() -> None:
    found = found_in(
        [["填写说明"], ["企业名称"]], [HEADER, GOOD], [["x"], HEADER, GOOD], names=["说明", "株洲", "娄底"]
    )
    assert [(row.sheet, row.number) for row in found.rows()] == [("株洲", 2), ("娄底", 3)]
    assert set(found.skipped) == {"说明"}


def test_a_sheet_of_data_without_its_header_fails_the_file_instead_of_being_skipped() -> None:
    found = found_in([HEADER, GOOD], [GOOD], names=["株洲", "娄底"])
    assert [(problem.code, problem.sheet) for problem in found.problems] == [("column_missing", "娄底")]


def test_a_hidden_sheet_is_not_read_and_said_so() -> None:
    shown = sheet_xml(
        row_xml(1, dict(zip("ABC", HEADER, strict=True))) + row_xml(2, dict(zip("ABC", GOOD, strict=True)))
    )
    content = raw_book(
        shown,
        extra={
            "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r='
            '"http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" '
            'r:id="rId1"/><sheet name="H" sheetId="2" state="hidden" r:id="rId2"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
            'relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
            'relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.'
            'openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet2.xml"/>'
            "</Relationships>",
            "xl/worksheets/sheet2.xml": shown,
        },
    )
    found = find_tables(read_table(content, "list.xlsx"), LIST)
    assert [row.sheet for row in found.rows()] == ["S"]
    assert set(found.skipped) == {"H"}


def test_blank_rows_are_passed_over_and_counted() -> None:
    assert [row.number for row in found_in([HEADER, GOOD, [], ["", "  "], GOOD]).rows()] == [2, 5]


def test_a_header_with_nothing_below_it_is_an_empty_file() -> None:
    with pytest.raises(FileProblem) as refused:
        found_in([HEADER, [], ["", " "]]).require_rows()
    assert refused.value.code == "file_empty"
    found_in([HEADER, GOOD]).require_rows()
    found_in([["企业名称", "纳入原因"]]).require_rows()


def test_a_merged_value_belongs_to_its_first_row_only() -> None:
    rows: list[list[Any]] = [[*HEADER, "市州"], [*GOOD, "长沙市"], GOOD]
    assert [row.values["city"] for row in found_in(rows, merged=["D2:D3"]).rows()] == ["长沙市", None]


def test_a_problem_carries_the_address_that_excel_shows() -> None:
    (row,) = found_in(TWO_ROWS).rows()
    problem = row.problem("uscc", "duplicate_in_file", first_row=12)
    assert problem.as_json() == {
        "sheet": "Sheet1",
        "row": 6,
        "column": "C",
        "header": "统一社会信用代码",
        "value": "91430100MA4QA00108",
        "severity": "error",
        "code": "duplicate_in_file",
        "message": {"zh": "与第 12 行重复。", "en": "The same enterprise is already in row 12."},
        "suggestion": None,
    }


def test_formula_cells_are_row_errors_of_known_columns() -> None:
    found = found_in([["序号", *HEADER], ["=ROW()-1", "甲示例", '="9143"&"0"', "双超"]])
    (row,) = found.rows()
    assert [(problem.code, problem.column) for problem in row.formula_problems()] == [("formula_cell", "C")]


@pytest.mark.parametrize("columns", KINDS, ids=lambda columns: columns.kind)
def test_each_declared_kind_has_hints_in_both_languages_and_choices_that_mean_something(columns: Any) -> None:
    for column in columns.template_columns:
        assert column.hint.zh and column.hint.en, column.key
        assert set(column.offered) <= set(column.choices) or column.several, column.key


def test_a_spelling_that_would_name_two_columns_is_refused_at_loading(tmp_path: Any) -> None:
    path = tmp_path / "columns.yaml"
    path.write_text(
        "kind: x\ntitle: {zh: x, en: x}\ncolumns:\n- {key: a, header: 甲}\n- {key: b, header: 乙, aliases: [' 甲']}\n"
    )
    with pytest.raises(ValueError, match="two columns"):
        load_columns(path)
