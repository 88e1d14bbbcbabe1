"""Decisions over HTTP: read, explain, replay, try."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request, Response
from pydantic import Field

from services.incentives import rules
from services.incentives.actions import decisions as actions
from services.incentives.actions import reads
from services.incentives.actions.decisions import Question
from services.incentives.models import StoredDecision
from services.incentives.queries import decisions as queries
from services.incentives.queries.decisions import Mode
from services.incentives.queries.visible import Sight, sight_of, visible_decision
from services.incentives.routes.router import router
from shared.clock import utc_now
from shared.http import Body, Ctx, Me, Tx, guarded, json_answer, needs
from shared.instants import KnownAt

Day = Annotated[date | None, Query(ge=rules.FIRST_DAY, le=rules.LAST_DAY)]


class Evaluate(Body):
    """Facts to try a programme on; an absent fact is unknown."""

    programme: str = Field(max_length=100, examples=["tariff.al"])
    facts: dict[str, Any]
    as_of: date = Field(ge=rules.FIRST_DAY, le=rules.LAST_DAY)


class Replay(Body):
    """From the facts as they were known then, or as they are known now."""

    mode: Mode


def seen_enterprise(uscc: str, tx: Tx, me: Me, ctx: Ctx) -> Sight:
    return sight_of(tx, me, uscc, ctx.clock.today())


def seen_decision(decision_id: str, tx: Tx, me: Me, ctx: Ctx) -> tuple[StoredDecision, Sight]:
    return visible_decision(tx, me, decision_id, ctx.clock.today())


Seen = Annotated[Sight, Depends(seen_enterprise)]
SeenDecision = Annotated[tuple[StoredDecision, Sight], Depends(seen_decision)]
SCOPE = "incentives:decisions:read"


@router.get("/enterprises/{uscc}/decisions", dependencies=guarded(seen_enterprise, scope=SCOPE))
def list_decisions(
    request: Request,
    sight: Seen,
    tx: Tx,
    me: Me,
    ctx: Ctx,
    programme: Annotated[str | None, Query(max_length=100)] = None,
    as_of: Day = None,
    known_at: KnownAt = None,
) -> Response:
    """What an enterprise may get or must pay: today, or on another day, or as it was known at an instant."""
    today = ctx.clock.today()
    if programme is not None and programme not in rules.programmes():
        raise queries.programme_unknown("/query/programme")
    wanted = [p for p in sight.programmes if programme in (None, p)]
    if known_at is None and as_of in (None, today):
        rows = actions.standing(tx, sight.enterprise, wanted, today)
    else:
        rows = actions.answer(tx, sight.enterprise.uscc, wanted, Question(as_of or today, known_at or utc_now()))
    reads.note(tx, me, sight.consent, [f"decisions.{row.programme}" for row in rows])
    items = [queries.item_out(row, request.state.language) for row in rows]
    return json_answer(request, {"items": items}, headers={"Vary": "Accept-Language"})


@router.get("/decisions/{decision_id}/explanation", dependencies=guarded(seen_decision, scope=SCOPE))
def explain_decision(
    request: Request, seen: SeenDecision, tx: Tx, me: Me, lang: Annotated[Literal["zh", "en"], Query()] = "zh"
) -> Response:
    """Every condition of a decision: value, threshold, whether it holds, and the clause it rests on."""
    decision, sight = seen
    reads.note(tx, me, sight.consent, [f"explanation.{decision.programme}"])
    return json_answer(request, queries.explanation(decision, lang))


@router.post("/decisions/{decision_id}/replay", dependencies=guarded(seen_decision, scope=SCOPE))
def replay_decision(seen: SeenDecision, body: Replay, tx: Tx, me: Me) -> dict[str, Any]:
    """Decide again and compare; an altered stored decision is told, with what was altered."""
    decision, sight = seen
    reads.note(tx, me, sight.consent, [f"replay.{decision.programme}"])
    return queries.replay(tx, decision, body.mode)


@router.post("/decisions/evaluate", dependencies=[needs(SCOPE)])
def evaluate(body: Evaluate, request: Request) -> dict[str, Any]:
    """Decide on given facts; nothing is stored."""
    return queries.evaluation(body.programme, body.facts, body.as_of, request.state.language)
