"""The answer to a scoring request, with everything it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.audits.scoring.decision import Condition, StepOutcome
from services.audits.scoring.levels import GRADES, Level
from services.audits.scoring.request import Given
from services.audits.scoring.systems import DecisionRule, Group, IndexSystem, Indicator, Text
from services.audits.scoring.thresholds import format_decimal
from services.audits.scoring.weights import Absence

INDEX_PLACES = 2
WEIGHT_PLACES = 6


@dataclass(frozen=True)
class Row:
    """One indicator in the trace; `level` is None when it takes no part or has no benchmark to be held against."""

    indicator: Indicator
    given: Given | None
    absence: Absence | None
    weight: Decimal | None
    level: Level | None
    thresholds: Mapping[Level, str | None]

    @property
    def applies(self) -> bool:
        """Whether it takes part in the score."""
        return self.absence is None

    def as_json(self) -> dict[str, Any]:
        """The indicator's entry in `trace.indicators`."""
        shown = self.given or Given()
        return {
            "id": self.indicator.id,
            "name": self.indicator.name.as_json(),
            "group": self.indicator.group,
            "unit": self.indicator.unit,
            "limiting": self.indicator.limiting,
            "direction": self.indicator.direction.value,
            "applies": self.applies,
            "reason": _absence(self.absence),
            "weight": _number(self.weight, WEIGHT_PLACES),
            "given": self.given is not None,
            "value": _level(shown.level) if shown.value is None else format_decimal(shown.value),
            "conditions": dict(shown.conditions),
            "thresholds": {level.value: self.thresholds.get(level) for level in GRADES},
            "threshold_conditions": {
                level.value: list(threshold.conditions)
                for level, threshold in self.indicator.thresholds.items()
                if threshold.conditions
            },
            "level_reached": _level(self.level),
            "confidence": self.indicator.confidence,
        }


@dataclass(frozen=True)
class GroupTotal:
    """A first-level indicator in the trace: its effective weight and its own index at each level, of 100."""

    group: Group
    applies: bool
    weight: Decimal | None
    index: Mapping[Level, Decimal | None]

    def as_json(self) -> dict[str, Any]:
        """The group's entry in `trace.groups`."""
        return {
            "id": self.group.id,
            "name": self.group.name.as_json(),
            "stated_weight": _number(self.group.weight, WEIGHT_PLACES),
            "applies": self.applies,
            "weight": _number(self.weight, WEIGHT_PLACES),
            **_index(self.index),
        }


@dataclass(frozen=True)
class Review:
    """Why a person must decide: a code, the indicators (or groups) concerned, a sentence."""

    reason: str
    indicators: tuple[str, ...]
    text: Text


@dataclass(frozen=True)
class ScoreResult:
    """The indices (of 100, unrounded), the level (None: a person must decide) and the trace."""

    system: IndexSystem
    rule: DecisionRule
    index: Mapping[Level, Decimal | None]
    level: Level | None
    rows: tuple[Row, ...]
    groups: tuple[GroupTotal, ...]
    steps: tuple[StepOutcome, ...]
    reviews: tuple[Review, ...]

    @property
    def limiting(self) -> tuple[Row, ...]:
        """The limiting indicators that miss Level I, worst first."""
        short = [row for row in self.rows if row.indicator.limiting and row.level not in {None, Level.I}]
        return tuple(sorted(short, key=lambda row: row.level.rank if row.level else 0))

    def as_json(self) -> dict[str, Any]:
        """The public answer; indices are decimal strings of at most two places, decided on unrounded."""
        return {
            "index_system": self.system.id,
            "decision_rule": self.rule.id,
            **_index(self.index),
            "level": _level(self.level),
            "level_name": None if self.level is None else self.rule.names[self.level].as_json(),
            "limiting": [{"id": row.indicator.id, "level": _level(row.level)} for row in self.limiting],
            "manual_review": [
                {"reason": review.reason, "indicators": list(review.indicators), **review.text.as_json()}
                for review in self.reviews
            ],
            "trace": self._trace(),
        }

    def _trace(self) -> dict[str, Any]:
        return {
            "indicators": [row.as_json() for row in self.rows],
            "groups": [group.as_json() for group in self.groups],
            "not_given": [row.indicator.id for row in self.rows if row.applies and row.given is None],
            "notes": [
                {"indicator": row.indicator.id, **row.indicator.note.as_json()}
                for row in self.rows
                if row.applies and row.indicator.note is not None
            ],
            "decision": [_step(step) for step in self.steps],
        }


@dataclass(frozen=True)
class AcceptanceLevel:
    """What an acceptance takes from a score: the level, the vetoes it raises, what must be reviewed first."""

    level: Level | None
    vetoes: tuple[str, ...]
    reviews: tuple[str, ...]


def level_for_acceptance(result: ScoreResult) -> AcceptanceLevel:
    """`BELOW` raises the veto `V4_BELOW_III`; an undecided level names the reviews it waits for and raises none."""
    vetoes = ("V4_BELOW_III",) if result.level is Level.BELOW else ()
    return AcceptanceLevel(result.level, vetoes, tuple(review.reason for review in result.reviews))


def _index(index: Mapping[Level, Decimal | None]) -> dict[str, str | None]:
    return {f"y_{level.lower()}": _number(index[level], INDEX_PLACES) for level in GRADES}


def _number(value: Decimal | None, places: int) -> str | None:
    return None if value is None else format_decimal(value, places)


def _level(level: Level | None) -> str | None:
    return None if level is None else level.value


def _absence(absence: Absence | None) -> dict[str, Any] | None:
    return None if absence is None else {"code": absence.code, "reason": absence.reason, **absence.text.as_json()}


def _step(step: StepOutcome) -> dict[str, Any]:
    return {
        "level": step.level.value,
        "result": step.holds,
        "conditions": [_condition(cell) for cell in step.conditions],
    }


def _condition(cell: Condition) -> dict[str, Any]:
    return {
        "subject": cell.subject,
        "operator": cell.operator,
        "wanted": cell.wanted,
        "found": cell.found,
        "result": cell.holds,
    }
