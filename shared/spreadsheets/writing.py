"""Writing .xlsx files in which no cell ever becomes a live formula."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import xlsxwriter

from shared.spreadsheets.sheets import Value, shown

_EXACT_DIGITS = 15  # what an Excel number holds; longer ones are written as text
_FORMULA_LEADS = ("=", "+", "-", "@", "\t", "\r")
_TEXT_LIMIT = 32_767
_OPTIONS = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "default_date_format": "yyyy-mm-dd",
}


class Styles:
    """The formats of a workbook, one object per combination, as xlsxwriter wants them."""

    def __init__(self, workbook: Any) -> None:
        self.workbook = workbook
        self.made: dict[tuple[tuple[str, Any], ...], Any] = {}

    def get(self, **properties: Any) -> Any:
        """None for no properties at all."""
        key = tuple(sorted(properties.items()))
        if key and key not in self.made:
            self.made[key] = self.workbook.add_format(properties)
        return self.made.get(key)


def open_workbook(target: Path | BinaryIO, *, streaming: bool = False) -> Any:
    """A workbook to write to; `streaming` keeps one row in memory and needs rows in order."""
    options = _OPTIONS | {"constant_memory": streaming, "in_memory": not streaming}
    return xlsxwriter.Workbook(str(target) if isinstance(target, Path) else target, options)


def put(worksheet: Any, at: tuple[int, int], value: Value, styles: Styles, **look: Any) -> None:
    """Writes one value; a text that begins like a formula is marked as text, so that editing it keeps it text."""
    row, column = at
    if value is None:
        if look:
            worksheet.write_blank(row, column, None, styles.get(**look))
    elif isinstance(value, bool):
        worksheet.write_boolean(row, column, value, styles.get(**look))
    elif isinstance(value, Decimal) and len(value.as_tuple().digits) <= _EXACT_DIGITS and value.adjusted() < 300:
        worksheet.write_number(row, column, value, styles.get(**look))
    elif isinstance(value, datetime | date) and value.year >= 1900:
        shape = "yyyy-mm-dd hh:mm:ss" if isinstance(value, datetime) else "yyyy-mm-dd"
        naive = value.replace(tzinfo=None) if isinstance(value, datetime) else value
        worksheet.write_datetime(row, column, naive, styles.get(num_format=shape, **look))
    else:
        text = shown(value)[:_TEXT_LIMIT]
        if text.startswith(_FORMULA_LEADS):
            look["quote_prefix"] = True
        worksheet.write_string(row, column, text, styles.get(**look))


def write_rows(
    target: Path | BinaryIO, headers: Sequence[str], rows: Iterable[Sequence[Value]], *, sheet: str = "Sheet1"
) -> int:
    """Streams one sheet with a bold, frozen header row, in constant memory; the number of rows written."""
    workbook = open_workbook(target, streaming=True)
    styles = Styles(workbook)
    worksheet = workbook.add_worksheet(sheet)
    worksheet.freeze_panes(1, 0)
    for column, header in enumerate(headers):
        worksheet.set_column(column, column, max(12, 2 * len(header) + 2))
        put(worksheet, (0, column), header, styles, bold=True)
    count = 0
    for count, row in enumerate(rows, 1):
        for column, value in enumerate(row):
            put(worksheet, (count, column), value, styles)
    workbook.close()
    return count
