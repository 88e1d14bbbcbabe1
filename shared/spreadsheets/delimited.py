"""Text files of rows: which encoding, which separator, which cells."""

import csv
import io
import re

from shared.spreadsheets.limits import Limits, check_extent, unreadable
from shared.spreadsheets.sheets import Sheet, Value

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_NOT_CHINESE = re.compile(r"[^\x00-\x7f\u3000-\u303f\u4e00-\u9fff\uff00-\uffef\u2010-\u203b\ufeff]")
# Tabs and line ends are text; the rest of the C0 controls are not.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_OTHER_KINDS = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"7z\xbc\xaf", b"GIF8", b"{\\rtf", b"\x1f\x8b", b"PK")


def read_text(content: bytes) -> str:
    """Strict UTF-8 (with or without a mark), else strict GB18030; never a guess that could garble a name."""
    head = content[:1024].lstrip()
    if content.startswith(_OTHER_KINDS) or content[:2] in (b"\xff\xfe", b"\xfe\xff") or _CONTROL.search(content):
        raise _not_text()
    if head[:1] == b"<":
        raise unreadable("文件是网页或 XML, 不是表格。", "The file is a web page or XML, not a table.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse_mixed(content)
    try:
        return content.decode("gb18030")
    except UnicodeDecodeError as error:
        raise _not_text() from error


def _not_text() -> Exception:
    return unreadable(
        "无法识别文件内容或编码: 只接受 .xlsx, .xls 和 UTF-8 或 GB18030 编码的 .csv。",
        "The content or its encoding is not recognised: .xlsx, .xls, and .csv in UTF-8 or GB18030 are accepted.",
    )


def _refuse_mixed(content: bytes) -> None:
    # GB18030 accepts most damaged UTF-8 as other Chinese characters. A line that is good Chinese in UTF-8 is therefore
    # proof that the file is not GB18030; the odds of a GB18030 line passing by accident vanish with its length.
    for line in content.splitlines():
        if line.isascii():
            continue
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if len(_CHINESE.findall(text)) >= 2 and not _NOT_CHINESE.search(text):
            raise unreadable(
                "文件混用了 UTF-8 与其他编码, 或内容已损坏。",
                "The file mixes UTF-8 with another encoding, or is damaged.",
            )


def read_delimited(content: bytes, limits: Limits) -> Sheet:
    """The one sheet of a text file; a record is a row of Excel, however many lines its quoted cells span.

    A cell that begins with `=` is what Excel takes for a formula.
    """
    text = read_text(content)
    rows: list[list[Value]] = []
    formulas: set[tuple[int, int]] = set()
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    columns = 0
    try:
        for record in reader:
            columns = max(columns, len(record))
            check_extent("CSV", len(rows) + 1, columns, limits)
            formulas.update((len(rows), at) for at, cell in enumerate(record) if cell.startswith("="))
            rows.append([cell or None for cell in record])
    except csv.Error as error:
        raise unreadable(
            f"第 {reader.line_num} 行的引号或格式有误。", f"Line {reader.line_num}: the quoting or format is wrong."
        ) from error
    for row in rows:
        row.extend([None] * (columns - len(row)))
    return Sheet("CSV", rows, frozenset(formulas), typed=False)


def _delimiter(text: str) -> str:
    first = next((line for line in io.StringIO(text) if line.strip()), "")
    return max(",\t;", key=first.count)
