"""Fictional firms for the sample province: valid check digits, names marked 示例, every city, always the same."""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.codes import city_of, county_codes, division_name, make_uscc
from shared.spreadsheets import write_rows

SEED = 2024
INDUSTRIES = {
    "3110": "钢铁", "3212": "铅锌", "3216": "铝业", "3231": "硬质合金", "2611": "化工", "2710": "药业", "3011": "水泥",
    "2221": "纸业", "3360": "表面处理", "3982": "电子", "3841": "电池", "2319": "包装", "1511": "酒业", "4411": "电力",
}  # fmt: skip
WORDS = ("雪峰", "洞庭", "湘江", "岳麓", "资水", "沅江", "澧水", "东江", "韶峰", "苏仙", "云溪", "石鼓", "天门", "凤凰", "武陵", "浏阳")
REASONS = ("双超", "双有", "双超、双有")


@dataclass(frozen=True)
class Firm:
    """A firm that does not exist."""

    uscc: str
    name: str
    division: str
    industry: str

    @property
    def city_name(self) -> str:
        return division_name(city_of(self.division) or "") or ""

    @property
    def county_name(self) -> str:
        return division_name(self.division) or ""


def firms(count: int, *, first: int = 0) -> list[Firm]:
    """The first `count` firms of the sample province."""
    chance = random.Random(SEED)  # noqa: S311 — the same firms every time is the point
    counties = county_codes()
    found = []
    for number in range(first, first + count):
        division, industry = counties[(number * 37) % len(counties)], chance.choice(sorted(INDUSTRIES))
        place = (division_name(division) or "").rstrip("市县区")
        name = f"{place}{chance.choice(WORDS)}示例{INDUSTRIES[industry]}有限公司{number:03d}"
        found.append(Firm(make_uscc(1000 + number, division=division), name, division, industry))
    return found


def register_file(given: Sequence[Firm]) -> bytes:
    """The firms as a file of the register."""
    headers = ["企业名称", "统一社会信用代码", "所在市州", "所在县市区", "行业代码", "法定代表人", "地址", "规模以上", "排污许可证编号"]
    rows = [
        [f.name, f.uscc, f.city_name, f.county_name, f.industry, "示例", f"{f.county_name}示例路1号", "是", f"{f.uscc}001P"]
        for f in given
    ]
    return _file(headers, rows, "企业")


def list_file(given: Sequence[Firm]) -> bytes:
    """The firms as a list for mandatory audit."""
    headers = ["企业名称", "统一社会信用代码", "所在市州", "所在县市区", "行业", "纳入原因", "备注"]
    rows = [
        [f.name, f.uscc, f.city_name, f.county_name, f.industry, REASONS[n % len(REASONS)], None]
        for n, f in enumerate(given)
    ]
    return _file(headers, rows, "名单")


def grades_file(given: Sequence[Firm], year: int) -> bytes:
    """Grades of an evaluation year, spread as a real year's are."""
    chance = random.Random(SEED)  # noqa: S311
    spread = ["绿牌"] * 6 + ["蓝牌"] * 88 + ["黄牌"] * 4 + ["红牌", "黑牌"]
    headers = ["统一社会信用代码", "评价年度", "等级", "评价层级", "发布日期", "文号"]
    rows = [
        [f.uscc, Decimal(year), chance.choice(spread), "省级", date(year + 1, 6, 5), f"湘环示例〔{year + 1}〕0号"] for f in given
    ]
    return _file(headers, rows, "评价结果")


def _file(headers: Sequence[str], rows: Sequence[Sequence[object]], sheet: str) -> bytes:
    buffer = io.BytesIO()
    write_rows(buffer, headers, rows, sheet=sheet)  # type: ignore[arg-type]
    return buffer.getvalue()
