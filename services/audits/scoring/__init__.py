"""Scoring by industry index systems: pure functions on data.

`load_systems` reads the systems, `score` answers a `ScoreRequest`, `level_for_acceptance` is what an acceptance takes.
"""

from services.audits.scoring.levels import Level
from services.audits.scoring.loading import SystemInvalid, load_systems
from services.audits.scoring.problems import ScoreProblem, ScoreProblems
from services.audits.scoring.request import ScoreRequest
from services.audits.scoring.result import AcceptanceLevel, ScoreResult, level_for_acceptance
from services.audits.scoring.score import find_system, score
from services.audits.scoring.systems import IndexSystem

__all__ = [
    "AcceptanceLevel",
    "IndexSystem",
    "Level",
    "ScoreProblem",
    "ScoreProblems",
    "ScoreRequest",
    "ScoreResult",
    "SystemInvalid",
    "find_system",
    "level_for_acceptance",
    "load_systems",
    "score",
]
