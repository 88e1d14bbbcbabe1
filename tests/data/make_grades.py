"""Makes credit grades of 2024 for the firms of the register: python tests/data/make_grades.py OUT [--count 20000]."""

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.spreadsheets import Value, write_rows
from tests.data.firms import SEED, firms

HEADERS = ("统一社会信用代码", "评价年度", "等级", "评价层级", "发布日期", "文号")
SHARES = {"绿牌": 15, "蓝牌": 60, "黄牌": 18, "红牌": 6, "黑牌": 1}
PUBLISHED_ON = date(2025, 6, 20)


def rows(count: int) -> Iterator[list[Value]]:
    random = Random(f"{SEED}-grades")
    for firm in firms(count):
        (grade,) = random.choices([*SHARES], weights=[*SHARES.values()])
        level = "省级" if random.random() < 0.2 else "市级"
        yield [firm.uscc, "2024", grade, level, PUBLISHED_ON, "湘环示例〔2025〕0号"]


def make(out: Path, count: int) -> tuple[Path, Path]:
    """The .xlsx (with date cells) and the .csv (UTF-8 with a mark) of the grades of the first `count` firms."""
    out.mkdir(parents=True, exist_ok=True)
    sheet, text = out / f"grades_2024_{count}.xlsx", out / f"grades_2024_{count}.csv"
    write_rows(sheet, HEADERS, rows(count), sheet="评价结果")
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
