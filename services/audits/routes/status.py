"""HTTP in for the audit status: the read that banks make most; its usual case is answered by `hotreads` before."""

from datetime import date
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel

from services.audits import hotreads
from services.audits.actions.statusreads import Clocks, status_document
from services.audits.routes.router import router
from shared.http import Ctx, Me, Tx, needs
from shared.instants import KnownAt


class AcceptedOut(BaseModel):
    """The last acceptance that succeeded, whatever came after it."""

    level: str | None
    accepted_on: date
    valid_until: date


class StatusObligationOut(BaseModel):
    """A dated duty of the latest round."""

    code: str
    nominal_on: date | None
    due_on: date | None
    provisional: bool
    done_on: date | None
    status: str
    legal_basis: str


class StatusOut(BaseModel):
    """The audit status; the members after `known_at` only for those who may see them."""

    uscc: str
    name: str
    track: str | None
    result: str
    level: str | None
    accepted_on: date | None
    valid_until: date | None
    legal_basis: str | None
    last_accepted: AcceptedOut | None
    as_of: date
    known_at: AwareDatetime
    stage: str | None = None
    obligations: list[StatusObligationOut] | None = None
    overdue: list[str] | None = None
    consent_required: bool | None = None


def read_status(
    uscc: str,
    request: Request,
    tx: Tx,
    me: Me,
    ctx: Ctx,
    as_of: Annotated[date | None, Query()] = None,
    known_at: KnownAt = None,
) -> Response:
    """An enterprise's audit status, now, or as of a day, or as it was known at an instant.

    Everybody gets the public part; the authorities of its place, the enterprise, and a bank under its consent also the
    stage of the round and its duties.
    """
    clocks = Clocks(ctx.clock.today(), as_of, known_at)
    return hotreads.answer(request, status_document(tx, me, uscc, clocks))


router.add_api_route(
    "/enterprises/{uscc}/status",
    read_status,
    methods=["GET"],
    response_model=StatusOut,
    dependencies=[needs(hotreads.SCOPE)],
)
