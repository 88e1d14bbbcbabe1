"""Facts: which codes there are, and what their values may be."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from shared.datafiles import read_data
from shared.problems import Fault, Text

DATA = Path(__file__).parent.parent / "data" / "facts.yaml"
_FLAGS = ("true", "false")
MOST_DIGITS = 18
MOST_PLACES = 8


@dataclass(frozen=True)
class FactKind:
    """A code of facts; `on_day` is an occurrence on its day."""

    code: str
    type: str
    label: Text
    least: Decimal | None = None
    most: Decimal | None = None
    choices: tuple[str, ...] = ()
    on_day: bool = False


@cache
def fact_kinds() -> dict[str, FactKind]:
    """Every code, in the order of the data file."""
    listed = read_data(DATA)["facts"]
    return {
        entry["code"]: FactKind(
            code=entry["code"],
            type=entry["type"],
            label=Text(**entry["label"]),
            least=Decimal(entry["min"]) if "min" in entry else None,
            most=Decimal(entry["max"]) if "max" in entry else None,
            choices=_FLAGS if entry["type"] == "flag" else tuple(entry.get("choices", ())),
            on_day=entry.get("on_day", False),
        )
        for entry in listed
    }


def occurrence_codes() -> list[str]:
    return [kind.code for kind in fact_kinds().values() if kind.on_day]


def fact_value(code: str, given: str | bool | Decimal) -> str | Fault:
    """The value as it is stored, or what is wrong with it; a decimal keeps the digits it was given with."""
    kind = fact_kinds().get(code)
    if kind is None:
        known = "、".join(fact_kinds())
        return Fault(
            "/code", "fact_unknown", Text(f"未知的事实代码，可用：{known}。", f"Unknown code; known: {known}.")
        )
    text = str(given).lower() if isinstance(given, bool) else str(given).strip()
    if kind.type == "decimal":
        return _decimal(kind, given)
    if kind.choices:
        return text if text in kind.choices else _fault(f"应为 {'、'.join(kind.choices)} 之一。", kind.choices)
    return text if 0 < len(text) <= 100 and isinstance(given, str) else _fault("应为1至100个字的文本。", ("text",))


def _decimal(kind: FactKind, given: str | bool | Decimal) -> str | Fault:
    wrong = _fault(_range_zh(kind), (f"a decimal from {kind.least} to {kind.most or 'any'}",))
    if isinstance(given, bool):
        return wrong
    try:
        value = Decimal(str(given).strip())
    except InvalidOperation:
        return wrong
    if not value.is_finite() or abs(value.adjusted()) >= MOST_DIGITS or _places(value) > MOST_PLACES:
        return wrong
    if (kind.least is not None and value < kind.least) or (kind.most is not None and value > kind.most):
        return wrong
    return format(value, "f").removeprefix("-")


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else MOST_PLACES + 1


def _range_zh(kind: FactKind) -> str:
    return f"应为不小于 {kind.least} 的小数。" if kind.most is None else f"应为 {kind.least} 至 {kind.most} 的小数。"


def _fault(zh: str, choices: tuple[str, ...]) -> Fault:
    return Fault("/value", "fact_value", Text(zh, f"Expected: {', '.join(choices)}."))


def day_faults(valid_from: date, valid_to: date | None, today: date) -> list[Fault]:
    """A fact is about days that have begun, and does not end before it begins."""
    faults = []
    if valid_from > today:
        text = Text("起始日期不得晚于今天。", "The first day is not after today.")
        faults.append(Fault("/valid_from", "date_out_of_order", text))
    if valid_to is not None and valid_to < valid_from:
        text = Text("截止日期不得早于起始日期。", "The last day is not before the first.")
        faults.append(Fault("/valid_to", "date_out_of_order", text))
    return faults
