"""Reading a spreadsheet that a stranger sent: what it is by content, within limits, with Excel's own addresses."""

import datetime as dt
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import cast

from python_calamine import CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from shared.spreadsheets import ole
from shared.spreadsheets.biff import measure_workbook
from shared.spreadsheets.delimited import read_delimited
from shared.spreadsheets.limits import (
    LIMITS,
    FileProblem,
    Limits,
    broken,
    expands,
    is_empty,
    is_encrypted,
    too_large,
    too_wide,
)
from shared.spreadsheets.measuring import Extent, check_texts, measure
from shared.spreadsheets.package import repack, sheet_parts, unpack
from shared.spreadsheets.sheets import Marks, Merged, Rows, Sheet, Sheets, Value, is_blank

ZIP_SIGNATURE = b"PK\x03\x04"
_Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


def read_table(source: Path | bytes, filename: str, *, limits: Limits = LIMITS, marks: Marks | None = None) -> Sheets:
    """The sheets of an .xlsx, .xls or .csv file, told apart by content; text under a workbook's name is damaged.

    `marks` of an earlier reading of the same bytes spare measuring them again.

    Raises FileProblem: `file_too_large` (before reading, or by the extent of a sheet), `file_unreadable`, `file_empty`
    (no cell holds anything), `file_expands`.
    """
    content = _content(source, limits)
    if not content:
        raise is_empty()
    if content.startswith(ZIP_SIGNATURE):
        sheets = _read_xlsx(content, filename, limits, marks)
    elif content.startswith(ole.SIGNATURE):
        sheets = _read_xls(content, filename, limits)
    else:
        sheets = Sheets(filename, "csv", (read_delimited(content, limits),))
    if all(is_blank(value) for sheet in sheets.sheets for row in sheet.rows for value in row):
        raise is_empty()
    if sheets.kind == "csv" and filename.lower().endswith((".xlsx", ".xls")):
        raise broken()
    return sheets


def _content(source: Path | bytes, limits: Limits) -> bytes:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > limits.file_bytes:
        raise too_large(limits)
    return source if isinstance(source, bytes) else source.read_bytes()


def _read_xlsx(content: bytes, filename: str, limits: Limits, marks: Marks | None) -> Sheets:
    parts = unpack(content, limits)
    extents = _measured(parts, limits) if marks is None else {name: Extent.of(found) for name, found in marks.items()}
    with _reader_faults(), CalamineWorkbook.from_filelike(repack(parts)) as workbook:
        names = _visible(workbook)
        read = tuple(_sheet(workbook, name, extents.get(name)) for name in names)
        return Sheets(filename, "xlsx", read, _hidden(workbook, names))


def _measured(parts: dict[str, bytes], limits: Limits) -> dict[str, Extent]:
    paths = sheet_parts(parts)
    if len(paths) > limits.sheets:
        raise expands()
    extents = {name: measure(name, parts[path], limits) for name, path in paths.items() if path in parts}
    _check_total([*extents.values()], limits)
    texts = next((data for name, data in parts.items() if name.lower() == "xl/sharedstrings.xml"), b"")
    if texts:
        check_texts([parts[paths[name]] for name in extents], [*extents.values()], texts, limits)
    return extents


def _read_xls(content: bytes, filename: str, limits: Limits) -> Sheets:
    measured = measure_workbook(content, limits)
    _check_total(measured, limits)
    with _reader_faults(), CalamineWorkbook.from_filelike(io.BytesIO(content)) as workbook:
        if len(workbook.sheet_names) != len(measured):
            raise broken()
        extents = dict(zip(workbook.sheet_names, measured, strict=True))
        names = _visible(workbook)
        read = tuple(_sheet(workbook, name, extents.get(name)) for name in names)
        return Sheets(filename, "xls", read, _hidden(workbook, names))


def _check_total(extents: Sequence[Extent], limits: Limits) -> None:
    if sum(extent.rows * extent.columns for extent in extents) > limits.cells:
        raise too_wide("Excel", limits)


@contextmanager
def _reader_faults() -> Iterator[None]:
    """Whatever the reader makes of a damaged file, it is a damaged file."""
    try:
        yield
    except (FileProblem, MemoryError):
        raise
    except Exception as error:
        raise (is_encrypted() if isinstance(error, PasswordError) else broken()) from error
    except BaseException as error:
        # A panic of the Rust reader derives from BaseException, so that `except Exception` would let it end the worker.
        if type(error).__name__ == "PanicException":
            raise broken() from error
        raise


def _visible(workbook: CalamineWorkbook) -> list[str]:
    return [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]


def _hidden(workbook: CalamineWorkbook, visible: list[str]) -> tuple[str, ...]:
    return tuple(name for name in workbook.sheet_names if name not in visible)


def _sheet(workbook: CalamineWorkbook, name: str, extent: Extent | None) -> Sheet:
    if extent is None:
        raise broken()
    sheet = workbook.get_sheet_by_name(name)
    rows = _rows(sheet)
    ranges = sheet.merged_cell_ranges or []
    merged = tuple(Merged(*first, *last) for first, last in ranges)
    return Sheet(name, rows, frozenset(extent.formulas), merged, extent.widths)


def _rows(sheet: CalamineSheet) -> Sequence[list[Value]]:
    return Rows([] if sheet.start is None else sheet.to_python(skip_empty_area=False), _value)


def _value(cell: _Cell) -> Value:
    kind = type(cell)
    if kind is str:
        return cast(str, cell) or None
    if kind is float:
        number = cast(float, cell)
        if not isfinite(number):
            return str(number)
        return Decimal(int(number)) if number.is_integer() and abs(number) < 1e21 else Decimal(repr(number))
    if kind is int:
        return Decimal(cast(int, cell))
    if isinstance(cell, dt.time | dt.timedelta):
        return str(cell)
    return cast(Value, cell)
