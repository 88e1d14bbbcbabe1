"""What a scoring request says, before and after it is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from services.audits.scoring.levels import Level
from services.audits.scoring.problems import ScoreProblem, pointer
from services.audits.scoring.systems import DecisionRule
from shared.numbers import as_written

_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")


@dataclass(frozen=True)
class ScoreRequest:
    """The body of a scoring request after `index_system`: JSON values as they came."""

    indicators: Mapping[str, object]
    params: Mapping[str, object] = field(default_factory=dict)
    decision_rule: str | None = None
    product_mix: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Given:
    """What is said of one indicator: a level, a value with its conditions, or why it does not apply."""

    level: Level | None = None
    value: Decimal | None = None
    conditions: Mapping[str, bool] = field(default_factory=dict)
    not_applicable: str | None = None


@dataclass(frozen=True)
class Inputs:
    """A request that was read without a fault."""

    rule: DecisionRule
    given: Mapping[str, Given]
    numbers: Mapping[str, Decimal]
    choices: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, Decimal]

    def is_excused(self, indicator: str) -> bool:
        """Whether the indicator is declared not applicable."""
        found = self.given.get(indicator)
        return found is not None and found.not_applicable is not None


class Faults(list[ScoreProblem]):
    """The faults found so far."""

    def add(self, code: str, place: tuple[str, ...], zh: str, en: str) -> None:
        """Note one fault at the place named by these keys."""
        self.append(ScoreProblem(code, pointer(*place), zh, en))


def read_decimal(raw: object) -> Decimal | None:
    """The number in a decimal string, or in a JSON number that kept its digits; None for anything else."""
    text = as_written(raw)
    return Decimal(text) if isinstance(text, str) and _DECIMAL.fullmatch(text) else None
