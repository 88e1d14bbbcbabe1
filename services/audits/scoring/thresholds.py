"""Thresholds: formulas in a whitelisted grammar, compared in decimal."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

TOLERANCE = Decimal("1e-9")
LONGEST_FORMULA = 80
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,12})?")
_OPERATORS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


class Direction(StrEnum):
    """How a value is held against its threshold; a property of the indicator, never read out of a text."""

    LE = "le"
    GE = "ge"
    LT = "lt"
    GT = "gt"
    BETWEEN = "between"
    ENUM = "enum"


@dataclass(frozen=True)
class Formula:
    """A number, or an expression of numbers, `+`, `-`, `*` and named parameters."""

    text: str
    names: frozenset[str]
    tree: ast.expr = field(compare=False, repr=False)

    def value(self, params: Mapping[str, Decimal]) -> Decimal:
        """The number this formula stands for; `KeyError` names a parameter that is missing."""
        return _evaluate(self.tree, self.text, params)


@dataclass(frozen=True)
class Threshold:
    """What one level asks of an indicator: a number (or a range), conditions, or the wording of a choice."""

    at: Formula | None = None
    upper: Formula | None = None
    conditions: tuple[str, ...] = ()
    wording: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """The parameters needed to resolve it."""
        return frozenset().union(*(part.names for part in (self.at, self.upper) if part is not None))

    def resolved(self, params: Mapping[str, Decimal]) -> str | None:
        """The number, range or wording to show; None where there is none or a parameter is not known."""
        if self.at is None or not self.names <= params.keys():
            return self.wording
        shown = format_decimal(self.at.value(params))
        return shown if self.upper is None else f"{shown}..{format_decimal(self.upper.value(params))}"


def parse_formula(text: str) -> Formula:
    """Read a formula; `ValueError` when it is outside the grammar."""
    text = text.strip()
    if not text.isascii() or not 0 < len(text) <= LONGEST_FORMULA or "\n" in text:
        raise ValueError(f"{text[:LONGEST_FORMULA]!r} is not a formula")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{text!r} is not a formula") from error
    names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    _evaluate(tree, text, dict.fromkeys(names, Decimal(1)))
    return Formula(text, names, tree)


def _evaluate(node: ast.expr, text: str, params: Mapping[str, Decimal]) -> Decimal:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_evaluate(node.left, text, params), _evaluate(node.right, text, params))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand, text, params)
    if isinstance(node, ast.Name):
        return params[node.id]
    # The digits are taken from the text: the parser's own constant has already been through a float.
    digits = text[node.col_offset : node.end_col_offset]
    if isinstance(node, ast.Constant) and _NUMBER.fullmatch(digits):
        return Decimal(digits)
    raise ValueError(f"{text!r} is outside the grammar of formulas")


def compare(direction: Direction, value: Decimal, threshold: Threshold, params: Mapping[str, Decimal]) -> bool:
    """Whether the value meets the number of the threshold, equality taken at 1e-9."""
    assert threshold.at is not None
    limit = threshold.at.value(params)
    match direction:
        case Direction.LE:
            return value <= limit + TOLERANCE
        case Direction.GE:
            return value >= limit - TOLERANCE
        case Direction.LT:
            return value < limit - TOLERANCE
        case Direction.GT:
            return value > limit + TOLERANCE
        case Direction.BETWEEN:
            assert threshold.upper is not None
            return limit - TOLERANCE <= value <= threshold.upper.value(params) + TOLERANCE
    raise ValueError(f"a number cannot be compared by {direction}")


def format_decimal(value: Decimal, places: int | None = None) -> str:
    """A plain decimal string without trailing zeros, rounded half up to `places` where given."""
    if places is not None:
        # Adding zero first rounds to the working precision, so that a third taken three times still ends in a 5.
        value = (value + 0).quantize(Decimal(1).scaleb(-places), rounding="ROUND_HALF_UP")
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"", "-0"} else text
