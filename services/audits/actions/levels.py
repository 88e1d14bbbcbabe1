"""The clean-production level: scoring by an index system, and the level that an acceptance rests on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from services.audits.refusals import fault, refused
from services.audits.scoring import (
    IndexSystem,
    Level,
    ScoreProblems,
    ScoreRequest,
    ScoreResult,
    find_system,
    level_for_acceptance,
    load_systems,
    score,
)
from shared.problems import Fault, Text, Unprocessable

NO_INDEX_SYSTEM = "NO_INDEX_SYSTEM"


@dataclass(frozen=True)
class LevelGiven:
    """A level as judged, or what the engine computes it from; at most one of the two may contradict nothing."""

    level: str | None = None
    index_system: str | None = None
    indicators: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    decision_rule: str | None = None
    product_mix: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class FoundLevel:
    """The level of an acceptance, the vetoes that it raises, the trace of its computation."""

    level: str
    vetoes: tuple[str, ...] = ()
    trace: dict[str, Any] | None = None


@cache
def systems() -> Mapping[str, IndexSystem]:
    """The index systems of the product, read once."""
    return load_systems()


def score_by(index_system: str, request: ScoreRequest) -> ScoreResult:
    """Score an enterprise; 422 with a pointer for each fault of the request."""
    try:
        return score(find_system(systems(), index_system), request)
    except ScoreProblems as problems:
        faults = [Fault(p.pointer, p.code, Text(p.zh, p.en)) for p in problems.problems]
        code = faults[0].code if len(faults) == 1 else "score_invalid"
        text = Text("无法按指标体系评分。", "It cannot be scored by the index system.")
        raise Unprocessable(code, text, faults=faults) from problems


def find_level(given: LevelGiven) -> FoundLevel:
    """The level by the index system, else the one given, else `NO_INDEX_SYSTEM`; below level III is a veto.

    422 `level_contradicts` for a given level that the computation denies, `level_undecided` where a person must decide.
    """
    if given.index_system is None:
        level = given.level or NO_INDEX_SYSTEM
        return FoundLevel(level, ("V4_BELOW_III",) if level == Level.BELOW else ())
    result = score_by(
        given.index_system, ScoreRequest(given.indicators, given.params, given.decision_rule, given.product_mix)
    )
    found = level_for_acceptance(result)
    if found.level is None:
        raise refused(fault("level_undecided", "/index_system", reasons=", ".join(found.reviews)))
    if given.level not in (None, found.level):
        raise refused(fault("level_contradicts", "/level", computed=found.level.value))
    return FoundLevel(found.level.value, found.vetoes, result.as_json())
