"""The rows of a found table, and the address of each of their cells."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.spreadsheets.rowproblems import RowProblem, severity_of, text_of
from shared.spreadsheets.sheets import Sheet, Value, column_letter, is_blank, shown


@dataclass(frozen=True)
class Table:
    """One sheet's table: header rows (zero-based), column key to column, and the header as the file writes it."""

    sheet: Sheet
    first_header: int
    last_header: int
    at: dict[str, int]
    headers: dict[str, str]
    result_column: int | None = None

    def rows(self) -> Iterator["Row"]:
        """The rows below the header that hold anything in a known column; blank rows are passed over, and counted."""
        places = tuple(self.at.items())
        rows = self.sheet.rows
        for index in range(self.last_header + 1, len(rows)):
            cells = rows[index]
            values = {key: cells[at] for key, at in places}
            row = Row(self, index + 1, values)
            if any(value is not None and not is_blank(value) for value in values.values()) or row.formula_keys():
                yield row


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `number` is the one Excel shows, `values` what its cells hold by column key."""

    table: Table
    number: int
    values: dict[str, Value]

    @property
    def sheet(self) -> str:
        return self.table.sheet.name

    @property
    def typed(self) -> bool:
        """Whether the file can tell a date from text."""
        return self.table.sheet.typed

    def formula_keys(self) -> list[str]:
        """The columns whose cell in this row is a formula."""
        formulas = self.table.sheet.formulas
        if not formulas:
            return []
        return [key for key, at in self.table.at.items() if (self.number - 1, at) in formulas]

    def formula_problems(self) -> list[RowProblem]:
        """`formula_cell` for each of them; the value last computed is shown, and never taken."""
        return [self.problem(key, "formula_cell", suggestion=shown(self.values[key])) for key in self.formula_keys()]

    def problem(self, key: str, code: str, *, suggestion: str | None = None, **details: object) -> RowProblem:
        """A problem at this row's cell of a column; where the file lacks the column, at the row's first one."""
        at = self.table.at.get(key, min(self.table.at.values()))
        value = shown(self.values.get(key))
        header = self.table.headers.get(key, key)
        message = text_of(code, **{"value": value, "header": header, **details})
        letter = column_letter(at)
        return RowProblem(self.sheet, self.number, letter, header, value, severity_of(code), code, message, suggestion)
