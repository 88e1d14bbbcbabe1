"""The file that came in, given back with its bad cells coloured, commented and summed up."""

import io
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from xlsxwriter.exceptions import OverlappingRange

from shared.spreadsheets.columns import RESULT_HEADER
from shared.spreadsheets.rowproblems import RowProblem
from shared.spreadsheets.rows import Table
from shared.spreadsheets.sheets import Merged, Sheet, Sheets, column_index, shown
from shared.spreadsheets.writing import Styles, open_workbook, put

ERROR_FILL, WARNING_FILL = "#FFC7CE", "#FFEB9C"
OK_TEXT = "通过"
# Each comment is a drawing; far beyond this Excel opens the file slowly, and colour and last column still say it all.
MOST_COMMENTS = 20_000
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]")


def annotated_workbook(sheets: Sheets, tables: Iterable[Table], problems: Sequence[RowProblem]) -> bytes:
    """The same cells as .xlsx: values only (a formula's last value), merged cells and widths kept.

    A cell with a problem is filled (error red, warning yellow) and has a comment in both languages; the last column
    校验结果 on the header row sums up each row that has a table; a result column that was already there is reused.
    """
    by_sheet: dict[str, list[RowProblem]] = defaultdict(list)
    for problem in problems:
        by_sheet[problem.sheet].append(problem)
    by_name = {table.sheet.name: table for table in tables}
    target = io.BytesIO()
    workbook = open_workbook(target)
    styles = Styles(workbook)
    room = MOST_COMMENTS
    names: list[str] = []
    for sheet in sheets.sheets:
        marks = _marks(by_sheet[sheet.name])
        names.append(_sheet_name(sheet.name, names))
        worksheet = workbook.add_worksheet(names[-1])
        _cells(worksheet, sheet, marks, styles)
        _merge(worksheet, sheet, marks, styles)
        room = _comments(worksheet, marks, room)
        if sheet.name in by_name:
            _results(worksheet, by_name[sheet.name], by_sheet[sheet.name], styles)
    workbook.close()
    return target.getvalue()


def _sheet_name(name: str, taken: list[str]) -> str:
    """The name, or the nearest that Excel allows: other programs allow more."""
    bare = _FORBIDDEN.sub(" ", name).strip(" '")[:31] or "Sheet"
    number, found = 1, bare
    while found.lower() in (other.lower() for other in taken):
        number += 1
        found = f"{bare[:26]} ({number})"
    return found


_Marks = dict[tuple[int, int], list[RowProblem]]


def _marks(problems: list[RowProblem]) -> _Marks:
    marks: _Marks = defaultdict(list)
    for problem in problems:
        marks[problem.row - 1, column_index(problem.column)].append(problem)
    return dict(marks)


def _fill(problems: list[RowProblem] | None) -> dict[str, Any]:
    if not problems:
        return {}
    failed = any(problem.severity == "error" for problem in problems)
    return {"bg_color": ERROR_FILL if failed else WARNING_FILL}


def _cells(worksheet: Any, sheet: Sheet, marks: _Marks, styles: Styles) -> None:
    for column, width in _widths(sheet).items():
        worksheet.set_column(column, column, width)
    for index, row in enumerate(sheet.rows):
        for column, value in enumerate(row):
            if value is not None:
                put(worksheet, (index, column), value, styles, **_fill(marks.get((index, column))))
    for at, problems in marks.items():
        if not _holds(sheet, at):
            put(worksheet, at, None, styles, **_fill(problems))


def _holds(sheet: Sheet, at: tuple[int, int]) -> bool:
    row, column = at
    return row < len(sheet.rows) and column < len(sheet.rows[row]) and sheet.rows[row][column] is not None


def _widths(sheet: Sheet) -> dict[int, float]:
    if sheet.widths:
        return sheet.widths
    widths: dict[int, float] = {}
    spanned = {(merged.top, merged.left) for merged in sheet.merged}
    for index, row in enumerate(sheet.rows[:50]):
        for column, value in enumerate(row):
            if value is not None and (index, column) not in spanned:
                text = shown(value)
                wide = sum(2 if ord(letter) > 0x2E7F else 1 for letter in text) + 2
                widths[column] = max(widths.get(column, 9.0), min(float(wide), 50.0))
    return widths


def _merge(worksheet: Any, sheet: Sheet, marks: _Marks, styles: Styles) -> None:
    for merged in sheet.merged:
        if merged.top >= len(sheet.rows) or (merged.top, merged.left) == (merged.bottom, merged.right):
            continue
        try:
            worksheet.merge_range(*_corners(merged), "")
        except OverlappingRange:
            continue
        look: dict[str, Any] = {"align": "center", "valign": "vcenter", "text_wrap": True}
        look |= _fill(marks.get((merged.top, merged.left)))
        row = sheet.rows[merged.top]
        value = row[merged.left] if merged.left < len(row) else None
        put(worksheet, (merged.top, merged.left), value, styles, **look)


def _corners(merged: Merged) -> tuple[int, int, int, int]:
    return merged.top, merged.left, merged.bottom, merged.right


def _comments(worksheet: Any, marks: _Marks, room: int) -> int:
    for (row, column), problems in marks.items():
        if not room:
            break
        text = "\n".join(_sentence(problem) for problem in problems)
        worksheet.write_comment(row, column, text, {"author": "cleanprod", "x_scale": 2.5, "y_scale": 1.5})
        room -= 1
    return room


def _sentence(problem: RowProblem) -> str:
    hint = f" → {problem.suggestion}" if problem.suggestion else ""
    return f"[{problem.code}] {problem.message.zh}{hint}\n{problem.message.en}"


def _results(worksheet: Any, table: Table, problems: list[RowProblem], styles: Styles) -> None:
    column = table.result_column
    if column is None:
        column = max((len(row) for row in table.sheet.rows), default=0)
    by_row: dict[int, list[RowProblem]] = defaultdict(list)
    for problem in problems:
        by_row[problem.row].append(problem)
    worksheet.set_column(column, column, 48)
    put(worksheet, (table.last_header, column), RESULT_HEADER, styles, bold=True)
    for row in table.rows():
        found = by_row.get(row.number, [])
        text = "; ".join(_summary(problem) for problem in found) or OK_TEXT
        put(worksheet, (row.number - 1, column), text, styles, **_fill(found))


def _summary(problem: RowProblem) -> str:
    word = "错误" if problem.severity == "error" else "提示"
    hint = f" 建议: {problem.suggestion}" if problem.suggestion else ""
    return f"{word} {problem.column}{problem.row} {problem.message.zh}{hint}"
