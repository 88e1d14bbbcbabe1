"""HTTP: consents and the access ledger."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, Field

from services.registry.actions import consents as actions
from services.registry.actions.enterprises import get_enterprise
from services.registry.models import Consent
from services.registry.queries import lists
from services.registry.routes.router import Code, place_after, router
from shared.codes import normalise_uscc
from shared.http import Body, Ctx, Me, Tx, creates, guarded, json_answer, needs
from shared.paging import After, Limit, page

READ, WRITE, LEDGER = "registry:consents:read", "registry:consents:write", "registry:access_log:read"


class GrantConsent(Body):
    """What the enterprise lets a bank read, what for, and until which day (12 months at most)."""

    uscc: Code
    bank: Code
    purpose: Literal["pre_loan", "approval", "post_loan", "green_label"]
    scope: list[Literal["audit", "credit", "decisions"]] = Field(min_length=1, max_length=10)
    valid_to: date


class ConsentOut(BaseModel):
    """A consent and its state today: active, revoked or expired."""

    id: UUID
    uscc: str
    bank: str
    purpose: str
    scope: list[str]
    granted_on: date
    valid_to: date
    state: str


@router.post("/consents", status_code=201, response_model=ConsentOut, dependencies=[needs(WRITE), creates])
def grant_consent(body: GrantConsent, tx: Tx, me: Me, ctx: Ctx) -> Any:
    """Consent, for the caller's own enterprise, to a bank's reading what is not public."""
    codes = {"uscc": normalise_uscc(body.uscc), "bank": normalise_uscc(body.bank)}
    today = ctx.clock.today()
    return consent_out(actions.grant_consent(tx, me, actions.NewConsent(**body.model_dump() | codes), today), today)


@router.get("/consents", dependencies=[needs(READ)])
def list_consents(
    request: Request, response: Response, tx: Tx, me: Me, ctx: Ctx, limit: Limit = 100, after: After = None
) -> Any:
    """The consents that the caller gave or was given."""
    today = ctx.clock.today()
    rows = lists.consents_after(tx, me, place_after(request, after, UUID), limit + 1)
    return page(request, response, rows, limit, lambda row: [row.id], lambda row: consent_out(row, today))


def a_consent(consent_id: UUID, tx: Tx, me: Me) -> Consent:
    return lists.get_consent(tx, me, consent_id)


def locked_consent(consent_id: UUID, tx: Tx, me: Me) -> Consent:
    return lists.get_consent(tx, me, consent_id, lock=True)


@router.get("/consents/{consent_id}", response_model=ConsentOut, dependencies=guarded(a_consent, scope=READ))
def read_consent(request: Request, consent: Annotated[Consent, Depends(a_consent)], ctx: Ctx) -> Response:
    """One consent of the caller's."""
    return json_answer(request, consent_out(consent, ctx.clock.today()))


@router.post(
    "/consents/{consent_id}/revoke", response_model=ConsentOut, dependencies=guarded(locked_consent, scope=WRITE)
)
def revoke_consent(consent: Annotated[Consent, Depends(locked_consent)], tx: Tx, ctx: Ctx) -> Any:
    """End a consent now; what the bank read under it stays in the ledger."""
    today = ctx.clock.today()
    return consent_out(actions.revoke_consent(tx, consent, today), today)


def own_ledger(uscc: str, tx: Tx, me: Me) -> None:
    """Its authorities and auditors, and the enterprise itself even before it is registered."""
    if me.role != "enterprise" or me.uscc != uscc:
        get_enterprise(tx, me, uscc)


@router.get("/enterprises/{uscc}/access-log", dependencies=guarded(own_ledger, scope=LEDGER))
def list_access_log(
    uscc: str, request: Request, response: Response, tx: Tx, limit: Limit = 100, after: After = None
) -> Any:
    """Who read the enterprise's restricted facts, each entry chained to the one before."""
    rows = lists.entries_after(tx, uscc, place_after(request, after, int) or 0, limit + 1)
    return page(request, response, rows, limit, lambda row: [row.number], lists.entry_out)


def consent_out(consent: Consent, today: date) -> dict[str, Any]:
    shown = consent.model_dump(mode="json", exclude={"granted_at", "revoked_at"})
    return shown | {"state": consent.state_on(today)}
