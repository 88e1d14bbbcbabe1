"""Makes the mandatory list of 2026 (.xlsx, .xls, GB18030 .csv), its correction, and what a check must find: python tests/data/make_list.py OUT."""

import argparse
import csv
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import xlsxwriter
import xlwt

from tests.data.list_rows import LOWER, NOTE, TITLE, UPPER, Entry, corrected_list, expected_json, planted_list

WIDTHS = (6, 40, 24, 22, 18, 30, 14, 20)
# Zero-based top, left, bottom, right: title, note, headers that span both rows, the group over city and county.
MERGED = ((0, 0, 0, 7), (1, 0, 1, 7), *((2, at, 3, at) for at in (0, 1, 2, 5, 6, 7)), (2, 3, 2, 4))
STAMP = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).replace(tzinfo=None)


def grid(entries: list[Entry]) -> list[list[str | int]]:
    """All rows of the sheet: title, note, two header rows, data."""
    rows: list[list[str | int]] = [[TITLE, *[""] * 7], [NOTE, *[""] * 7], list(UPPER), list(LOWER)]
    for number, entry in enumerate(entries, 1):
        place = [entry.city, entry.county, entry.industry]
        rows.append([number, entry.name, entry.uscc, *place, entry.reasons, entry.remark])
    return rows


def write_xlsx(path: Path, entries: list[Entry]) -> None:
    workbook = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    workbook.set_properties({"created": STAMP})
    sheet = workbook.add_worksheet("名单")
    head = workbook.add_format({"bold": True, "align": "center", "valign": "vcenter", "text_wrap": True, "border": 1})
    for column, width in enumerate(WIDTHS):
        sheet.set_column(column, column, width)
    rows = grid(entries)
    for top, left, bottom, right in MERGED:
        sheet.merge_range(top, left, bottom, right, rows[top][left], head)
    for index, row in enumerate(rows):
        for column, value in enumerate(row):
            if value != "" and not _covered(index, column):
                sheet.write(index, column, value, head if index < 4 else None)
    workbook.close()


def write_xls(path: Path, entries: list[Entry]) -> None:
    workbook = xlwt.Workbook(encoding="utf-8")
    sheet = workbook.add_sheet("名单")
    for column, width in enumerate(WIDTHS):
        sheet.col(column).width = 256 * width
    rows = grid(entries)
    for top, left, bottom, right in MERGED:
        sheet.write_merge(top, bottom, left, right, rows[top][left])
    for index, row in enumerate(rows):
        for column, value in enumerate(row):
            if value != "" and not _covered(index, column):
                sheet.write(index, column, value)
    workbook.save(str(path))


def write_csv(path: Path, entries: list[Entry]) -> None:
    with path.open("w", encoding="gb18030", newline="") as file:
        csv.writer(file).writerows(grid(entries))


def _covered(row: int, column: int) -> bool:
    return any(top <= row <= bottom and left <= column <= right for top, left, bottom, right in MERGED)


WRITERS: dict[str, Callable[[Path, list[Entry]], None]] = {"xlsx": write_xlsx, "xls": write_xls, "csv": write_csv}


def make(out: Path) -> list[Path]:
    """The list in three formats, the corrected list as .xlsx, and list_expected.json."""
    out.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for suffix, write in WRITERS.items():
        made.append(out / f"list_2026.{suffix}")
        write(made[-1], planted_list().entries)
    made.append(out / "list_2026_corrected.xlsx")
    write_xlsx(made[-1], corrected_list())
    made.append(out / "list_expected.json")
    made[-1].write_text(expected_json(), encoding="utf-8")
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    for made_path in make(parser.parse_args().out):
        print(made_path)
