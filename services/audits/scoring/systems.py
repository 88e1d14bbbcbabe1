"""What an index system (清洁生产评价指标体系) is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from services.audits.scoring.levels import GRADES, Level
from services.audits.scoring.thresholds import Direction, Threshold


class Kind(StrEnum):
    """Whether an indicator is measured or judged."""

    QUANTITATIVE = "quantitative"
    QUALITATIVE = "qualitative"


class Share(StrEnum):
    """How the rows of a weight group divide its weight: equally among the rows chosen, or by output."""

    EQUAL = "equal"
    OUTPUT = "output"


class ParamKind(StrEnum):
    """A parameter is a number used in formulas, or a choice of rows."""

    NUMBER = "number"
    ROWS = "rows"


@dataclass(frozen=True)
class Text:
    """A text in both languages."""

    zh: str
    en: str

    def as_json(self) -> dict[str, str]:
        """`{zh, en}`."""
        return {"zh": self.zh, "en": self.en}


@dataclass(frozen=True)
class Group:
    """A first-level indicator and its weight; the weights of a system sum to 1."""

    id: str
    name: Text
    weight: Decimal | None


@dataclass(frozen=True)
class WeightGroup:
    """A weight inside one first-level group that its rows divide; `param` names the choice of rows."""

    id: str
    weight: Decimal
    share: Share
    param: str | None = None


@dataclass(frozen=True)
class Param:
    """A parameter of the request; `aliases` maps another accepted name to what is added to its value."""

    id: str
    kind: ParamKind
    name: Text
    minimum: Decimal = Decimal(0)
    aliases: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class Indicator:
    """A second-level indicator: its weight inside the group and what each level asks."""

    id: str
    name: Text
    group: str
    unit: str
    weight: Decimal | None
    weight_group: str | None
    limiting: bool
    kind: Kind
    direction: Direction
    thresholds: Mapping[Level, Threshold]
    conditions: Mapping[str, Text] = field(default_factory=dict)
    minimum: Decimal | None = Decimal(0)
    note: Text | None = None
    confidence: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """The parameters its thresholds need."""
        return frozenset().union(*(threshold.names for threshold in self.thresholds.values()))


@dataclass(frozen=True)
class Step:
    """One line of a decision table: what `level` asks of limiting and other indicators and of its index."""

    level: Level
    limiting: Level
    non_limiting: Level | None
    operator: str
    index: Decimal


@dataclass(frozen=True)
class DecisionRule:
    """An ordered decision table and the names it gives the levels."""

    id: str
    confidence: str
    steps: tuple[Step, ...]
    names: Mapping[Level, Text]


@dataclass(frozen=True)
class IndexSystem:
    """One version of an industry's index system, with the decision rules known when it was loaded."""

    id: str
    name: Text
    doc_no: str | None
    industry_codes: tuple[str, ...]
    decision_rule: str
    weight_status: str
    source: str
    params: Mapping[str, Param]
    groups: tuple[Group, ...]
    weight_groups: Mapping[str, WeightGroup]
    indicators: Mapping[str, Indicator]
    rules: Mapping[str, DecisionRule]
    warnings: tuple[str, ...] = ()

    def rows_of(self, weight_group: str) -> tuple[str, ...]:
        """The ids of the rows that divide this weight."""
        return tuple(row.id for row in self.indicators.values() if row.weight_group == weight_group)

    def choices_of(self, param: str) -> tuple[str, ...]:
        """The ids of the rows a choice parameter may name."""
        groups = [found.id for found in self.weight_groups.values() if found.param == param]
        return tuple(row for group in groups for row in self.rows_of(group))


def defined_levels(indicator: Indicator) -> tuple[Level, ...]:
    """The levels with a threshold of their own, best first."""
    return tuple(level for level in GRADES if level in indicator.thresholds)
