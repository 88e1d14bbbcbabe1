"""Deciding the level of an enterprise by the table of its rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.audits.scoring.levels import Level
from services.audits.scoring.systems import DecisionRule, Step
from services.audits.scoring.thresholds import TOLERANCE, format_decimal

Index = Mapping[Level, Decimal | None]
SHOWN_PLACES = 9


@dataclass(frozen=True)
class Condition:
    """One cell of the table: what is asked, what was found, and whether it holds (None: not known)."""

    subject: str
    operator: str
    wanted: str
    found: str | None
    holds: bool | None


@dataclass(frozen=True)
class StepOutcome:
    """One line of the table with its cells."""

    level: Level
    conditions: tuple[Condition, ...]

    @property
    def holds(self) -> bool | None:
        """False when a cell is false, None when one is unknown, else true."""
        cells = [condition.holds for condition in self.conditions]
        return False if False in cells else None if None in cells else True


def decide(rule: DecisionRule, index: Index, reached: Mapping[bool, Sequence[Level | None]]) -> tuple[StepOutcome, ...]:
    """Every step of the rule; `reached` holds the levels of limiting (true) and other indicators (false)."""
    return tuple(StepOutcome(step.level, _conditions(step, index, reached)) for step in rule.steps)


def first_level(steps: Sequence[StepOutcome]) -> Level:
    """The level of the first step that holds, else `BELOW`."""
    return next((step.level for step in steps if step.holds), Level.BELOW)


def _conditions(step: Step, index: Index, reached: Mapping[bool, Sequence[Level | None]]) -> tuple[Condition, ...]:
    cells = [_worst("limiting", step.limiting, reached[True])]
    if step.non_limiting is not None:
        cells.append(_worst("non_limiting", step.non_limiting, reached[False]))
    value = index[step.level]
    found = None if value is None else format_decimal(value, SHOWN_PLACES)
    holds = None if value is None else _compares(step, value)
    return (*cells, Condition(f"Y_{step.level}", step.operator, format_decimal(step.index), found, holds))


def _compares(step: Step, value: Decimal) -> bool:
    if step.operator == "eq":
        return abs(value - step.index) <= TOLERANCE
    return value >= step.index - TOLERANCE


def _worst(subject: str, wanted: Level, levels: Sequence[Level | None]) -> Condition:
    known = [level for level in levels if level is not None]
    worst = min(known, key=lambda level: level.rank, default=None)
    if worst is not None and not worst.meets(wanted):
        return Condition(subject, "ge", wanted.value, worst.value, False)
    found = None if worst is None else worst.value
    return Condition(subject, "ge", wanted.value, found, None if len(known) < len(levels) else True)
