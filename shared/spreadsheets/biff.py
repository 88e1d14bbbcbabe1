"""The records of an .xls workbook stream (MS-XLS): formulas, used area and column widths by sheet."""

import struct

from shared.spreadsheets.limits import Limits, broken, check_extent, expands, has_macros, is_encrypted, unreadable
from shared.spreadsheets.measuring import Extent
from shared.spreadsheets.ole import CompoundFile

_FORMULA, _FILEPASS, _BOUNDSHEET, _BOF, _COLINFO = 0x0006, 0x002F, 0x0085, 0x0809, 0x007D
_SHARED_TEXT, _SHARED_TEXTS, _CONTINUE = 0x00FD, 0x00FC, 0x003C
_MULTIPLE_NUMBERS = 0x00BD
# NUMBER, LABELSST, RK, LABEL, BOOLERR, RSTRING, FORMULA: each begins with its row and column.
_CELLS = frozenset({0x0203, 0x00FD, 0x027E, 0x0204, 0x0205, 0x00D6, _FORMULA})
_CELL_AT = struct.Struct("<HH")


def measure_workbook(content: bytes, limits: Limits) -> list[Extent]:
    """One extent per sheet in workbook order. Raises `file_unreadable` for macros, encryption, or what is no workbook."""
    compound = CompoundFile(content)
    names = compound.names()
    if "EncryptedPackage" in names or "EncryptionInfo" in names:
        raise is_encrypted()
    if "_VBA_PROJECT_CUR" in names or "_VBA_PROJECT" in names:
        raise has_macros()
    stream = compound.stream("Workbook") or compound.stream("Book")
    if stream is None:
        raise unreadable(
            "文件不是 Excel 工作簿, 请使用 .xlsx, .xls 或 .csv。",
            "The file is no Excel workbook; send .xlsx, .xls or .csv.",
        )
    by_offset = _walk(stream, limits)
    _check_texts(stream, limits)
    return [by_offset.get(offset, Extent()) for offset in _sheet_offsets(stream)]


def _sheet_offsets(stream: bytes) -> list[int]:
    offsets: list[int] = []
    at = 0
    while at + 4 <= len(stream):
        kind, size = _CELL_AT.unpack_from(stream, at)
        if kind == _BOUNDSHEET and size >= 6:
            offsets.append(int(struct.unpack_from("<I", stream, at + 4)[0]))
        at += 4 + size
        if kind == 0x000A:  # the end of the workbook's own records, before the first sheet's
            break
    return offsets


def _walk(stream: bytes, limits: Limits) -> dict[int, Extent]:
    extents: dict[int, Extent] = {}
    extent = Extent()
    at, end = 0, len(stream)
    while at + 4 <= end:
        kind, size = _CELL_AT.unpack_from(stream, at)
        body = at + 4
        if body + size > end:
            raise broken()
        if kind in _CELLS and size >= 4:
            row, column = _CELL_AT.unpack_from(stream, body)
            extent.rows, extent.columns = max(extent.rows, row + 1), max(extent.columns, column + 1)
            if kind == _FORMULA:
                extent.formulas.add((row, column))
        elif kind == _MULTIPLE_NUMBERS and size >= 6:
            row = _CELL_AT.unpack_from(stream, body)[0]
            last = struct.unpack_from("<H", stream, body + size - 2)[0]
            extent.rows, extent.columns = max(extent.rows, row + 1), max(extent.columns, last + 1)
        elif kind == _BOF:
            extent = extents[at] = Extent()
        elif kind == _FILEPASS:
            raise is_encrypted()
        elif kind == _COLINFO and size >= 6:
            _widths(extent, stream, body, limits)
        at = body + size
    for extent in extents.values():
        check_extent("Excel", extent.rows, extent.columns, limits)
    return extents


def _widths(extent: Extent, stream: bytes, body: int, limits: Limits) -> None:
    first, last, width = struct.unpack_from("<HHH", stream, body)
    for column in range(first, min(last, limits.columns) + 1):
        extent.widths[column] = width / 256


def _check_texts(stream: bytes, limits: Limits) -> None:
    """A shared text is one in the file, and as many as its cells once read (`file_expands`)."""
    room = limits.text_bytes
    sizes: list[int] = []
    at = 0
    while at + 4 <= len(stream):
        kind, size = _CELL_AT.unpack_from(stream, at)
        if kind == _SHARED_TEXTS:
            sizes = _text_sizes(_segments(stream, at))
        elif kind == _SHARED_TEXT and size >= 10:
            index = int.from_bytes(stream[at + 10 : at + 14], "little")
            room -= sizes[index] if index < len(sizes) else 0
            if room < 0:
                raise expands()
        at += 4 + size


def _segments(stream: bytes, at: int) -> list[bytes]:
    segments: list[bytes] = []
    while at + 4 <= len(stream):
        kind, size = _CELL_AT.unpack_from(stream, at)
        if segments and kind != _CONTINUE:
            break
        segments.append(stream[at + 4 : at + 4 + size])
        at += 4 + size
    return segments


def _text_sizes(segments: list[bytes]) -> list[int]:
    """Bytes of each shared text in UTF-8 at most. A text may run over a segment's end, then a flag byte repeats."""
    sizes: list[int] = []
    rest = iter(segments)
    segment, at = next(rest)[8:], 0
    while True:
        while at >= len(segment):
            following = next(rest, None)
            if following is None:
                return sizes
            segment, at = following, at - len(segment)
        if at + 3 > len(segment):
            raise broken()
        count, flags = struct.unpack_from("<HB", segment, at)
        sizes.append(count * 3)
        runs = int.from_bytes(segment[at + 3 : at + 5], "little") if flags & 8 else 0
        extra_at = at + (5 if flags & 8 else 3)
        extra = int.from_bytes(segment[extra_at : extra_at + 4], "little") if flags & 4 else 0
        at = extra_at + (4 if flags & 4 else 0)
        wide = 1 + (flags & 1)
        while at + count * wide > len(segment):
            count -= (len(segment) - at) // wide
            segment, at = next(rest, b""), 1
            if not segment:
                raise broken()
            wide = 1 + (segment[0] & 1)
        at += count * wide + runs * 4 + extra
