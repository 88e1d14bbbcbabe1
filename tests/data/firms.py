"""Fictional firms of Hunan, the same for the same seed however many are drawn: a longer register begins with a shorter one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import yaml

from shared.codes import make_uscc

SEED = 20_260_310
# A series that no registration authority issues, so that no code here is anybody's.
REGISTERED, UNREGISTERED, SMELTERS = "MX", "MY", "MW"
_FIRST = "湘岳洞麓衡沅资澧潇浏醴耒雪韶桃云星海天永宏盛华鑫瑞丰泰恒安康祥和明远长新东南金银玉石松柏竹梅兰"
_SECOND = "江峰湖山源达通成兴业利德信诚嘉景晖阳辰宇博创科维隆茂昌荣辉耀润泽清澄"
_FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
_ENDINGS = ("有限公司", "有限责任公司", "股份有限公司", "集团有限公司")
_DATA = Path(__file__).parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Firm:
    """One made-up firm; `division` is the county-level code of where it is."""

    name: str
    uscc: str
    city: str
    county: str
    division: str
    industry: str
    industry_name: str
    legal_representative: str
    address: str
    above_scale: bool
    permit_no: str


def divisions() -> list[tuple[str, str, str]]:
    """(city, county, county code) of every county-level division."""
    document = yaml.safe_load((_DATA / "divisions.yaml").read_text(encoding="utf-8"))
    return [(city["name"], name, code) for city in document["cities"] for code, name in city["counties"].items()]


def industries() -> list[tuple[str, str]]:
    """(code, name) of every industry of the code list."""
    document = yaml.safe_load((_DATA / "industries.yaml").read_text(encoding="utf-8"))
    return [(code, name) for group in document["groups"] for code, name in group["codes"].items()]


def firms(count: int, *, series: str = REGISTERED, industry: str | None = None) -> Iterator[Firm]:
    """The first `count` firms of a series, of one industry where it is given."""
    random = Random(f"{SEED}-{series}")
    places = divisions()
    cities = sorted({city for city, _, _ in places})
    trades = [pair for pair in industries() if industry in (None, pair[0])]
    taken: set[str] = set()
    for number in range(count):
        # The first firms go through the cities in turn, so that even a short list has all fourteen.
        city = cities[number % len(cities)] if number < 140 else None
        place = random.choice([place for place in places if place[0] == city] if city else places)
        yield _firm(random, make_uscc(number, division=place[2], series=series), place, random.choice(trades), taken)


def _firm(random: Random, uscc: str, place: tuple[str, str, str], trade: tuple[str, str], taken: set[str]) -> Firm:
    city, county, division = place
    name = _name(random, city, trade[1], taken)
    return Firm(
        name=name,
        uscc=uscc,
        city=city,
        county=county,
        division=division,
        industry=trade[0],
        industry_name=trade[1],
        legal_representative=random.choice(_FAMILY) + "示例",
        address=f"{city}{county}示例路{random.randint(1, 999)}号",
        above_scale=random.random() < 0.6,
        permit_no=f"{uscc}001P" if random.random() < 0.7 else "",
    )


def _name(random: Random, city: str, trade: str, taken: set[str]) -> str:
    lead = city[:-1] if len(city) < 6 else "湘西"
    for size in range(1, 9):
        middle = random.choice(_FIRST) + "".join(random.choice(_SECOND) for _ in range(size))
        name = f"{lead}{middle}示例{trade.removeprefix('其他').removesuffix('制造').removesuffix('加工')[:8]}{random.choice(_ENDINGS)}"
        if name not in taken:
            taken.add(name)
            return name
    raise ValueError("the names are used up")
