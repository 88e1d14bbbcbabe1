"""Files that must be refused, or read without harm, within bounded memory."""

import resource
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import xlsxwriter

from shared.spreadsheets import LIMITS, FileProblem, read_table
from shared.spreadsheets.biff import _segments, _text_sizes
from shared.spreadsheets.ole import CompoundFile
from tests.security.hostile.memory import growth
from tests.unit.spreadsheets.made import (
    GOOD,
    HEADER,
    book,
    compound,
    old_book,
    raw_book,
    row_xml,
    sheet_xml,
    zipped,
)

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
ORDINARY = book([HEADER, GOOD])
DATA_ROWS = row_xml(1, {"A": "企业名称", "B": "统一社会信用代码"}) + row_xml(
    2, {"A": "示例", "B": "91430100MA4QA00108"}
)


@contextmanager
def with_little_memory() -> Iterator[None]:
    """What is unpacked or laid out must be held: far less than these files would come to."""
    with growth() as grown:
        yield
    assert grown.peak < 8 * 1024 * 1024


def refusal(content: bytes, name: str = "list.xlsx") -> FileProblem:
    with pytest.raises(FileProblem) as refused:
        read_table(content, name)
    assert refused.value.text.zh and refused.value.text.en
    return refused.value


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(PDF, "file_unreadable", id="a PDF renamed .xlsx"),
        pytest.param(b"", "file_empty", id="zero bytes"),
        pytest.param(book([]), "file_empty", id="a workbook without a cell"),
        pytest.param(book([["", "  "]]), "file_empty", id="a workbook with blanks only"),
        pytest.param(b"\xef\xbb\xbf", "file_empty", id="a byte order mark only"),
        pytest.param(b"\n\n,,\n", "file_empty", id="separators only"),
        pytest.param(ORDINARY[: len(ORDINARY) // 2], "file_unreadable", id="a truncated xlsx"),
        pytest.param(ORDINARY[:-30], "file_unreadable", id="an xlsx without its directory"),
        pytest.param(old_book([HEADER, GOOD])[:2000], "file_unreadable", id="a truncated xls"),
        pytest.param(compound(["EncryptedPackage", "EncryptionInfo"]), "file_unreadable", id="an encrypted xlsx"),
        pytest.param(compound(["WordDocument"]), "file_unreadable", id="a Word document"),
        pytest.param(compound(["Workbook", "_VBA_PROJECT_CUR"]), "file_unreadable", id="an xls with macros"),
        pytest.param(zipped({"word/document.xml": "<a/>"}), "file_unreadable", id="a docx"),
        pytest.param(zipped({"mimetype": "application/vnd.oasis"}), "file_unreadable", id="an ods"),
        pytest.param(
            raw_book(sheet_xml(DATA_ROWS), extra={"xl/vbaProject.bin": "x"}), "file_unreadable", id="a macro project"
        ),
        pytest.param(
            raw_book(sheet_xml(DATA_ROWS), extra={"[Content_Types].xml": "<Types a='x.macroEnabled.main+xml'/>"}),
            "file_unreadable",
            id="a macro content type",
        ),
        pytest.param("企业名称,备注\n".encode("utf-16"), "file_unreadable", id="UTF-16 text"),
        pytest.param(b"<html><table><tr><td>x</td></tr></table></html>", "file_unreadable", id="a web page"),
        pytest.param("企业名称,统一\n".encode() + bytes(20), "file_unreadable", id="NUL bytes"),
        pytest.param('企业名称,备注\n"没有结束,x\n'.encode(), "file_unreadable", id="a quote that never ends"),
        pytest.param(b"\x81\xff,\xfe\xfe\n", "file_unreadable", id="bytes of no encoding"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_its_code(content: bytes, code: str) -> None:
    assert refusal(content).code == code


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (compound(["EncryptedPackage", "EncryptionInfo"]), "encrypted"),
        (old_book([HEADER, GOOD]).replace(b"\x42\0\x02\0", b"\x2f\0\x02\0", 1), "encrypted"),
        (compound(["Workbook", "_VBA_PROJECT_CUR"]), "macros"),
        (raw_book(sheet_xml(DATA_ROWS), extra={"xl/vbaProject.bin": "x"}), "macros"),
        (raw_book(sheet_xml(DATA_ROWS), extra={"xl/sharedStrings.xml": "<!DOCTYPE x><sst/>"}), "DTD"),
        (compound(["WordDocument"]), "no Excel workbook"),
    ],
)
def test_the_refusal_says_what_to_do_about_it(content: bytes, word: str) -> None:
    assert word in refusal(content).text.en


def test_a_file_over_twenty_mebibytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.xlsx"
    with path.open("wb") as file:
        file.truncate(60 * 1024 * 1024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FileProblem) as refused:
        read_table(path, "huge.xlsx")
    assert (refused.value.code, refused.value.status) == ("file_too_large", 413)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_a_file_of_exactly_the_limit_is_not_too_large() -> None:
    limits = replace(LIMITS, file_bytes=len(ORDINARY))
    assert read_table(ORDINARY, "list.xlsx", limits=limits).kind == "xlsx"


def test_a_zip_bomb_by_declared_size_is_refused_without_unpacking_it() -> None:
    bomb = raw_book(sheet_xml(" " * 150_000_000))
    with with_little_memory():
        assert refusal(bomb).code == "file_expands"


def test_a_zip_bomb_that_lies_about_its_size_is_refused() -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(bytes(60_000_000)) + packed.flush()
    lying = BytesIO()
    with zipfile.ZipFile(lying, "w") as archive:
        archive.writestr("xl/workbook.xml", body)
    content = bytearray(lying.getvalue())
    directory = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, 8, 8)
    struct.pack_into("<H", content, directory + 10, 8)
    assert refusal(bytes(content)).code == "file_unreadable"


def test_an_archive_of_very_many_entries_is_refused() -> None:
    assert refusal(zipped({f"xl/{number}": "" for number in range(2_001)})).code == "file_expands"


def test_entries_that_add_up_beyond_the_cap_are_refused() -> None:
    limits = replace(LIMITS, unpacked_bytes=2_000)
    with pytest.raises(FileProblem) as refused:
        read_table(ORDINARY, "list.xlsx", limits=limits)
    assert refused.value.code == "file_expands"


def test_external_entities_are_refused() -> None:
    sheet = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + sheet_xml(row_xml(1, {"A": "&e;"}))
    assert refusal(raw_book(sheet)).code == "file_unreadable"


def test_entities_in_the_shared_strings_are_refused() -> None:
    strings = '<!DOCTYPE x [<!ENTITY e "lol">]><sst><si><t>&e;</t></si></sst>'
    assert refusal(raw_book(sheet_xml(DATA_ROWS), extra={"xl/sharedStrings.xml": strings})).code == "file_unreadable"


def test_a_sheet_named_twice_is_refused() -> None:
    twice = zipped({"xl/workbook.xml": "<workbook><sheets><sheet name='S'/><sheet name='S'/></sheets></workbook>"})
    assert refusal(twice).code == "file_unreadable"


def test_a_declared_dimension_of_ten_million_rows_costs_nothing() -> None:
    content = raw_book(sheet_xml(DATA_ROWS, before='<dimension ref="A1:XFD10000000"/>'))
    with with_little_memory():
        (sheet,) = read_table(content, "list.xlsx").sheets
    assert (len(sheet.rows), len(sheet.rows[0])) == (2, 2)


def test_formatted_empty_rows_down_to_the_last_one_are_not_rows() -> None:
    empty = "".join(f'<row r="{number}"><c r="A{number}" s="0"/></row>' for number in range(3, 100_000))
    last = '<row r="1048576" ht="20"><c r="XFD1048576" s="0"/></row>'
    (sheet,) = read_table(raw_book(sheet_xml(DATA_ROWS + empty + last)), "list.xlsx").sheets
    assert (len(sheet.rows), len(sheet.rows[0])) == (2, 2)


def test_ten_million_empty_rows_are_refused_before_they_are_laid_out() -> None:
    content = raw_book(sheet_xml(DATA_ROWS + "<row/>" * 10_000_000))
    with with_little_memory():
        assert refusal(content).code == "file_expands"


@pytest.mark.parametrize("at", ["XFD1", "A1048576", "XFD1048576", "GS2"])
def test_a_value_beyond_the_caps_is_refused_before_a_rectangle_is_laid_out(at: str) -> None:
    stray = f'<row r="{at.lstrip("ABCDEFGSXW")}"><c r="{at}"><v>1</v></c></row>'
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(raw_book(sheet_xml(DATA_ROWS + stray))).code == "file_too_large"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_sixteen_thousand_columns_are_refused_as_too_large() -> None:
    assert refusal(book([[f"列{number}" for number in range(16_384)]])).code == "file_too_large"
    assert refusal(",".join(["x"] * 16_384).encode(), "wide.csv").code == "file_too_large"


def test_a_cell_reference_that_is_none_is_refused() -> None:
    for reference in ("1A", "ABCD1", "A", "A99999999999", "一1"):
        sheet = sheet_xml(f'<row r="1"><c r="{reference}"><v>1</v></c></row>')
        assert refusal(raw_book(sheet)).code == "file_unreadable", reference


def test_a_damaged_byte_anywhere_gives_a_refusal_or_a_table_and_never_another_error() -> None:
    for content in (ORDINARY, old_book([HEADER, GOOD])):
        for at in range(0, len(content), 97):
            damaged = bytearray(content)
            damaged[at] ^= 0xFF
            try:
                read_table(bytes(damaged), "list.xlsx")
            except FileProblem as problem:
                assert problem.code in ("file_unreadable", "file_empty", "file_expands", "file_too_large")


def test_one_long_text_shared_by_very_many_cells_is_refused() -> None:
    cells = "".join(f'<row r="{number}"><c r="A{number}" t="s"><v>0</v></c></row>' for number in range(1, 20_001))
    texts = f"<sst><si><t>{'长' * 30_000}</t></si></sst>"
    assert refusal(raw_book(sheet_xml(cells), extra={"xl/sharedStrings.xml": texts})).code == "file_expands"


def test_one_long_text_in_a_single_cell_does_no_harm() -> None:
    cells = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>' + "".join(
        f'<row r="{number}"><c r="A{number}" t="s"><v>1</v></c></row>' for number in range(2, 5_001)
    )
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts = {
        "xl/sharedStrings.xml": '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f"<si><t>{'长' * 30_000}</t></si><si><t>短</t></si></sst>",
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        f'relationships"><Relationship Id="rId1" Type="{relation}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{relation}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
    }
    (sheet,) = read_table(raw_book(sheet_xml(cells), extra=parts), "list.xlsx").sheets
    assert sheet.rows[4_999] == ["短"]


def test_one_long_text_shared_by_very_many_cells_of_an_xls_is_refused() -> None:
    shared = old_book([["长" * 30_000] for _ in range(3_000)])
    assert read_table(old_book([["长" * 30_000], ["短"]]), "a.xls").sheets[0].rows[1] == ["短"]
    assert refusal(shared, "a.xls").code == "file_expands"


def test_the_lengths_of_texts_that_run_over_a_record_are_read_right() -> None:
    texts = [("长" if number % 3 else "x") * (number * 37 % 5_000) or "-" for number in range(200)]
    stream = CompoundFile(old_book([[text] for text in texts])).stream("Workbook") or b""
    at = stream.index(b"\xfc\0", 512)
    while struct.unpack_from("<HHII", stream, at)[2:] != (200, len(set(texts))):
        at = stream.index(b"\xfc\0", at + 1)
    assert _text_sizes(_segments(stream, at)) == [len(text) * 3 for text in dict.fromkeys(texts)]


@pytest.mark.parametrize("serial", [1e12, -1e12, 1e300, -1, 0])
def test_a_date_that_no_calendar_has_is_no_crash(serial: float) -> None:
    target = BytesIO()
    workbook = xlsxwriter.Workbook(target)
    workbook.add_worksheet().write_number(0, 0, serial, workbook.add_format({"num_format": "yyyy-mm-dd"}))
    workbook.close()
    try:
        assert read_table(target.getvalue(), "a.xlsx").sheets[0].rows[0][0] is not None
    except FileProblem as problem:
        assert problem.code == "file_unreadable"
