"""The rows of the mandatory list of 2026 as a province would send it, with the errors planted in it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from shared.codes.uscc import ALPHABET
from tests.data.firms import UNREGISTERED, Firm, firms

SIZE = 412
UNKNOWN_FIRMS = 8
TITLE = "附件1  2026年湖南省强制性清洁生产审核企业名单(示例)"
NOTE = "发文机关: 省生态环境厅(示例)    文号: 湘环示例〔2026〕0号    本名单所列企业均为虚构"
UPPER = ("序号", "企业名称", "统一社会信用代码", "所在地区", "", "行业", "纳入\n原因", "备注")
LOWER = ("", "", "", "所在市州 ", "所在县市区", "", "", "")
FIRST_ROW = 5  # Excel's number of the first row of data, below the title, the note and the two header rows
NAME, USCC, REASONS = "B", "C", "G"
DEREGISTERED = 200
DEREGISTERED_ON = "2025-11-06"
_REASONS = (
    "双超",
    "双有",
    "双超、双有",
    "双超双有",
    "双超；双有",
    "双有;双超",
    "双超，双有",
    "双有,双超",
    "双超/双有",
    "双超 双有",
    "双有 ",
)


@dataclass(frozen=True)
class Entry:
    """One row as it is typed; `meant` is the firm behind it."""

    name: str
    uscc: str
    city: str
    county: str
    industry: str
    reasons: str
    remark: str
    meant: Firm


@dataclass
class Planted:
    """The list, and what a check of it must say: (Excel row, column letter, code, …)."""

    entries: list[Entry]
    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def change(self, index: int, **cells: Any) -> None:
        self.entries[index] = replace(self.entries[index], **cells)

    def error(self, index: int, column: str, code: str, **details: Any) -> None:
        self.errors.append({"row": index + FIRST_ROW, "column": column, "code": code, **details})

    def warning(self, index: int, column: str, code: str, **details: Any) -> None:
        self.warnings.append({"row": index + FIRST_ROW, "column": column, "code": code, **details})


def _clean_entries() -> list[Entry]:
    known = list(firms(SIZE - 1 - UNKNOWN_FIRMS))
    unknown = list(firms(UNKNOWN_FIRMS, series=UNREGISTERED))
    every = known[:300] + unknown + known[300:]
    return [
        Entry(
            name=firm.name,
            uscc=firm.uscc,
            city=firm.city,
            county=firm.county,
            industry=firm.industry if index % 7 == 0 else firm.industry_name,
            reasons=_REASONS[index % len(_REASONS)],
            remark="",
            meant=firm,
        )
        for index, firm in enumerate(every)
    ]


def planted_list() -> Planted:
    """All 412 rows: untidy ones that are right, ones to warn about, and the seven errors."""
    planted = Planted(_clean_entries())
    _untidy(planted)
    for index in range(300, 300 + UNKNOWN_FIRMS):
        planted.warning(index, USCC, "enterprise_not_registered")
    for index, reasons in ((53, "双超;双有;"), (154, "双有、"), (255, "双超，")):
        planted.change(index, reasons=reasons)
        planted.warning(index, REASONS, "trailing_separator")
    for index in (70, 170):
        entry = planted.entries[index]
        planted.change(index, name=entry.name.replace("示例", "示范示例"))
        planted.warning(index, NAME, "name_mismatch")
    _bad_codes(planted)
    planted.error(DEREGISTERED, USCC, "enterprise_deregistered")
    planted.entries.append(planted.entries[86])
    planted.error(SIZE - 1, USCC, "duplicate_in_file", first_row=86 + FIRST_ROW)
    return planted


def _untidy(planted: Planted) -> None:
    for index in range(4, 400, 40):
        planted.change(index, uscc=_full_width_digits(planted.entries[index].uscc))
    for index in range(9, 400, 30):
        planted.change(index, uscc=planted.entries[index].uscc + " ", name=planted.entries[index].name + "  ")
    for index in range(11, 400, 90):
        planted.change(index, uscc=planted.entries[index].uscc.lower(), remark="上轮审核 2020 年")
    planted.change(30, remark="-待核实")


def _full_width_digits(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if letter.isdigit() else letter for letter in text)


def _bad_codes(planted: Planted) -> None:
    for index in (12, 112, 212):
        right = planted.entries[index].meant.uscc
        other = ALPHABET[(ALPHABET.index(right[-1]) + 1) % len(ALPHABET)]
        planted.change(index, uscc=right[:-1] + other)
        planted.error(index, USCC, "uscc_check_digit", suggestion=right)
    spoil: dict[int, Callable[[str], str]] = {62: lambda code: code[:-1], 262: lambda code: f"{code[:9]}O{code[10:]}"}
    for index, spoiled in spoil.items():
        planted.change(index, uscc=spoiled(planted.entries[index].meant.uscc))
        planted.error(index, USCC, "uscc_malformed")


def corrected_list() -> list[Entry]:
    """The list after the errors were put right: the copy and the deregistered firm are gone."""
    return [entry for index, entry in enumerate(_clean_entries()) if index != DEREGISTERED]


def expected() -> dict[str, Any]:
    """What a check of the list says when the register holds the known firms and the one is deregistered."""
    planted = planted_list()
    gone = planted.entries[DEREGISTERED].meant
    corrected = corrected_list()
    not_registered = [index for index, entry in enumerate(corrected) if entry.meant.uscc[8:10] == UNREGISTERED]
    return {
        "register_rows_needed": SIZE - 1 - UNKNOWN_FIRMS,
        "rows_total": len(planted.entries),
        "deregister_first": {"uscc": gone.uscc, "name": gone.name, "deregistered_on": DEREGISTERED_ON},
        "errors": sorted(planted.errors, key=lambda entry: entry["row"]),
        "warnings": sorted(planted.warnings, key=lambda entry: entry["row"]),
        "corrected": {
            "rows_total": len(corrected),
            "errors": [],
            "warnings": [
                {"row": index + FIRST_ROW, "column": USCC, "code": "enterprise_not_registered"}
                for index in not_registered
            ],
        },
    }


def expected_json() -> str:
    return json.dumps(expected(), ensure_ascii=False, indent=1) + "\n"
