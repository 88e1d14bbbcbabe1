"""The parts of an .xlsx package, unpacked under guard and measured before anything interprets them."""

import io
import re
import zipfile
import zlib

from shared.spreadsheets.limits import (
    Limits,
    broken,
    expands,
    has_macros,
    is_encrypted,
    unreadable,
)
from shared.spreadsheets.measuring import parse

_NEEDED = re.compile(
    r"^(\[Content_Types\]\.xml|_rels/\.rels|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels|xl/[^/]+\.xml"
    r"|xl/worksheets/[^/]+\.xml)$",
    re.IGNORECASE,
)
_CHUNK = 1 << 20


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

    parse(data, start)
    return found
