"""What is read is what the person sees, at the addresses that Excel shows."""

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from shared.spreadsheets import FileProblem, Value, read_table
from shared.spreadsheets.sheets import Merged, column_index, column_letter
from tests.unit.spreadsheets.made import GOOD, HEADER, book, old_book, raw_book, sheet_xml


def rows_of(content: bytes, name: str = "list.xlsx") -> list[list[Value]]:
    (sheet,) = read_table(content, name).sheets
    return sheet.rows


def test_values_keep_their_kind() -> None:
    day, moment = date(2026, 3, 10), datetime(2026, 3, 10, 12, 5)  # noqa: DTZ001
    rows = rows_of(book([["名称", 3216, 0.1, True, day, "2026-03-10", "0012"], ["", moment]]))
    assert rows[0] == ["名称", Decimal("3216"), Decimal("0.1"), True, day, "2026-03-10", "0012"]
    assert str(rows[0][1]) == "3216"
    assert rows[1][:2] == [None, moment]


def test_an_integer_has_no_decimal_point_in_either_format() -> None:
    assert str(rows_of(old_book([[3216]]))[0][0]) == str(rows_of(book([[3216]]))[0][0]) == "3216"


def test_leading_blank_rows_and_columns_are_counted() -> None:
    rows = rows_of(book([[], [], ["", "", "x"]]))
    assert rows[2][2] == "x"


@pytest.mark.parametrize("name", ["list.csv", "list.pdf", "no name at all"])
def test_the_kind_is_decided_by_content(name: str) -> None:
    assert read_table(book([HEADER, GOOD]), name).kind == "xlsx"
    assert read_table(old_book([HEADER, GOOD]), name).kind == "xls"


@pytest.mark.parametrize("name", ["list.xlsx", "LIST.XLS"])
def test_text_under_the_name_of_a_workbook_is_unreadable(name: str) -> None:
    for content in ("企业名称,备注\n示例,x\n".encode(), b"no spreadsheet at all"):
        with pytest.raises(FileProblem) as refused:
            read_table(content, name)
        assert refused.value.code == "file_unreadable"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk"])
def test_each_accepted_encoding_gives_the_same_names(encoding: str) -> None:
    text = "企业名称,统一社会信用代码\n湘江示例有限公司,91430100MA4QA00108\n"
    assert rows_of(text.encode(encoding), "list.csv")[1][0] == "湘江示例有限公司"


def test_rare_characters_of_gb18030_are_read() -> None:
    assert rows_of("企业名称\n㵲水𬱟示例\n".encode("gb18030"), "list.csv")[1][0] == "㵲水𬱟示例"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            "企业名称,备注\n".encode() + "湘江示例,甲\n".encode("gb18030"), id="header in UTF-8, rows in GB18030"
        ),
        pytest.param(
            "企业名称,备注\n".encode("gb18030") + "湘江示例,甲\n".encode(), id="header in GB18030, rows in UTF-8"
        ),
        pytest.param("企业名称,备注\n湘江示例有限公司,甲\n洞庭示".encode()[:-1], id="UTF-8 cut inside a character"),
    ],
)
def test_mixed_or_damaged_encodings_are_refused_and_never_garbled(content: bytes) -> None:
    with pytest.raises(FileProblem) as refused:
        read_table(content, "list.csv")
    assert refused.value.code == "file_unreadable"


def test_a_record_over_several_lines_is_one_row_of_excel() -> None:
    rows = rows_of('企业名称,备注\n甲示例,"一\n二"\n\n乙示例,三\n'.encode(), "list.csv")
    assert [row[0] for row in rows] == ["企业名称", "甲示例", None, "乙示例"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_of_a_text_file_is_found(separator: str) -> None:
    assert rows_of(f"企业名称{separator}备注\n甲{separator}乙\n".encode(), "list.csv")[1] == ["甲", "乙"]


def test_formulas_are_known_in_every_format() -> None:
    xlsx = read_table(book([HEADER, ["甲", '="9143"&"01"', "双超"]]), "a.xlsx").sheets[0]
    xls = read_table(old_book([HEADER, GOOD], formula_at=(1, 1)), "a.xls").sheets[0]
    text = read_table("企业名称,代码\n甲,=1+1\n".encode(), "a.csv").sheets[0]
    assert xlsx.formulas == xls.formulas == text.formulas == {(1, 1)}


def test_a_shared_formula_without_text_is_a_formula() -> None:
    sheet = sheet_xml('<row r="7"><c r="C7"><f t="shared" si="0"/><v>5</v></c></row>')
    assert read_table(raw_book(sheet), "a.xlsx").sheets[0].formulas == {(6, 2)}


def test_prefixed_and_position_less_cells_are_measured_like_others() -> None:
    inner = "<x:sheetData><x:row><x:c><x:v>1</x:v></x:c><x:c><x:f>1+1</x:f><x:v>2</x:v></x:c></x:row></x:sheetData>"
    sheet = f'<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{inner}</x:worksheet>'
    assert read_table(raw_book(sheet), "a.xlsx").sheets[0].formulas == {(0, 1)}


def test_merged_ranges_and_their_single_value_are_kept() -> None:
    (sheet,) = read_table(book([["甲"], [], ["乙"]], merged=["A1:B2"]), "a.xlsx").sheets
    assert sheet.merged == (Merged(0, 0, 1, 1),)
    assert sheet.rows[1] == [None] * len(sheet.rows[1])


@pytest.mark.parametrize("make", [book, old_book])
def test_what_was_marked_once_need_not_be_measured_again(make: Callable[..., bytes]) -> None:
    content = make([HEADER, GOOD, ["=1+1"]])
    first = read_table(content, "list.xlsx")
    kept = json.loads(json.dumps(first.marks))
    assert read_table(content, "list.xlsx", marks=kept) == first


def test_a_path_is_read_like_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(book([HEADER, GOOD]))
    assert read_table(path, path.name).sheets == read_table(path.read_bytes(), path.name).sheets


@pytest.mark.parametrize(
    ("index", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16383, "XFD")]
)
def test_columns_have_the_letters_of_excel(index: int, letters: str) -> None:
    assert (column_letter(index), column_index(letters)) == (letters, index)
