"""HTTP: enterprises and their past."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from services.registry.actions import enterprises as actions
from services.registry.models import Enterprise
from services.registry.queries import enterprises as queries
from services.registry.routes.router import (
    Code,
    Line,
    Locked,
    OptionalLine,
    locked_enterprise,
    place_after,
    plain,
    public_enterprise,
    router,
)
from services.registry.rules.enterprises import sees_all, warnings_of
from shared.auth import AUTHORITIES, Caller
from shared.clock import utc_now
from shared.codes import normalise_uscc
from shared.http import Body, Ctx, IfMatch, Me, Tx, creates, etag, guarded, json_answer, needs, require_version
from shared.paging import After, Limit, page

READ, WRITE = "registry:enterprises:read", "registry:enterprises:write"


class RegisterEnterprise(Body):
    """An enterprise for the register."""

    uscc: Code = Field(examples=["91430200MA4QA0029A"])
    name: Line = Field(examples=["株洲示例冶炼有限公司"])
    division: Code = Field(examples=["430202"])
    industry: Code = Field(examples=["3212"])
    legal_representative: OptionalLine | None = None
    address: OptionalLine | None = None
    above_scale: bool | None = None
    permit_no: OptionalLine | None = Field(None, examples=["91430200MA4QA0029A001P"])


class ChangeEnterprise(Body):
    """A merge-patch (RFC 7396): only what is named changes, null removes. `valid_from`: since when it holds."""

    name: Line = ""
    division: Code = ""
    industry: Code = ""
    status: Literal["active", "deregistered"] = "active"
    deregistered_on: date | None = None
    legal_representative: OptionalLine | None = None
    address: OptionalLine | None = None
    above_scale: bool | None = None
    permit_no: OptionalLine | None = None
    valid_from: date | None = None


class EnterpriseOut(BaseModel):
    """An enterprise; the last three members only for its authorities, auditors and itself."""

    uscc: str
    name: str
    division: str
    industry: str
    status: str
    deregistered_on: date | None
    above_scale: bool | None
    valid_from: date
    recorded_at: datetime
    version: int
    legal_representative: str | None = None
    address: str | None = None
    permit_no: str | None = None
    warnings: list[dict[str, str]] = []


@router.post(
    "/enterprises", status_code=201, response_model=EnterpriseOut, dependencies=[needs(WRITE, *AUTHORITIES), creates]
)
def register_enterprise(body: RegisterEnterprise, request: Request, tx: Tx, me: Me, ctx: Ctx) -> Response:
    """Register an enterprise, or complete one that a published list made `pending`."""
    given = body.model_dump() | {"uscc": normalise_uscc(body.uscc)}
    enterprise = actions.register(tx, me, given, ctx.clock.today())
    place = {"Location": f"/registry/v1/enterprises/{enterprise.uscc}"}
    return _answer(request, me, enterprise, 201, place)


@router.get("/enterprises", dependencies=[needs(READ)])
def list_enterprises(
    request: Request,
    response: Response,
    tx: Tx,
    me: Me,
    division: Annotated[str, Query(pattern=r"^[0-9]{2,6}$")] = "",
    industry: Annotated[str, Query(pattern=r"^[0-9]{1,4}$")] = "",
    status: Annotated[Literal["active", "pending", "deregistered", ""], Query()] = "",
    q: Annotated[str, Query(max_length=100, pattern=r"^[^\x00-\x1f]*$")] = "",
    limit: Limit = 100,
    after: After = None,
) -> dict[str, Any]:
    """Enterprises by place (prefix), trade (prefix), status, and a part of the name or a beginning of the USCC."""
    wanted = queries.EnterpriseFilter(division, industry, status, q.strip())
    rows = queries.enterprises_after(tx, wanted, place_after(request, after, plain), limit + 1)
    return page(request, response, rows, limit, lambda row: [row.uscc], lambda row: _document(me, row))


@router.get("/enterprises/{uscc}", response_model=EnterpriseOut, dependencies=guarded(public_enterprise, scope=READ))
def read_enterprise(
    uscc: str,
    request: Request,
    tx: Tx,
    me: Me,
    ctx: Ctx,
    as_of: Annotated[date | None, Query()] = None,
    known_at: Annotated[AwareDatetime | None, Query()] = None,
) -> Response:
    """An enterprise now, or as it was on a day, as it was known at an instant."""
    if as_of is None and known_at is None:
        document = queries.current_document(tx, me, uscc)
        return json_answer(request, document, headers={"ETag": etag(document["version"])})
    moment = queries.Moment(as_of or ctx.clock.today(), known_at or utc_now())
    return json_answer(request, queries.past_document(tx, me, uscc, moment))


@router.patch("/enterprises/{uscc}", response_model=EnterpriseOut, dependencies=guarded(locked_enterprise, scope=WRITE))
def change_enterprise(
    body: ChangeEnterprise, request: Request, enterprise: Locked, tx: Tx, me: Me, ctx: Ctx, if_match: IfMatch = None
) -> Response:
    """Change what the register says; the earlier state stays readable. An enterprise changes its contact fields only."""
    today = ctx.clock.today()
    given = actions.check_change(me, enterprise, body.model_dump(exclude_unset=True), today)
    require_version(if_match, enterprise.version)
    return _answer(request, me, actions.change(tx, me, enterprise, given, today), 200, {})


def _document(me: Caller, row: Enterprise) -> dict[str, Any]:
    return actions.document_of(row, full=sees_all(me, row.uscc, row.division))


def _answer(request: Request, me: Caller, enterprise: Enterprise, status: int, headers: dict[str, str]) -> Response:
    warnings = {"warnings": warnings_of(enterprise.uscc, request.state.language)}
    tag = {"ETag": etag(enterprise.version)}
    return json_answer(request, _document(me, enterprise) | warnings, status=status, headers=headers | tag)
