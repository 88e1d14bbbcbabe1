"""What was read: sheets of cells, addressed as Excel shows them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, overload

Value = str | Decimal | bool | date | datetime | None
Kind = Literal["xlsx", "xls", "csv"]
Marks = dict[str, dict[str, list[list[Any]]]]


@dataclass(frozen=True)
class Merged:
    """A merged range, zero-based and inclusive."""

    top: int
    left: int
    bottom: int
    right: int


class Rows(Sequence[list[Value]]):
    """Rows as the reader gave them, their cells turned into values when they are looked at."""

    def __init__(self, raw: Sequence[Sequence[Any]], value: Callable[[Any], Value]) -> None:
        self._raw, self._value = raw, value

    def __len__(self) -> int:
        return len(self._raw)

    @overload
    def __getitem__(self, at: int) -> list[Value]: ...
    @overload
    def __getitem__(self, at: slice) -> list[list[Value]]: ...
    def __getitem__(self, at: int | slice) -> list[Value] | list[list[Value]]:
        if isinstance(at, slice):
            return [[*map(self._value, row)] for row in self._raw[at]]
        return [*map(self._value, self._raw[at])]

    def __iter__(self) -> Iterator[list[Value]]:
        for row in self._raw:
            yield [*map(self._value, row)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    def __repr__(self) -> str:
        return repr([*self])


@dataclass(frozen=True)
class Sheet:
    """One visible sheet: `rows[i][j]` is Excel's row i + 1, column j + 1; a value of a merged range is at its top left.

    `formulas` holds the zero-based (row, column) of cells that are formulas, `widths` the column widths in characters.
    `typed` is false where the file knows only text (.csv), so that a date there can only be text.
    """

    name: str
    rows: Sequence[list[Value]]
    formulas: frozenset[tuple[int, int]] = frozenset()
    merged: tuple[Merged, ...] = ()
    widths: dict[int, float] = field(default_factory=dict)
    typed: bool = True


@dataclass(frozen=True)
class Sheets:
    """A file as read; `hidden` names the sheets that a person does not see and that were therefore left out."""

    filename: str
    kind: Kind
    sheets: tuple[Sheet, ...]
    hidden: tuple[str, ...] = ()

    @property
    def marks(self) -> Marks:
        """What measuring found in each sheet, so that the same bytes need not be measured again."""
        return {
            sheet.name: {"formulas": sorted(map(list, sheet.formulas)), "widths": [*map(list, sheet.widths.items())]}
            for sheet in self.sheets
        }


def column_letter(index: int) -> str:
    """A for 0, Z for 25, AA for 26."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_index(letters: str) -> int:
    """0 for A, 26 for AA."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def is_blank(value: Value) -> bool:
    return value is None or (isinstance(value, str) and not value.strip("\u3000\u00a0\u200b\ufeff \t\r\n"))


def shown(value: Value) -> str:
    """The value as a person sees it in the cell; empty for an empty cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else value
