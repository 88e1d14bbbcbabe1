"""Policy parameters of the audits service, by name and day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from shared.datafiles import read_data

DATA = Path(__file__).parent / "data"


class LawDataError(ValueError):
    """A data file of the law contradicts itself; the service does not start on it."""


@dataclass(frozen=True)
class PolicyParameter:
    """One parameter as it stands on a day: its value with its unit, where it comes from and how sure that is."""

    name: str
    unit: str
    confidence: str
    basis: str | None
    value: int | bool | str | tuple[int, ...]

    @property
    def whole(self) -> int:
        """A count of months, days, years or times."""
        assert isinstance(self.value, int) and not isinstance(self.value, bool), self.name
        return self.value

    @property
    def flag(self) -> bool:
        """A yes or no."""
        assert isinstance(self.value, bool), self.name
        return self.value

    @property
    def amount(self) -> Decimal:
        """Money or points."""
        assert isinstance(self.value, str), self.name
        return Decimal(self.value)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Several counts."""
        assert isinstance(self.value, tuple), self.name
        return self.value


def read(name: str) -> Any:
    """A YAML file of the audits data; LawDataError for a float, because figures of the law are exact."""
    document = read_data(DATA / name)
    refuse_floats(document, name)
    return document


def refuse_floats(item: Any, where: str) -> None:
    """LawDataError where a figure was written unquoted with a fraction."""
    if isinstance(item, float):
        raise LawDataError(f"{where}: {item} is a float; write it as a string")
    children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    for child in children:
        refuse_floats(child, where)


@cache
def _parameters() -> Mapping[str, Any]:
    parameters: dict[str, Any] = read("policy.yaml")["parameters"]
    for name, parameter in parameters.items():
        starts = [version.get("from") for version in parameter["versions"]]
        if starts[0] is not None or None in starts[1:] or starts[1:] != sorted(starts[1:]):
            raise LawDataError(f"policy.yaml: {name}: the first version has no start, the others follow in order")
    return parameters


def policy(name: str, day: date | None = None) -> PolicyParameter:
    """A parameter as in force on a day, by default the newest; KeyError for an unknown name."""
    parameter = _parameters()[name]
    versions = [v for v in parameter["versions"] if day is None or v.get("from") is None or v["from"] <= day]
    value = versions[-1]["value"]
    return PolicyParameter(
        name,
        parameter["unit"],
        parameter["confidence"],
        parameter.get("basis"),
        tuple(value) if isinstance(value, list) else value,
    )


def policy_names() -> tuple[str, ...]:
    """Every parameter, in file order."""
    return tuple(_parameters())


def measure_cost_class(cost: Decimal, day: date | None = None) -> str:
    """`no_cost`, `low_cost`, `medium_cost` or `high_cost` of a cost in CNY; a bound belongs to the cheaper class."""
    if not cost.is_finite() or cost < 0:
        raise ValueError("a measure's cost is a number that is not negative")
    if cost == 0:
        return "no_cost"
    if cost <= policy("low_cost_max_cny", day).amount:
        return "low_cost"
    return "medium_cost" if cost <= policy("medium_cost_max_cny", day).amount else "high_cost"


def is_no_low(cost: Decimal, day: date | None = None) -> bool:
    """Whether a cost in CNY belongs to the group 无/低费 and not to 中/高费."""
    return measure_cost_class(cost, day) in ("no_cost", "low_cost")
