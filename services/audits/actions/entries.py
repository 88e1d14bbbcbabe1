"""Entries of a list: reading them within a jurisdiction, and withdrawing one."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.audits import law
from services.audits.actions.lists import entries_answered_by, get_list
from services.audits.actions.obligations import in_order, waive_all
from services.audits.actions.steps import Step, lock_round
from services.audits.models import ListEntry, Obligation, RoundState
from shared.auth import Caller
from shared.codes import division_name, industry_name
from shared.messaging.outbox import emit
from shared.problems import NotFound
from shared.spreadsheets import Value

XLSX_OBLIGATIONS = ("FIRST_DISCLOSURE", "START", "REPORT", "ANNUAL_DISCLOSURE")


def entries_in(tx: Session, me: Caller, list_id: UUID, after: list[str] | None, limit: int) -> list[ListEntry]:
    """Entries of a list that lie in the caller's jurisdiction, in the list's order, after a position."""
    mine = select(ListEntry).where(
        ListEntry.list_id == list_id, col(ListEntry.division).startswith(me.jurisdiction, autoescape=True)
    )
    if after:
        mine = mine.where(col(ListEntry.position) > int(after[0]))
    return list(tx.exec(mine.order_by(col(ListEntry.position)).limit(limit)))


def count_entries(tx: Session, list_id: UUID) -> int:
    """How many entries a list has, withdrawn ones included."""
    count = sa.select(sa.func.count()).select_from(ListEntry).where(col(ListEntry.list_id) == list_id)
    return int(tx.execute(count).scalar_one())


def get_entry(tx: Session, me: Caller, entry_id: UUID, list_id: UUID | None = None) -> ListEntry:
    """An entry in the caller's jurisdiction (and of a list, where one is named); else NotFound."""
    found = tx.get(ListEntry, entry_id)
    if found is None or not me.covers(found.division) or list_id not in (None, found.list_id):
        raise NotFound()
    return found


def withdraw_entry(tx: Session, me: Caller, entry: ListEntry, reason: str, today: date) -> ListEntry:
    """Take an entry off a published list (M32): its round is cancelled, its open duties are waived.

    A round that another entry also rests on goes on; one that has ended cannot be cancelled: MoveNotAllowed.
    """
    listed = get_list(tx, entry.list_id)
    round = lock_round(tx, entry.round_id) if entry.round_id else None
    tx.refresh(entry, with_for_update=True)
    event = entry.withdraw(listed, reason, today)
    assert round is not None, "a published entry has its round"
    round.check("cancel")
    tx.flush()
    emit(tx, event)
    if not entries_answered_by(tx, round.id):
        _cancel(Step(tx, me, round, "cancel", today), entry)
    return entry


def _cancel(step: Step, entry: ListEntry) -> None:
    """M32: the round ends, its open duties fall away."""
    step.round.resumes_to = step.round.suspended_on = None
    step.enter(RoundState.CANCELLED, reason=entry.withdrawal_reason, entry=entry.id)
    waive_all(step.tx, step.round)
    step.settled()


def entry_out(entry: ListEntry) -> dict[str, Any]:
    """An entry as the answers show it."""
    return {
        "id": str(entry.id),
        "list": str(entry.list_id),
        "uscc": entry.uscc,
        "name": entry.name,
        "division": entry.division,
        "industry": entry.industry or None,
        "categories": entry.categories,
        "legal_basis_status": entry.legal_basis_status,
        "round": str(entry.round_id) if entry.round_id else None,
        "state": str(entry.state),
        "remark": entry.remark,
        "withdrawn_on": entry.withdrawn_on.isoformat() if entry.withdrawn_on else None,
        "withdrawal_reason": entry.withdrawal_reason or None,
    }


def sheet_headers() -> list[str]:
    """The header row of the entries as a workbook."""
    fixed = [
        "序号",
        "企业名称",
        "统一社会信用代码",
        "所在市州",
        "所在县市区",
        "行业",
        "纳入原因",
        "法律依据",
        "条目状态",
    ]
    duties = [law.obligations()[code].name.zh for code in XLSX_OBLIGATIONS]
    return [*fixed, *(f"{duty}{what}" for duty in duties for what in ("期限", "状态"))]


_BASIS = {"confirmed": "明确", "uncertain": "待法制审核"}
_STATE = {"draft": "草稿", "published": "已公布", "withdrawn": "已撤出"}
_DUTY = {"pending": "未到期", "done": "按期完成", "done_late": "逾期完成", "overdue": "逾期", "waived": "免除"}


def sheet_rows(tx: Session, me: Caller, list_id: UUID) -> Iterator[list[Value]]:
    """The entries with their rounds' duties, one row each."""
    entries = entries_in(tx, me, list_id, None, 100_000)
    duties = _duties(tx, [entry.round_id for entry in entries if entry.round_id])
    for entry in entries:
        reasons = "、".join(law.category(code).name.zh for code in entry.categories)
        row: list[Value] = [str(entry.position), entry.name, entry.uscc]
        row += [division_name(entry.division[:4]) or "", division_name(entry.division) or entry.division]
        row += [industry_name(entry.industry) or entry.industry, reasons, _BASIS[entry.legal_basis_status]]
        row.append(_STATE[entry.state])
        for code in XLSX_OBLIGATIONS:
            duty = duties.get((entry.round_id, code))
            row += [duty.due_on, _DUTY[duty.status]] if duty else [None, None]
        yield row


def _duties(tx: Session, rounds: list[UUID]) -> dict[tuple[UUID | None, str], Obligation]:
    """The latest duty of each code by round."""
    found = tx.exec(select(Obligation).where(col(Obligation.round_id).in_(rounds)))
    return {(duty.round_id, duty.code): duty for duty in sorted(found, key=in_order)}
