"""Three-valued comparisons: a known fact gives true or false, an unknown one gives unknown (`None`)."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from services.incentives.engine.model import FactType, TableError, Text

Truth = bool | None
Compare = Callable[[Any], bool]

SIGNS = {
    "=": Text(zh="为", en="is"),
    "!=": Text(zh="不为", en="is not"),
    "in": Text(zh="属于", en="is one of"),
    "<": Text(zh="低于", en="is below"),
    "<=": Text(zh="不超过", en="is at most"),
    ">": Text(zh="高于", en="is above"),
    ">=": Text(zh="不低于", en="is at least"),
    "between": Text(zh="介于", en="is between"),
    "any": Text(zh="不限", en="does not matter"),
    "true": Text(zh="：是", en="holds"),
    "false": Text(zh="：否", en="does not hold"),
    "known": Text(zh="已知", en="is known"),
}
WORDS: dict[Truth, str] = {True: "true", False: "false", None: "unknown"}


def coerce(value: Any, type_: str) -> Any:
    """A constant of the table as a value of the fact's type; TableError if it is none."""
    try:
        if isinstance(value, list | tuple):
            return tuple(coerce(item, type_) for item in value)
        if type_ == "decimal" and isinstance(value, str | int) and not isinstance(value, bool):
            return Decimal(value)
        if type_ == "date" and isinstance(value, str):
            return date.fromisoformat(value)
    except (ArithmeticError, ValueError) as error:
        raise TableError(f"{value!r} is not a {type_}") from error
    wanted: dict[str, type] = {"bool": bool, "int": int, "date": date, "code": str, "text": str, "decimal": Decimal}
    if type_ not in wanted or not isinstance(value, wanted[type_]) or (type_ == "int" and isinstance(value, bool)):
        raise TableError(f"{value!r} is not a {type_}")
    return value


def comparison(op: str, threshold: Any, type_: FactType) -> Compare:
    """The test of a known value; ordered operators are refused for facts without an order."""
    if op in ("<", "<=", ">", ">=", "between") and type_ not in ("int", "decimal", "date"):
        raise TableError(f"{op} needs an ordered fact, not a {type_}")
    if op in ("any", "known"):
        return lambda value: True
    if op in ("true", "false"):
        if type_ != "bool":
            raise TableError(f"{op} needs a bool, not a {type_}")
        return (lambda value: value is True) if op == "true" else (lambda value: value is False)
    if op == "between":
        low, high = threshold
        return lambda value: bool(low <= value <= high)
    if op == "in":
        return frozenset(threshold).__contains__
    ordered: dict[str, Compare] = {
        "=": lambda value: bool(value == threshold),
        "!=": lambda value: bool(value != threshold),
        "<": lambda value: bool(value < threshold),
        "<=": lambda value: bool(value <= threshold),
        ">": lambda value: bool(value > threshold),
        ">=": lambda value: bool(value >= threshold),
    }
    return ordered[op]


def any_of(truths: list[Truth]) -> Truth:
    """Kleene disjunction: one true is enough, else one unknown."""
    if True in truths:
        return True
    return None if None in truths else False
