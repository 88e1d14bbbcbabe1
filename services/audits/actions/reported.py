"""Duties that the enterprise itself reports as met."""

from dataclasses import dataclass
from datetime import date

from sqlmodel import Session

from services.audits.actions.obligations import find_open, fulfil
from services.audits.actions.status import refresh_status
from services.audits.models import AuditRound, Obligation
from shared.problems import Conflict, Fault, Text, Unprocessable


@dataclass(frozen=True)
class Met:
    """When a duty was met, where it can be seen, and the legal day of the report."""

    on: date
    url: str
    today: date


def report_met(tx: Session, round: AuditRound, code: str, met: Met) -> Obligation:
    """Meet the earliest open duty of a code; Conflict where none is open, Unprocessable for a day out of order."""
    locked = tx.get_one(AuditRound, round.id, with_for_update=True, populate_existing=True)
    waiting = find_open(tx, locked, code)
    if waiting is None:
        raise Conflict("obligation_not_open", Text("没有待完成的该事项。", "No duty of this kind is open."))
    if not waiting.opened_on <= met.on <= met.today:
        text = Text("完成日期不得早于事项产生之日，也不得晚于今天。", "Not before the duty arose, and not after today.")
        raise Unprocessable("date_out_of_order", text, faults=[Fault("/done_on", "date_out_of_order", text)])
    waiting.url = met.url
    fulfil(tx, locked, code, met.on)
    refresh_status(tx, locked, met.on)
    return waiting
