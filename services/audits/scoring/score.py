"""Scoring an enterprise by an index system."""

from collections.abc import Mapping
from decimal import Decimal, localcontext

from services.audits.scoring.decision import decide, first_level
from services.audits.scoring.inputs import read_inputs
from services.audits.scoring.levels import GRADES, Level
from services.audits.scoring.problems import ScoreProblem, ScoreProblems
from services.audits.scoring.request import Given, Inputs, ScoreRequest
from services.audits.scoring.result import GroupTotal, Review, Row, ScoreResult
from services.audits.scoring.systems import IndexSystem, Indicator, Kind, Text, defined_levels
from services.audits.scoring.thresholds import compare
from services.audits.scoring.weights import Weights, weigh

PRECISION = 50
_WEIGHT_UNCONFIRMED = Text(
    "参与评价的权重未经确认，须人工核定", "a weight that counts is not confirmed; a person decides"
)
_THRESHOLD_UNCONFIRMED = Text("该指标没有可用的基准值，须人工核定", "the indicator has no benchmark; a person decides")


def find_system(systems: Mapping[str, IndexSystem], wanted: str) -> IndexSystem:
    """The index system with this id, or `ScoreProblems` with `index_system_unknown`."""
    if wanted in systems:
        return systems[wanted]
    known = ", ".join(sorted(systems))
    zh, en = f"未知的指标体系；可用：{known}", f"no such index system; known: {known}"
    raise ScoreProblems((ScoreProblem("index_system_unknown", "/index_system", zh, en),))


def score(system: IndexSystem, request: ScoreRequest) -> ScoreResult:
    """Indices, level and trace; raises `ScoreProblems`. What cannot be known leaves the level None, with a review."""
    inputs = read_inputs(system, request)
    with localcontext() as context:
        context.prec = PRECISION
        return _score(system, inputs)


def _score(system: IndexSystem, inputs: Inputs) -> ScoreResult:
    weights = weigh(system, inputs)
    if not weights.rows:
        en = "every indicator is declared not applicable; there is nothing to score"
        raise ScoreProblems((ScoreProblem("nothing_applicable", "/indicators", "全部指标均为不适用，无法评价", en),))
    rows = tuple(_row(indicator, inputs, weights) for indicator in system.indicators.values())
    groups = tuple(_total(group.id, system, rows, weights) for group in system.groups)
    index = {level: _index(groups, level) for level in GRADES}
    active = [row for row in rows if row.applies]
    reached = {kind: [row.level for row in active if row.indicator.limiting is kind] for kind in (True, False)}
    steps = decide(inputs.rule, index, reached)
    reviews = _reviews(active, weights)
    level = None if reviews else first_level(steps)
    return ScoreResult(system, inputs.rule, index, level, rows, groups, steps, reviews)


def _row(indicator: Indicator, inputs: Inputs, weights: Weights) -> Row:
    given, absence = inputs.given.get(indicator.id), weights.absences.get(indicator.id)
    level = None if absence else level_reached(indicator, given, inputs.numbers)
    thresholds = {key: threshold.resolved(inputs.numbers) for key, threshold in indicator.thresholds.items()}
    return Row(indicator, given, absence, weights.rows.get(indicator.id), level, thresholds)


def level_reached(indicator: Indicator, given: Given | None, numbers: Mapping[str, Decimal]) -> Level | None:
    """The best level met; nothing given is `BELOW`; None when the indicator has no benchmark at all."""
    if given is None:
        return Level.BELOW
    if given.level is not None:
        return given.level
    levels = defined_levels(indicator)
    if not levels:
        return None
    return next((level for level in levels if _meets(indicator, level, given, numbers)), Level.BELOW)


def _meets(indicator: Indicator, level: Level, given: Given, numbers: Mapping[str, Decimal]) -> bool:
    assert indicator.kind is Kind.QUANTITATIVE
    threshold = indicator.thresholds[level]
    if not all(given.conditions[key] for key in threshold.conditions):
        return False
    if threshold.at is None:
        return True
    return given.value is not None and compare(indicator.direction, given.value, threshold, numbers)


def _total(group: str, system: IndexSystem, rows: tuple[Row, ...], weights: Weights) -> GroupTotal:
    mine = [row for row in rows if row.indicator.group == group and row.applies]
    found = next(first for first in system.groups if first.id == group)
    return GroupTotal(found, bool(mine), weights.groups.get(group), {level: _subtotal(mine, level) for level in GRADES})


def _subtotal(rows: list[Row], level: Level) -> Decimal | None:
    total = Decimal(0)
    for row in rows:
        if row.weight is None or row.level is None:
            return None
        total += row.weight * 100 if row.level.meets(level) else 0
    return total if rows else None


def _index(groups: tuple[GroupTotal, ...], level: Level) -> Decimal | None:
    total = Decimal(0)
    for group in groups:
        if not group.applies:
            continue
        part = group.index[level]
        if part is None or group.weight is None:
            return None
        total += group.weight * part
    return total


def _reviews(rows: list[Row], weights: Weights) -> tuple[Review, ...]:
    unknown = tuple(row.indicator.id for row in rows if row.level is None)
    found = []
    if weights.unconfirmed:
        found.append(Review("WEIGHT_UNCONFIRMED", weights.unconfirmed, _WEIGHT_UNCONFIRMED))
    if unknown:
        found.append(Review("THRESHOLD_UNCONFIRMED", unknown, _THRESHOLD_UNCONFIRMED))
    return tuple(found)
