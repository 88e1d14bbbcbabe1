"""Reading duties across rounds: who must do what by when, within the caller's view."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.audits import law
from services.audits.models import AuditRound, Obligation, ObligationStatus
from services.audits.models.obligations import OPEN
from shared.auth import Caller
from shared.codes import division_name
from shared.spreadsheets import Value

STATES = ("pending", "overdue", "due_30d", "due_7d", "done", "done_late", "waived")
DUE_WITHIN = {"due_30d": 30, "due_7d": 7}
NO_DAY = date(9999, 12, 31)  # where a term without a day is sorted
EXPORT_LIMIT = 100_000


@dataclass(frozen=True)
class Wanted:
    """Which duties are asked for; nothing given means all."""

    division: str = ""
    states: Sequence[str] = ()
    codes: Sequence[str] = ()


class Deadline(NamedTuple):
    """A duty with the round it belongs to."""

    obligation: Obligation
    name: str
    division: str

    @property
    def key(self) -> tuple[date, UUID]:
        return self.obligation.due_on or NO_DAY, self.obligation.id


def deadlines(
    tx: Session, me: Caller, wanted: Wanted, today: date, *, after: list[str] | None = None, limit: int = EXPORT_LIMIT
) -> Iterator[Deadline]:
    """Duties by due day: of the jurisdiction for those who oversee, of its own for an enterprise."""
    day = sa.func.coalesce(col(Obligation.due_on), NO_DAY)
    query = select(Obligation, col(AuditRound.name), col(AuditRound.division)).join(
        AuditRound, col(AuditRound.id) == col(Obligation.round_id)
    )
    query = query.where(*_seen_by(me), *_asked_for(wanted, today))
    if after:
        query = query.where(
            sa.tuple_(day, col(Obligation.id))
            > sa.tuple_(sa.literal(date.fromisoformat(after[0])), sa.literal(UUID(after[1])))
        )
    for obligation, name, division in tx.exec(query.order_by(day, col(Obligation.id)).limit(limit)):
        yield Deadline(obligation, name, division)


def _seen_by(me: Caller) -> list[sa.ColumnElement[bool]]:
    if me.oversees and me.jurisdiction:
        return [col(Obligation.division).startswith(me.jurisdiction, autoescape=True)]
    if me.role == "enterprise" and me.uscc:
        return [col(Obligation.uscc) == me.uscc]
    return [sa.false()]


def _asked_for(wanted: Wanted, today: date) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.division:
        found.append(col(Obligation.division).startswith(wanted.division, autoescape=True))
    if wanted.codes:
        found.append(col(Obligation.code).in_(wanted.codes))
    if wanted.states:
        found.append(sa.or_(*(_in_state(state, today) for state in wanted.states)))
    return found


def _in_state(state: str, today: date) -> sa.ColumnElement[bool]:
    if state in DUE_WITHIN:
        until = today + timedelta(days=DUE_WITHIN[state])
        return col(Obligation.status).in_(OPEN) & col(Obligation.due_on).between(today, until)
    return col(Obligation.status) == ObligationStatus(state)


def deadline_out(deadline: Deadline, today: date) -> dict[str, Any]:
    """A duty as the answers show it; `days_late` counts to the day it was met, or to today."""
    duty = deadline.obligation
    return {
        "id": str(duty.id),
        "round": str(duty.round_id),
        "uscc": duty.uscc,
        "name": deadline.name,
        "division": deadline.division,
        "track": duty.track,
        "code": duty.code,
        "due_on": duty.due_on.isoformat() if duty.due_on else None,
        "nominal_on": duty.nominal_on.isoformat() if duty.nominal_on else None,
        "provisional": duty.provisional,
        "status": str(duty.status),
        "done_on": duty.done_on.isoformat() if duty.done_on else None,
        "days_late": days_late(duty, today),
        "legal_basis": duty.legal_basis,
    }


def days_late(duty: Obligation, today: date) -> int:
    """Whole days after the due day; 0 while in time, and for what fell away."""
    if duty.due_on is None or duty.status is ObligationStatus.WAIVED:
        return 0
    return max(0, ((duty.done_on or today) - duty.due_on).days)


HEADERS = (
    "企业名称",
    "统一社会信用代码",
    "市州",
    "县市区",
    "事项",
    "期限",
    "名义期限",
    "暂定",
    "状态",
    "完成日期",
    "逾期天数",
    "法律依据",
)
_STATUS = {"pending": "未到期", "done": "按期完成", "done_late": "逾期完成", "overdue": "逾期", "waived": "免除"}


def sheet_row(deadline: Deadline, today: date) -> list[Value]:
    """A duty as a row of the workbook, under HEADERS."""
    duty, division = deadline.obligation, deadline.division
    return [
        deadline.name,
        duty.uscc,
        division_name(division[:4]) or "",
        division_name(division) or division,
        law.obligation(duty.code).name.zh,
        duty.due_on,
        duty.nominal_on,
        "是" if duty.provisional else "否",
        _STATUS[duty.status],
        duty.done_on,
        str(days_late(duty, today)),
        duty.legal_basis,
    ]
