"""HTTP in for rounds as they are read, and for opening a voluntary one."""

import hashlib
import json
import re
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlmodel import Session

from services.audits.access import WRITE, visible_round
from services.audits.actions import rounds
from services.audits.actions.rounds import Sought
from services.audits.models import AuditRound, RoundState, Track
from services.audits.routes.router import router
from services.audits.routes.status import StatusObligationOut
from shared.http import Body, Ctx, Me, Tx, creates, guarded, json_answer, needs
from shared.paging import After, Limit, filters_of, page, position

READ = "audits:rounds:read"
OPENERS = ("city_industry", "provincial_industry", "enterprise")
_ROUND_TAG = re.compile(r'(?<=[0-9])-[0-9a-f]{8}(?=")')


class OpenRound(Body):
    """A voluntary round of an enterprise."""

    uscc: str = Field(pattern="^[0-9A-Z]{18}$", examples=["91430200MA4QA0029A"])
    track: Literal["voluntary"]


class RoundOut(BaseModel):
    """A round: one audit of one enterprise, with its duties and the moves that its state knows."""

    id: UUID
    uscc: str
    name: str
    track: Track
    mode: str
    state: RoundState
    attempt: int
    division: str
    industry: str
    categories: list[str]
    published_on: date | None
    service_mode: str | None
    institution: str | None
    leader: str | None
    panel: list[str]
    supplement_round: int
    acceptance_attempts: int
    disclosed_on: date | None
    reported_on: date | None
    level: str | None
    accepted_on: date | None
    document_no: str | None
    version: int
    opened_at: AwareDatetime
    obligations: list[StatusObligationOut]
    allowed: list[str]


class RoundPage(BaseModel):
    """A page of rounds, the newest first."""

    items: list[RoundOut]
    next: str | None


class HistoryLineOut(BaseModel):
    """One move as it was made; points are shown to those who oversee the round."""

    number: int
    move: str
    from_: str | None = Field(alias="from")
    to: str
    on: date
    actor: str
    role: str
    content: dict[str, Any]
    recorded_at: AwareDatetime


class HistoryOut(BaseModel):
    """Every move of a round in order."""

    items: list[HistoryLineOut]
    next: str | None


class PhaseOut(BaseModel):
    """A completed phase of an attempt, with its products."""

    attempt: int
    phase: str
    products: list[dict[str, Any]]
    completed_on: date


class PhasesOut(BaseModel):
    """The completed phases of every attempt."""

    items: list[PhaseOut]
    next: str | None


TheRound = Annotated[AuditRound, Depends(visible_round)]


def round_answer(request: Request, tx: Session, round: AuditRound, status: int = 200) -> Response:
    """A round with its ETag: the version, and a mark of the duties, which change with the days and not with the version."""
    document = rounds.rounds_out(tx, [round])[0]
    content = json.dumps(document, ensure_ascii=False, sort_keys=True).encode()
    tag = f'"{round.version}-{hashlib.sha256(content).hexdigest()[:8]}"'
    return json_answer(request, document, status=status, headers={"ETag": tag})


def version_named(if_match: str | None) -> str | None:
    """The condition with a round's ETag shortened to its version: a move waits for no change of the duties."""
    return _ROUND_TAG.sub("", if_match) if if_match else if_match


def sought(
    uscc: Annotated[str, Query(max_length=18)] = "",
    state: Annotated[RoundState | None, Query()] = None,
    track: Annotated[Track | None, Query()] = None,
    division: Annotated[str, Query(pattern="^[0-9]{2,6}$")] = "",
) -> Sought:
    """The filters of a list of rounds."""
    return Sought(uscc, state, track, division)


@router.get("/rounds", response_model=RoundPage, dependencies=[needs(READ)])
def list_rounds(
    request: Request,
    response: Response,
    tx: Tx,
    me: Me,
    wanted: Annotated[Sought, Depends(sought)],
    limit: Limit = 100,
    after: After = None,
) -> dict[str, Any]:
    """Rounds that the caller sees, the newest first."""
    place = position(after, filters_of(request), 2)
    found = rounds.sought_rounds(tx, me, wanted, after=place, limit=limit + 1)
    shown = {out["id"]: out for out in rounds.rounds_out(tx, found[:limit])}
    return page(
        request, response, found, limit, lambda r: [r.opened_at.isoformat(), r.id], lambda r: shown[str(r.id)]
    )


@router.post("/rounds", status_code=201, response_model=RoundOut, dependencies=[needs(WRITE, *OPENERS), creates])
def open_round(body: OpenRound, request: Request, tx: Tx, me: Me, ctx: Ctx) -> Response:
    """Open a voluntary round; a mandatory one opens with the publication of its list."""
    return round_answer(request, tx, rounds.open_voluntary(tx, me, body.uscc, ctx.clock.today()), 201)


@router.get("/rounds/{round_id}", response_model=RoundOut, dependencies=guarded(visible_round, scope=READ))
def read_round(round: TheRound, request: Request, tx: Tx) -> Response:
    """One round."""
    return round_answer(request, tx, round)


@router.get("/rounds/{round_id}/history", response_model=HistoryOut, dependencies=guarded(visible_round, scope=READ))
def read_history(round: TheRound, request: Request, tx: Tx, me: Me) -> Response:
    """Every move of a round in order: who, in which role, on which day, resting on what."""
    return json_answer(request, {"items": rounds.history(tx, me, round), "next": None})


@router.get("/rounds/{round_id}/phases", response_model=PhasesOut, dependencies=guarded(visible_round, scope=READ))
def read_phases(round: TheRound, request: Request, tx: Tx) -> Response:
    """The completed phases of every attempt, with their products."""
    return json_answer(request, {"items": rounds.phases_of(tx, round), "next": None})
