"""Spreadsheets for the tests: ordinary ones in one line, and hostile ones part by part."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter
import xlwt

from shared.spreadsheets import Columns, load_columns

ROOT = Path(__file__).parents[3]
LIST = load_columns(ROOT / "services/audits/data/list_columns.yaml")
ENTERPRISES = load_columns(ROOT / "services/registry/data/enterprises_columns.yaml")
RECORDS = load_columns(ROOT / "services/credit/data/records_columns.yaml")
KINDS: tuple[Columns, ...] = (LIST, ENTERPRISES, RECORDS)

HEADER = ["企业名称", "统一社会信用代码", "纳入原因"]
GOOD = ["湘江示例有限公司", "91430100MA4QA00108", "双超"]

_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
_RELS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}"'
    ' Target="{target}"/></Relationships>'
)
_BOOK = (
    '<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>'
)


def book(*sheets: Sequence[Sequence[Any]], names: Sequence[str] = (), merged: Sequence[str] = ()) -> bytes:
    """An .xlsx of these sheets; a str that begins with `=` becomes a formula, as a person would type it."""
    target = io.BytesIO()
    workbook = xlsxwriter.Workbook(target, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    for number, rows in enumerate(sheets):
        sheet = workbook.add_worksheet(names[number] if names else None)
        for area in merged:
            sheet.merge_range(area, "")
        for index, row in enumerate(rows):
            for column, value in enumerate(row):
                if value not in ("", None):
                    sheet.write(index, column, value)
    workbook.close()
    return target.getvalue()


def old_book(rows: Sequence[Sequence[Any]], *, formula_at: tuple[int, int] | None = None) -> bytes:
    """An .xls of one sheet."""
    workbook = xlwt.Workbook(encoding="utf-8")
    sheet = workbook.add_sheet("S")
    for index, row in enumerate(rows):
        for column, value in enumerate(row):
            if (index, column) != formula_at:
                sheet.write(index, column, value)
    if formula_at:
        sheet.write(*formula_at, xlwt.Formula('"a"&"b"'))
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def raw_book(sheet: str, *, extra: Mapping[str, str | bytes] | None = None) -> bytes:
    """An .xlsx whose only sheet is this XML, with parts added or replaced."""
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _RELS.format(kind="officeDocument", target="xl/workbook.xml"),
        "xl/workbook.xml": _BOOK,
        "xl/_rels/workbook.xml.rels": _RELS.format(kind="worksheet", target="worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": sheet,
    }
    return zipped(parts | dict(extra or {}))


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return target.getvalue()


def sheet_xml(rows: str, *, before: str = "") -> str:
    return (
        '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f"{before}<sheetData>{rows}</sheetData></worksheet>"
    )


def row_xml(number: int, cells: Mapping[str, str]) -> str:
    inner = "".join(f'<c r="{at}{number}" t="inlineStr"><is><t>{text}</t></is></c>' for at, text in cells.items())
    return f'<row r="{number}">{inner}</row>'


def compound(names: Sequence[str]) -> bytes:
    """An OLE compound file with empty streams of these names: as much as tells an encrypted or macro file."""
    free, end = b"\xff\xff\xff\xff", b"\xfe\xff\xff\xff"
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b"\x3e\0\x03\0\xfe\xff\x09\0\x06\0" + bytes(6)
    header += bytes(4) + b"\x01\0\0\0" + b"\x01\0\0\0" + bytes(4) + b"\0\x10\0\0" + end + bytes(4) + end + bytes(4)
    header += b"\0\0\0\0" + free * 108
    table = b"\xfd\xff\xff\xff" + end + free * 126
    entries = b"".join(_directory_entry(name, 2) for name in names)
    directory = (_directory_entry("Root Entry", 5) + entries).ljust(512, b"\0")
    return header + table + directory


def _directory_entry(name: str, kind: int) -> bytes:
    text = name.encode("utf-16-le")
    entry = text.ljust(64, b"\0") + (len(text) + 2).to_bytes(2, "little") + bytes([kind, 1])
    return entry + b"\xff" * 12 + bytes(36) + b"\xfe\xff\xff\xff" + bytes(8)
