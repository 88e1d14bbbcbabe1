"""HTTP in for the credit service."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import AfterValidator, BaseModel, Field

from services.credit import actions, queries, rules
from services.credit.actions import NewRecord
from services.credit.imports import KIND
from services.credit.models import CreditRecord
from shared.clock import local_time, utc_now
from shared.http import Body, Ctx, Me, Tx, creates, json_answer, needs, service_router
from shared.imports import imports_router
from shared.instants import KnownAt

router = service_router("credit")
imports_router(router, "credit", (KIND,), read="credit:imports:read", write="credit:imports:write")


class PublishRecord(Body):
    """A published grade."""

    uscc: str = Field(max_length=18, examples=["91430200MA4QA0029A"])
    evaluation_year: int = Field(ge=2000, le=2100)
    grade: str = Field(max_length=20, examples=["蓝牌"])
    level: Literal["province", "city"]
    published_on: date
    document_no: str = Field(min_length=1, max_length=100)


class RecordOut(BaseModel):
    """A published grade as it is recorded."""

    id: UUID
    uscc: str
    regime: str
    evaluation_year: int
    grade: str
    norm: int
    level: str
    published_on: date
    document_no: str
    recorded_at: Annotated[datetime, AfterValidator(local_time)]


class RegimeOut(BaseModel):
    """A regime with its grades and their common order (1 best, 5 worst)."""

    id: str
    document: str
    first_year: int
    last_year: int | None
    grades: dict[str, int]


@router.get("/regimes", response_model=list[RegimeOut], dependencies=[needs("credit:grades:read")])
def list_regimes() -> Any:
    """The regimes of environmental credit, by evaluation year."""
    return [RegimeOut.model_validate(regime, from_attributes=True) for regime in rules.regimes()]


@router.get("/enterprises/{uscc}", dependencies=[needs("credit:grades:read")])
def read_grade(
    uscc: str,
    request: Request,
    tx: Tx,
    me: Me,
    ctx: Ctx,
    as_of: Annotated[date | None, Query()] = None,
    known_at: KnownAt = None,
) -> Response:
    """The grade that holds on a day, as it was known at an instant."""
    day, instant = as_of or ctx.clock.today(), known_at or utc_now()
    return json_answer(request, queries.grade_document(tx, me, uscc, day, instant))


@router.post(
    "/records", status_code=201, response_model=RecordOut, dependencies=[needs("credit:records:write"), creates]
)
def publish_record(body: PublishRecord, tx: Tx, me: Me, ctx: Ctx) -> CreditRecord:
    """Record a published grade; a second one for the same year, level and day is a correction."""
    return actions.publish_record(tx, me, NewRecord(**body.model_dump()), ctx.clock.today())


