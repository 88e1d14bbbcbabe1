"""Finding the header of each sheet, whatever stands above it and in whatever order its columns are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.problems import Text
from shared.spreadsheets.columns import RESULT_HEADER, Column, Columns, plain_header
from shared.spreadsheets.limits import is_empty
from shared.spreadsheets.rows import Row, Table
from shared.spreadsheets.sheets import Sheet, Sheets, Value, column_letter, is_blank, shown

LEADING_ROWS = 20
_USCC_LIKE = re.compile(r"[0-9A-Z]{18}")


@dataclass(frozen=True)
class HeaderProblem:
    """`column_missing` {headers} or `column_unknown` {header, column}: nothing of the file may be written."""

    code: str
    sheet: str
    text: Text
    headers: tuple[str, ...] = ()
    header: str | None = None
    column: str | None = None

    def as_json(self) -> dict[str, object]:
        body: dict[str, object] = {"code": self.code, "sheet": self.sheet, "message": self.text.both()}
        if self.code == "column_missing":
            return body | {"headers": list(self.headers)}
        return body | {"header": self.header, "column": self.column}


@dataclass(frozen=True)
class Found:
    """The tables of a file, what fails it, and the sheets that were left out with the reason."""

    tables: tuple[Table, ...]
    problems: tuple[HeaderProblem, ...]
    skipped: dict[str, Text] = field(default_factory=dict)

    @property
    def rows_total(self) -> int:
        return sum(1 for _ in self.rows())

    def require_rows(self) -> None:
        """Raises `file_empty` where the header is right and nothing stands below it."""
        if not self.problems and next(self.rows(), None) is None:
            raise is_empty()

    def rows(self) -> Iterator[Row]:
        for table in self.tables:
            yield from table.rows()


def find_tables(sheets: Sheets, columns: Columns) -> Found:
    """Every sheet that has the header, with its columns; a sheet without one is skipped unless it looks like data."""
    filled = [sheet for sheet in sheets.sheets if any(not is_blank(value) for row in sheet.rows for value in row)]
    found = {sheet.name: _header(sheet, columns) for sheet in filled}
    most = max((header.score for header in found.values()), default=0)
    tables: list[Table] = []
    problems: list[HeaderProblem] = []
    skipped = {name: Text("隐藏的工作表, 未读取。", "A hidden sheet; not read.") for name in sheets.hidden}
    for sheet in filled:
        header = found[sheet.name]
        if header.score < 2 and most >= 2 and not _looks_like_data(sheet):
            skipped[sheet.name] = Text(
                "没有表头, 视为说明, 未读取。", "It has no header, so it is taken as notes; not read."
            )
            continue
        faults = _faults(sheet, header, columns)
        problems += faults
        if not faults:
            tables.append(_table(sheet, header))
    return Found(tuple(tables), tuple(problems), skipped)


@dataclass(frozen=True)
class _Header:
    score: int
    first: int
    last: int
    texts: tuple[str, ...]
    keys: tuple[Column | None, ...]


def _header(sheet: Sheet, columns: Columns) -> _Header:
    spread = _spread(sheet)
    best = _Header(0, 0, 0, (), ())
    for at, lower in enumerate(spread):
        texts: list[list[tuple[str, ...]]] = [[(text,) for text in lower]]
        if at and _refines(spread[at - 1], lower):
            upper = _grouped(spread[at - 1], lower)
            texts.append([(low, high + low, high) if low else (high,) for high, low in zip(upper, lower, strict=True)])
        for span, candidates in enumerate(texts):
            header = _match(candidates, columns, at - span, at)
            if header.score > best.score:
                best = header
    return _through_merges(sheet, best)


def _spread(sheet: Sheet) -> list[list[str]]:
    """The leading rows as text, a merged value standing in each cell of its range."""
    rows = [[shown(value).strip() for value in row] for row in sheet.rows[:LEADING_ROWS]]
    width = max(map(len, rows), default=0)
    for merged in sheet.merged:
        if merged.top < len(rows) and merged.left < width:
            value = rows[merged.top][merged.left]
            for row in rows[merged.top : merged.bottom + 1]:
                row[merged.left : merged.right + 1] = [value] * (min(merged.right, width - 1) - merged.left + 1)
    return rows


def _grouped(upper: list[str], lower: list[str]) -> list[str]:
    """The upper row with a group's name carried over the blank cells to its right that the lower row refines."""
    carried, name = [], ""
    for high, low in zip(upper, lower, strict=True):
        name = high or (name if low else "")
        carried.append(name)
    return carried


def _refines(upper: list[str], lower: list[str]) -> bool:
    """Whether the lower row only divides groups of the upper one; a row of data under plain headers does not."""
    alone = 0
    for at, (high, low) in enumerate(zip(upper, lower, strict=True)):
        beside = upper[at + 1 : at + 2]
        group = not high or (bool(beside) and beside[0] in ("", high)) or (at > 0 and upper[at - 1] == high)
        if low and low != high and not group:
            return False
        alone += bool(high)
    return alone >= 2


def _match(candidates: list[tuple[str, ...]], columns: Columns, first: int, last: int) -> _Header:
    texts: list[str] = []
    keys: list[Column | None] = []
    for options in candidates:
        known = next((text for text in options if plain_header(text) in columns.by_header), None)
        texts.append(known if known is not None else options[0])
        keys.append(columns.by_header[plain_header(known)] if known is not None else None)
    return _Header(len({column.key for column in keys if column}), first, last, tuple(texts), tuple(keys))


def _through_merges(sheet: Sheet, header: _Header) -> _Header:
    """The header reaches as far down as the merged cells of its columns do."""
    if not header.score:
        return header
    last = header.last
    for merged in sheet.merged:
        column = header.keys[merged.left] if merged.left < len(header.keys) else None
        if column and merged.top <= header.last < merged.bottom < header.last + 3:
            last = max(last, merged.bottom)
    if last == header.last:
        return header
    return _Header(header.score, header.first, last, header.texts, header.keys)


def _faults(sheet: Sheet, header: _Header, columns: Columns) -> list[HeaderProblem]:
    present = {column.key for column in header.keys if column}
    missing = tuple(column.header for column in columns.required if column.key not in present)
    faults = [_missing(sheet.name, missing)] if missing else []
    seen: set[str] = set()
    if header.score < 2:
        return faults
    for at, column in enumerate(header.keys):
        text = header.texts[at]
        if column is None and plain_header(text) != RESULT_HEADER and (text or _has_data(sheet, header, at)):
            faults.append(_unknown(sheet.name, text, at, "不认识的列", "is not a column of this file"))
        elif column and not column.ignored and column.key in seen:
            faults.append(_unknown(sheet.name, text, at, "重复的列", "stands twice"))
        if column:
            seen.add(column.key)
    return faults


def _missing(sheet: str, headers: tuple[str, ...]) -> HeaderProblem:
    names = ", ".join(headers)
    text = Text(f"工作表“{sheet}”缺少列: {names}。", f"Sheet “{sheet}” lacks these columns: {names}.")
    return HeaderProblem("column_missing", sheet, text, headers=headers)


def _unknown(sheet: str, header: str, at: int, zh: str, en: str) -> HeaderProblem:
    letter = column_letter(at)
    text = Text(f"工作表“{sheet}” {letter} 列“{header}”: {zh}。", f"Sheet “{sheet}”, column {letter}: “{header}” {en}.")
    return HeaderProblem("column_unknown", sheet, text, header=header, column=letter)


def _has_data(sheet: Sheet, header: _Header, at: int) -> bool:
    return any(not is_blank(row[at]) for row in sheet.rows[header.last + 1 :])


def _looks_like_data(sheet: Sheet) -> bool:
    return any(_USCC_LIKE.fullmatch(_compact(value)) for row in sheet.rows[:200] for value in row)


def _compact(value: Value) -> str:
    return plain_header(shown(value))


def _table(sheet: Sheet, header: _Header) -> Table:
    at = {column.key: index for index, column in enumerate(header.keys) if column and not column.ignored}
    headers = {column.key: column.header for column in header.keys if column}
    result = next((i for i, text in enumerate(header.texts) if plain_header(text) == RESULT_HEADER), None)
    written = {key: header.texts[index] or headers[key] for key, index in at.items()}
    return Table(sheet, header.first, header.last, at, written, result)
