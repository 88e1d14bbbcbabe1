"""Makes a register of fictional firms: python tests/data/make_register.py OUT [--count 20000]."""

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.spreadsheets import write_rows
from tests.data.firms import Firm, firms

HEADERS = (
    "企业名称",
    "统一社会信用代码",
    "所在市州",
    "所在县市区",
    "行业代码",
    "法定代表人",
    "地址",
    "规模以上",
    "排污许可证编号",
)


def row_of(firm: Firm) -> list[str]:
    scale = "是" if firm.above_scale else "否"
    place = [firm.city, firm.county, firm.industry]
    return [firm.name, firm.uscc, *place, firm.legal_representative, firm.address, scale, firm.permit_no]


def rows(count: int) -> Iterator[list[str]]:
    return map(row_of, firms(count))


def make(out: Path, count: int) -> tuple[Path, Path]:
    """The .xlsx and the .csv (UTF-8 with a mark) of the first `count` firms."""
    out.mkdir(parents=True, exist_ok=True)
    sheet, text = out / f"register_{count}.xlsx", out / f"register_{count}.csv"
    write_rows(sheet, HEADERS, rows(count), sheet="企业")
    with text.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADERS)
        writer.writerows(rows(count))
    return sheet, text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    wanted = parser.parse_args()
    for path in make(wanted.out, wanted.count):
        print(path)
