"""What the XML of a sheet would come to once it is read: used area, formulas, widths, text."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from shared.spreadsheets.limits import Limits, broken, check_extent, expands
from shared.spreadsheets.sheets import column_index

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Write = Callable[[str], None]


@dataclass
class Extent:
    """What one sheet's XML holds: the formulas (zero-based), the used area, and the column widths."""

    formulas: set[tuple[int, int]] = field(default_factory=set)
    rows: int = 0
    columns: int = 0
    shared_texts: int = 0
    widths: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, marks: dict[str, list[list[Any]]]) -> "Extent":
        """What an earlier reading kept of it."""
        formulas = {(row, column) for row, column in marks["formulas"]}
        return cls(formulas, widths={int(column): float(width) for column, width in marks["widths"]})


def parse(data: bytes, start: Start, end: End | None = None, text: Write | None = None) -> None:
    """Runs the handlers over the XML; `file_unreadable` where it is not well formed."""
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise broken() from error


def measure(name: str, data: bytes, limits: Limits) -> Extent:
    """Walks one sheet's XML: empty styled cells and a declared dimension cost nothing, used cells count.

    Raises `file_too_large` where the used area passes the caps, before any reader lays it out as a rectangle.
    """
    walk = _Walk(name, limits)
    parse(data, walk.start)
    check_extent(name, walk.extent.rows, walk.extent.columns, limits)
    return walk.extent


class _Walk:
    def __init__(self, name: str, limits: Limits) -> None:
        self.name, self.limits, self.extent = name, limits, Extent()
        self.row = self.column = -1
        self.columns: dict[str, int] = {}
        self.elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > 3 * self.limits.cells:
            raise expands()
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        if tag == "c":
            self._cell(attributes.get("r"))
            self.extent.shared_texts += attributes.get("t") == "s"
        elif tag in ("v", "is", "f"):
            self._used(formula=tag == "f")
        elif tag == "row":
            at = attributes.get("r")
            self.row = self._number(at) - 1 if at else self.row + 1
            self.column = -1
        elif tag == "col":
            self._width(attributes)

    def _cell(self, reference: str | None) -> None:
        if reference is None:
            self.column += 1
            return
        letters = reference.rstrip("0123456789")
        column = self.columns.get(letters)
        if column is None:
            if not letters.isascii() or not letters.isupper() or len(letters) > 3:
                raise broken()
            column = self.columns[letters] = column_index(letters)
        self.column, self.row = column, self._number(reference[len(letters) :]) - 1

    def _used(self, *, formula: bool) -> None:
        if self.row >= self.limits.rows or self.column >= self.limits.columns:
            check_extent(self.name, self.row + 1, self.column + 1, self.limits)
        extent = self.extent
        if self.row >= extent.rows:
            extent.rows = self.row + 1
        if self.column >= extent.columns:
            extent.columns = self.column + 1
        if formula:
            extent.formulas.add((self.row, self.column))

    def _width(self, attributes: dict[str, str]) -> None:
        try:
            first, last = int(attributes["min"]), int(attributes["max"])
            for column in range(max(first, 1), min(last, self.limits.columns) + 1):
                self.extent.widths[column - 1] = min(float(attributes["width"]), 255.0)
        except (KeyError, ValueError):
            return

    def _number(self, digits: str) -> int:
        if not digits.isdigit() or len(digits) > 8:
            raise broken()
        return int(digits)


def check_texts(sheets: list[bytes], extents: list[Extent], strings: bytes, limits: Limits) -> None:
    """Refuses (`file_expands`) what shares a long text among so many cells that reading them would fill the memory."""
    # Most files pass on this bound alone, which costs no second parse.
    longest = max(map(len, strings.split(b"</si>")))
    if longest * sum(extent.shared_texts for extent in extents) <= limits.text_bytes:
        return
    sizes = _text_sizes(strings)
    room = limits.text_bytes
    for sheet in sheets:
        room -= _shared_text(sheet, sizes)
        if room < 0:
            raise expands()


def _text_sizes(strings: bytes) -> list[int]:
    sizes: list[int] = []

    def start(tag: str, _: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == "si":
            sizes.append(0)

    def text(written: str) -> None:
        if sizes:
            sizes[-1] += len(written) * 3

    parse(strings, start, text=text)
    return sizes


def _shared_text(sheet: bytes, sizes: list[int]) -> int:
    total, shared, number = 0, False, ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal shared, number
        if tag.rpartition(":")[2] == "c":
            shared, number = attributes.get("t") == "s", ""

    def text(written: str) -> None:
        nonlocal number
        if shared:
            number += written

    def end(tag: str) -> None:
        nonlocal total
        if shared and tag.rpartition(":")[2] == "v" and number.strip().isdigit():
            index = int(number.strip()[:9])
            total += sizes[index] if index < len(sizes) else 0

    parse(sheet, start, end, text)
    return total
