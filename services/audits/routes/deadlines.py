"""HTTP in for duties across rounds, and for the ones that an enterprise reports as met."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request, Response
from pydantic import Field

from services.audits import icalendar, law
from services.audits.access import visible_round
from services.audits.actions import deadlines
from services.audits.actions.deadlines import Deadline, Wanted
from services.audits.actions.reported import Met, report_met
from services.audits.actions.status import obligation_out
from services.audits.models import AuditRound
from services.audits.routes.lists import wants, workbook
from services.audits.routes.router import router
from shared.clock import utc_now
from shared.http import Body, Ctx, Me, Tx, guarded, needs, shape_fault
from shared.imports.routes import XLSX
from shared.paging import After, Limit, filters_of, page, position

READ = "audits:deadlines:read"
Reported = Literal["ANNUAL_DISCLOSURE", "RESULT_PUBLICATION"]


class ReportObligation(Body):
    """That a duty was met: on which day, and where it can be seen."""

    done_on: date
    url: str = Field(min_length=1, max_length=500, examples=["https://example.cn/disclosure/2026"])


def wanted(
    division: Annotated[str, Query(pattern="^[0-9]{2,6}$")] = "",
    state: Annotated[str, Query(max_length=200, description="comma-separated")] = "",
    code: Annotated[str, Query(max_length=400, description="comma-separated")] = "",
) -> Wanted:
    """The filters; 422 for a state or code that is not known."""
    states, codes = _listed(state), _listed(code)
    if set(states) - set(deadlines.STATES):
        known = "、".join(deadlines.STATES)
        raise shape_fault("/query/state", f"未知状态；可用：{known}。", f"Unknown state; known are: {known}.")
    if set(codes) - set(law.obligations()):
        known = "、".join(law.obligations())
        raise shape_fault("/query/code", f"未知事项；可用：{known}。", f"Unknown code; known are: {known}.")
    return Wanted(division, states, codes)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


Asked = Annotated[Wanted, Depends(wanted)]


@router.get(
    "/deadlines", responses={200: {"content": {XLSX: {}, icalendar.MEDIA_TYPE: {}}}}, dependencies=[needs(READ)]
)
def list_deadlines(
    request: Request,
    response: Response,
    tx: Tx,
    me: Me,
    ctx: Ctx,
    asked: Asked,
    limit: Limit = 100,
    after: After = None,
) -> Any:
    """Duties by due day, in the caller's jurisdiction or its own: a JSON page, or .xlsx or .ics by the Accept header."""
    today = ctx.clock.today()
    if wants(request, None, "xlsx", XLSX):
        return _workbook(deadlines.deadlines(tx, me, asked, today), today)
    if wants(request, None, "ics", icalendar.MEDIA_TYPE):
        return _calendar(deadlines.deadlines(tx, me, asked, today))
    place = position(after, filters_of(request), 2)
    rows = list(deadlines.deadlines(tx, me, asked, today, after=place, limit=limit + 1))
    return page(request, response, rows, limit, lambda row: row.key, lambda row: deadlines.deadline_out(row, today))


@router.get("/deadlines.xlsx", dependencies=[needs(READ)])
def export_deadlines(tx: Tx, me: Me, ctx: Ctx, asked: Asked) -> Response:
    """The same as a workbook."""
    today = ctx.clock.today()
    return _workbook(deadlines.deadlines(tx, me, asked, today), today)


@router.get("/deadlines.ics", dependencies=[needs(READ)])
def subscribe_deadlines(tx: Tx, me: Me, ctx: Ctx, asked: Asked) -> Response:
    """The open ones as a calendar."""
    return _calendar(deadlines.deadlines(tx, me, asked, ctx.clock.today()))


def _workbook(found: Iterator[Deadline], today: date) -> Response:
    return workbook(deadlines.HEADERS, (deadlines.sheet_row(deadline, today) for deadline in found), "deadlines")


def _calendar(found: Iterator[Deadline]) -> Response:
    disposition = {"Content-Disposition": 'attachment; filename="deadlines.ics"'}
    return Response(icalendar.calendar_of(found, utc_now()), headers=disposition, media_type=icalendar.MEDIA_TYPE)


@router.post(
    "/rounds/{round_id}/obligations/{code}/fulfil",
    dependencies=guarded(visible_round, scope="audits:rounds:write", roles=("enterprise",)),
)
def report_obligation(
    round: Annotated[AuditRound, Depends(visible_round)],
    code: Reported,
    body: ReportObligation,
    tx: Tx,
    ctx: Ctx,
) -> dict[str, Any]:
    """The enterprise reports its yearly disclosure, or the publication of its audit result, as done."""
    met = report_met(tx, round, code, Met(body.done_on, body.url, ctx.clock.today()))
    return obligation_out(met)
