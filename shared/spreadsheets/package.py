"""The parts of an .xlsx package, unpacked under guard and measured before anything interprets them."""

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

from shared.spreadsheets.limits import (
    Limits,
    broken,
    check_extent,
    expands,
    has_macros,
    is_encrypted,
    unreadable,
)
from shared.spreadsheets.sheets import column_index

_NEEDED = re.compile(
    r"^(\[Content_Types\]\.xml|_rels/\.rels|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels|xl/[^/]+\.xml"
    r"|xl/worksheets/[^/]+\.xml)$",
    re.IGNORECASE,
)
_CHUNK = 1 << 20


@dataclass
class Extent:
    """What one sheet's XML holds: the formulas (zero-based), the used area, and the column widths."""

    formulas: set[tuple[int, int]] = field(default_factory=set)
    rows: int = 0
    columns: int = 0
    widths: dict[int, float] = field(default_factory=dict)


def unpack(content: bytes, limits: Limits) -> dict[str, bytes]:
    """The parts that reading needs, by name. Raises `file_unreadable`, `file_expands`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_directory(entries, limits)
            parts: dict[str, bytes] = {}
            room = limits.unpacked_bytes
            for entry in entries:
                if _NEEDED.match(entry.filename):
                    parts[entry.filename] = _read(archive, entry, room)
                    room -= len(parts[entry.filename])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise broken() from error
    _check_ratio(sum(map(len, parts.values())), sum(entry.compress_size for entry in entries), limits)
    _check_parts(parts)
    return parts


def _check_directory(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > limits.entries:
        raise expands()
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limits.unpacked_bytes:
        raise expands()
    _check_ratio(unpacked, sum(entry.compress_size for entry in entries), limits)
    names = [entry.filename.lower() for entry in entries]
    if len(set(names)) != len(names):
        raise broken()
    if any(entry.flag_bits & 1 for entry in entries):
        raise is_encrypted()
    if any(name.endswith("vbaproject.bin") or name.startswith("xl/macrosheets/") for name in names):
        raise has_macros()
    if "xl/workbook.xml" not in names:
        raise unreadable(
            "文件不是 Excel 工作簿, 请使用 .xlsx, .xls 或 .csv。",
            "The file is no Excel workbook; send .xlsx, .xls or .csv.",
        )


def _check_ratio(unpacked: int, packed: int, limits: Limits) -> None:
    if unpacked > limits.ratio_free_bytes and unpacked > limits.ratio * packed:
        raise expands()


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, room: int) -> bytes:
    """The entry's bytes, counted while they come out: its declared size is only a claim."""
    chunks: list[bytes] = []
    with archive.open(entry) as stream:
        while chunk := stream.read(_CHUNK):
            room -= len(chunk)
            if room < 0:
                raise expands()
            chunks.append(chunk)
    return b"".join(chunks)


def _check_parts(parts: dict[str, bytes]) -> None:
    for name, data in parts.items():
        if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:64]:
            raise broken()
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise unreadable(
                "文件含有 DTD 或外部实体, 已拒绝。", "The file declares a DTD or entities and was refused."
            )
        if name.lower() == "[content_types].xml" and b"macroEnabled" in data:
            raise has_macros()


def repack(parts: dict[str, bytes]) -> io.BytesIO:
    """The measured parts as a stored archive, so that the reader can meet nothing that was not measured here."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    packed.seek(0)
    return packed


def sheet_parts(parts: dict[str, bytes]) -> dict[str, str]:
    """Sheet name to part name, as the workbook and its relations say."""
    lower = {name.lower(): name for name in parts}
    targets: dict[str, str] = {}
    for attributes in _elements(parts.get(lower.get("xl/_rels/workbook.xml.rels", ""), b"<r/>"), "Relationship"):
        target = attributes.get("Target", "")
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        _once(targets, attributes.get("Id", ""), lower.get(path.lower(), path))
    found: dict[str, str] = {}
    for attributes in _elements(parts[lower["xl/workbook.xml"]], "sheet"):
        relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
        _once(found, attributes.get("name", ""), targets.get(relation, ""))
    return found


def _once(entries: dict[str, str], key: str, value: str) -> None:
    # Said twice, the reader behind us might follow the other one, which nobody measured.
    if key in entries:
        raise broken()
    entries[key] = value


def _elements(data: bytes, wanted: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == wanted:
            found.append(attributes)

    _parse(data, start)
    return found


def _parse(data: bytes, start: Callable[[str, dict[str, str]], None]) -> None:
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise broken() from error


def measure(name: str, data: bytes, limits: Limits) -> Extent:
    """Walks one sheet's XML: empty styled cells and a declared dimension cost nothing, used cells count.

    Raises `file_too_large` where the used area passes the caps, before any reader lays it out as a rectangle.
    """
    walk = _Walk(name, limits)
    _parse(data, walk.start)
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
