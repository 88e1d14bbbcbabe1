"""HTTP in for the measures of a round."""

from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, Field
from sqlmodel import Session

from services.audits.access import WRITE, as_id, visible_round
from services.audits.actions import measures
from services.audits.actions.measures import NewMeasure
from services.audits.actions.steps import lock_round
from services.audits.models import Measure, MeasureStatus, ScreenResult
from services.audits.routes.bodies import Money
from services.audits.routes.rounds import READ, TheRound
from services.audits.routes.router import router
from shared.http import Body, IfMatch, Tx, etag, guarded, json_answer, require_version

Aspect = Literal["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8"]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Short = Annotated[str, Field(max_length=200)]
# Verifying what a measure has brought is not the enterprise's to say.
OwnStatus = Literal[
    "proposed", "screened_out", "candidate", "feasible", "infeasible", "approved", "in_progress", "done", "dropped"
]


class ProposeMeasure(Body):
    """A measure, under one of the eight aspects, with its cost in CNY."""

    name: Name
    aspect: Aspect
    cost_cny: Money
    technology: Short | None = None
    catalogue_item: Short | None = None


class ChangeMeasure(Body):
    """What was found out about a measure, or how far it has come; what is left out stays."""

    name: Name | None = None
    aspect: Aspect | None = None
    cost_cny: Money | None = None
    technology: Short | None = None
    catalogue_item: Short | None = None
    screen_result: ScreenResult | None = None
    technical_ok: bool | None = None
    environmental_ok: bool | None = None
    economic_ok: bool | None = None
    status: OwnStatus | None = None


class MeasureOut(BaseModel):
    """A measure; its class follows from its cost."""

    id: UUID
    round: UUID
    number: int
    name: str
    aspect: str
    cost_cny: Decimal
    cost_class: str
    technology: str | None
    catalogue_item: str | None
    screen_result: ScreenResult | None
    technical_ok: bool | None
    environmental_ok: bool | None
    economic_ok: bool | None
    status: MeasureStatus
    version: int


class MeasuresOut(BaseModel):
    """All of a round's measures."""

    items: list[MeasureOut]
    next: str | None


def the_measure(measure_id: str, round: TheRound, tx: Tx) -> Measure:
    return measures.get_measure(tx, round, as_id(measure_id))


TheMeasure = Annotated[Measure, Depends(the_measure)]


def measure_answer(request: Request, measure: Measure, status: int = 200) -> Response:
    return json_answer(
        request, measures.measure_out(measure), status=status, headers={"ETag": etag(measure.version)}
    )


def locked_measure(tx: Session, measure: Measure, if_match: str | None) -> Measure:
    """The measure under the lock of its round; 428 or 412 for its version."""
    round = lock_round(tx, measure.round_id)
    found = measures.get_measure(tx, round, measure.id, lock=True)
    require_version(if_match, found.version)
    return found


@router.get(
    "/rounds/{round_id}/measures", response_model=MeasuresOut, dependencies=guarded(visible_round, scope=READ)
)
def list_measures(round: TheRound, request: Request, tx: Tx) -> Response:
    """All measures of a round in the order of their numbers."""
    return json_answer(request, measures.measures_out(measures.measures_of(tx, round)))


@router.post(
    "/rounds/{round_id}/measures",
    status_code=201,
    response_model=MeasureOut,
    dependencies=guarded(visible_round, scope=WRITE, roles=("enterprise",), creating=True),
)
def propose_measure(round: TheRound, body: ProposeMeasure, request: Request, tx: Tx) -> Response:
    """Propose a measure."""
    return measure_answer(request, measures.propose(tx, lock_round(tx, round.id), NewMeasure(**dict(body))), 201)


@router.get(
    "/rounds/{round_id}/measures/{measure_id}",
    response_model=MeasureOut,
    dependencies=guarded(the_measure, scope=READ),
)
def read_measure(measure: TheMeasure, request: Request) -> Response:
    """One measure."""
    return measure_answer(request, measure)


@router.patch(
    "/rounds/{round_id}/measures/{measure_id}",
    response_model=MeasureOut,
    dependencies=guarded(the_measure, scope=WRITE, roles=("enterprise",)),
)
def change_measure(
    round: TheRound, measure: TheMeasure, body: ChangeMeasure, request: Request, tx: Tx, if_match: IfMatch = None
) -> Response:
    """Tell what the screening and the feasibility study found, or how far the measure has come."""
    found = locked_measure(tx, measure, if_match)
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    return measure_answer(request, measures.change(tx, round, found, changes))
