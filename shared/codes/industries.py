"""Industries (GB/T 4754-2017, four digits) that the provincial opinions name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from shared.codes.files import read
from shared.codes.uscc import ascii_width

# A class may be written with its section letter (C3120), before or after its name: "3120 炼钢", "炼钢（C3120）".
_CODE = re.compile(r"(?<![0-9A-Za-z])[A-Ta-t]?(?P<digits>[0-9]{4})(?![0-9])")


@dataclass(frozen=True)
class _Industries:
    names: Mapping[str, str]
    by_name: Mapping[str, str]


@cache
def _industries() -> _Industries:
    groups = read("industries.yaml")["groups"]
    names: dict[str, str] = {}
    by_name: dict[str, str] = {}
    for group in groups:
        names |= group["codes"]
        if len(group["codes"]) == 1:  # a trade of one class may be called by the trade's name: 电镀, 焦化
            by_name[_plain(group["name"]["zh"])] = next(iter(group["codes"]))
    by_name |= {_plain(name): code for code, name in names.items()}
    return _Industries(names, by_name)


def _plain(name: str) -> str:
    """A name without spaces, the same whichever width its brackets and commas have."""
    return "".join(ascii_width(name).replace("、", ",").split())


def industry_known(code: str) -> bool:
    """Whether four digits are a class of the list."""
    return code in _industries().names


def industry_name(code: str) -> str | None:
    """The standard's Chinese name of a class, None when it is not of the list."""
    return _industries().names.get(code)


def industry_by_name(name: str) -> str | None:
    """The class of a name (spaces and the width of signs do not matter), None when unknown or ambiguous."""
    return _industries().by_name.get(_plain(name))


def industry_code(text: str) -> str | None:
    """The class that a file's 行业代码 or 行业 means: digits, C3120, a name, or digits beside a name."""
    if found := industry_by_name(text):
        return found
    written = _CODE.findall(ascii_width(text))
    return written[0] if len(written) == 1 and industry_known(written[0]) else None
