"""HTTP: facts of enterprises."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field, StrictBool

from services.registry.actions.facts import NewFact, record_fact
from services.registry.queries import facts as queries
from services.registry.routes.router import Code, Line, Locked, locked_enterprise, own_enterprise, place_after, router
from shared.clock import utc_now
from shared.http import Body, Ctx, Me, Tx, guarded, json_answer
from shared.paging import After, Limit, page

READ, WRITE = "registry:facts:read", "registry:facts:write"


class RecordFact(Body):
    """A measured or declared fact; a decimal, a flag or a text by its code."""

    code: Code = Field(examples=["al_kwh_per_t"])
    value: StrictBool | Decimal | Line = Field(examples=["13350"])
    valid_from: date
    valid_to: date | None = None
    source: Line = Field(examples=["株洲市节能监察报告 2026-03"])


class FactOut(BaseModel):
    """A fact with both clocks; `corrected_at` when a later one for the same days was recorded."""

    id: UUID
    uscc: str
    code: str
    value: str
    valid_from: date
    valid_to: date | None
    source: str
    recorded_at: datetime
    corrected_at: datetime | None


@router.post(
    "/enterprises/{uscc}/facts",
    status_code=201,
    response_model=FactOut,
    dependencies=guarded(locked_enterprise, scope=WRITE, creating=True),
)
def add_fact(body: RecordFact, request: Request, enterprise: Locked, tx: Tx, me: Me, ctx: Ctx) -> Response:
    """Record a fact; a later one for the same days corrects it, and both stay."""
    given = NewFact(**{name: getattr(body, name) for name in RecordFact.model_fields})
    fact = record_fact(tx, enterprise, given, ctx.clock.today(), me.client_id)
    return json_answer(request, queries.fact_out((fact, None)), status=201)


@router.get("/enterprises/{uscc}/facts", dependencies=guarded(own_enterprise, scope=READ))
def list_facts(
    uscc: str,
    request: Request,
    response: Response,
    tx: Tx,
    code: Annotated[str, Query(max_length=400, pattern=r"^[A-Za-z0-9_,]*$")] = "",
    as_of: Annotated[date | None, Query()] = None,
    known_at: Annotated[AwareDatetime | None, Query()] = None,
    limit: Limit = 100,
    after: After = None,
) -> dict[str, Any]:
    """All facts in the order of recording; with `as_of` what was in force on that day, as known at an instant."""
    wanted = queries.FactFilter(uscc, known_at or utc_now(), as_of, tuple(c for c in code.split(",") if c))
    rows = queries.facts_after(tx, wanted, place_after(request, after, _place, parts=2), limit + 1)
    return page(
        request, response, rows, limit, lambda row: [row[0].recorded_at.isoformat(), row[0].id], queries.fact_out
    )


def _place(recorded_at: str, fact_id: str) -> queries.Place:
    instant = datetime.fromisoformat(recorded_at)
    if instant.tzinfo is None:
        raise ValueError("an instant without its offset")
    return instant, UUID(fact_id)
