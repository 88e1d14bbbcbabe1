"""Checks that an index system hangs together before anything is scored with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from services.audits.scoring.systems import IndexSystem, Indicator, Kind, ParamKind, Share, defined_levels
from services.audits.scoring.thresholds import TOLERANCE, Direction, Threshold

# Formulas are tried for boards of 4 to 20 layers and the like: enough to show where two lines cross.
TRIED = tuple(Decimal(value) for value in range(1, 19))


@dataclass(frozen=True)
class Finding:
    """An `error` makes the system unusable; a `warning` is an oddity of the source that is kept as it is."""

    severity: str
    message: str


def lint(system: IndexSystem) -> tuple[Finding, ...]:
    """Every finding, errors and warnings: references, directions, sums of weights, order of thresholds."""
    return (
        *(Finding("error", message) for message in _references(system)),
        *(Finding("error", message) for message in _shapes(system)),
        *(Finding("error", message) for message in _sums(system)),
        *(Finding("warning", message) for message in _order(system)),
        *(Finding("warning", f"{row.id}: {row.note.en}") for row in system.indicators.values() if row.note),
    )


def _references(system: IndexSystem) -> Iterator[str]:
    groups = {group.id for group in system.groups}
    numbers = {key for key, param in system.params.items() if param.kind is ParamKind.NUMBER}
    if system.decision_rule not in system.rules:
        yield f"decision rule {system.decision_rule} is not known"
    for row in system.indicators.values():
        if row.group not in groups:
            yield f"{row.id}: group {row.group} is not declared"
        if row.weight_group is not None and row.weight_group not in system.weight_groups:
            yield f"{row.id}: weight group {row.weight_group} is not declared"
        for name in sorted(row.names - numbers):
            yield f"{row.id}: parameter {name} is not declared"
        for threshold in row.thresholds.values():
            for name in sorted(set(threshold.conditions) - row.conditions.keys()):
                yield f"{row.id}: condition {name} is not declared"
    for key, shared in system.weight_groups.items():
        if shared.share is Share.EQUAL and (shared.param is None or shared.param not in system.params):
            yield f"weight group {key}: parameter {shared.param} is not declared"
        if len({system.indicators[row].group for row in system.rows_of(key)}) != 1:
            yield f"weight group {key}: its rows must lie in exactly one group"


def _shapes(system: IndexSystem) -> Iterator[str]:
    for row in system.indicators.values():
        if (row.direction is Direction.ENUM) is not (row.kind is Kind.QUALITATIVE):
            yield f"{row.id}: direction {row.direction} does not fit a {row.kind} indicator"
        if row.weight is not None and (row.weight_group is not None or row.weight <= 0):
            yield f"{row.id}: a weight must be positive and not also come from a weight group"
        for level, threshold in row.thresholds.items():
            if row.kind is Kind.QUALITATIVE:
                continue
            if (threshold.upper is not None) is not (row.direction is Direction.BETWEEN):
                yield f"{row.id}: Level {level} must name a range exactly when the direction is between"
            if threshold.at is None and not threshold.conditions:
                yield f"{row.id}: Level {level} asks for nothing"


def _sums(system: IndexSystem) -> Iterator[str]:
    weights = [group.weight for group in system.groups]
    if system.weight_status == "OFFICIAL" and None in weights:
        yield "a group has no weight"
    if None not in weights and not _is_one(sum((weight for weight in weights if weight is not None), Decimal(0))):
        yield "the weights of the groups do not sum to 1"
    for group in system.groups:
        rows = [row for row in system.indicators.values() if row.group == group.id]
        if not rows:
            yield f"group {group.id} has no indicator"
        shared = {row.weight_group for row in rows if row.weight_group in system.weight_groups}
        known = sum((row.weight for row in rows if row.weight is not None), Decimal(0))
        known += sum((system.weight_groups[key].weight for key in shared if key is not None), Decimal(0))
        if any(row.weight is None and row.weight_group is None for row in rows):
            if system.weight_status == "OFFICIAL":
                yield f"group {group.id}: an indicator has no weight"
            elif known >= 1:
                yield f"group {group.id}: the known weights leave nothing for the others"
        elif not _is_one(known):
            yield f"group {group.id}: the weights sum to {known}, not 1"


def _is_one(value: Decimal) -> bool:
    return abs(value - 1) <= TOLERANCE


def _order(system: IndexSystem) -> Iterator[str]:
    for row in system.indicators.values():
        if row.kind is Kind.QUALITATIVE or row.direction is Direction.BETWEEN:
            continue
        for better, worse in pairwise(level for level in defined_levels(row) if row.thresholds[level].at is not None):
            wrong = [str(n) for n in TRIED if not _ordered(row, row.thresholds[better], row.thresholds[worse], n)]
            if wrong and row.names:
                names = ", ".join(sorted(row.names))
                yield f"{row.id}: Level {better} is easier than Level {worse} for {names} = {', '.join(wrong)}"
            elif wrong:
                yield f"{row.id}: Level {better} is easier than Level {worse}"


def _ordered(row: Indicator, better: Threshold, worse: Threshold, tried: Decimal) -> bool:
    params: Mapping[str, Decimal] = dict.fromkeys(row.names, tried)
    assert better.at is not None and worse.at is not None
    first, second = better.at.value(params), worse.at.value(params)
    return first <= second if row.direction in {Direction.LE, Direction.LT} else first >= second
