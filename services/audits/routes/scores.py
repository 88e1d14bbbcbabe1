"""HTTP in for scoring by an index system."""

from typing import Any

from pydantic import BaseModel, Field

from services.audits.actions import levels
from services.audits.routes.router import router
from services.audits.scoring import ScoreRequest
from shared.http import Body, needs


class Score(Body):
    """An index system, and what is known of each of its indicators: a value, a level reached, or why it does not apply."""

    index_system: str = Field(max_length=100, examples=["ELECTROPLATING_2015_T1"])
    decision_rule: str | None = Field(None, max_length=100)
    params: dict[str, Any] = Field(default_factory=dict, examples=[{"metals": ["e06", "e08"]}])
    indicators: dict[str, Any] = Field(examples=[{"e05": "20", "e01": "II"}])
    product_mix: dict[str, Any] | None = None


class ScoreOut(BaseModel):
    """The indices of 100 as decimal strings, the level (null: a person must decide), and everything they rest on."""

    index_system: str
    decision_rule: str
    y_i: str | None
    y_ii: str | None
    y_iii: str | None
    level: str | None
    level_name: dict[str, str] | None
    limiting: list[dict[str, Any]]
    manual_review: list[dict[str, Any]]
    trace: dict[str, Any]


@router.post("/score", response_model=ScoreOut, dependencies=[needs("audits:scores:read")])
def score(body: Score) -> dict[str, Any]:
    """Score an enterprise by an industry's index system; nothing is stored."""
    request = ScoreRequest(body.indicators, body.params, body.decision_rule, body.product_mix)
    return levels.score_by(body.index_system, request).as_json()
