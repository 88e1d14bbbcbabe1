"""Dated duties: opening them, meeting them, letting them lapse, and settling days that a calendar left open."""

from collections.abc import Sequence
from datetime import date

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from services.audits import rules
from services.audits.models import AuditRound, Obligation, ObligationStatus, RoundState
from services.audits.models.obligations import OPEN
from services.audits.rules import PlannedObligation
from shared.calendar import LegalCalendar, calendar
from shared.messaging.outbox import emit

ANNUAL = "ANNUAL_DISCLOSURE"
ANNUAL_YEARS_AFTER_ACCEPTANCE = 3  # 企业环境信息依法披露管理办法: until the end of the third year after the acceptance
# Terms that a policy or an order sets: they stand still while a round is suspended. Statutory ones keep running.
NOT_STATUTORY = ("ACCEPTANCE_APPLICATION", "RECTIFICATION")


def open_obligation(tx: Session, round: AuditRound, code: str, on: date, *, due_on: date | None = None) -> Obligation:
    """A duty of a round that an act of a day starts; `due_on` for one that is due as ordered."""
    plan = rules.plan_obligation(code, on) if due_on is None else rules.ordered_obligation(code, on, due_on)
    return open_planned(tx, round, plan, on)


def open_planned(tx: Session, round: AuditRound, plan: PlannedObligation, on: date) -> Obligation:
    """As `open_obligation`, for a duty whose days are already known."""
    made = Obligation(
        round_id=round.id,
        uscc=round.uscc,
        division=round.division,
        track=round.track,
        code=plan.code,
        opened_on=on,
        nominal_on=plan.nominal_on,
        due_on=plan.due_on,
        provisional=plan.provisional,
        legal_basis=plan.legal_basis,
    )
    tx.add(made)
    emit(tx, made.created())
    return made


def fulfil(tx: Session, round: AuditRound, code: str, on: date) -> Obligation | None:
    """Meet the earliest open duty of a code; None where there is none. A start also answers an earlier round's NEXT_ROUND."""
    if code == "START":
        _answer_next_round(tx, round, on)
    found = find_open(tx, round, code)
    if found is None:
        return None
    emit(tx, found.fulfil(on))
    if code == ANNUAL:
        tx.flush()
        open_next_annual(tx, round, found)
    return found


def find_open(tx: Session, round: AuditRound, code: str) -> Obligation | None:
    """The earliest open duty of a code."""
    mine = _open_of(round).where(Obligation.code == code).order_by(col(Obligation.due_on), col(Obligation.id))
    return tx.exec(mine.limit(1)).first()


def _open_of(round: AuditRound) -> SelectOfScalar[Obligation]:
    return select(Obligation).where(Obligation.round_id == round.id, col(Obligation.status).in_(OPEN))


def _answer_next_round(tx: Session, round: AuditRound, on: date) -> None:
    waiting = select(Obligation).where(
        Obligation.uscc == round.uscc,
        Obligation.round_id != round.id,
        Obligation.code == "NEXT_ROUND",
        col(Obligation.status).in_(OPEN),
    )
    for obligation in tx.exec(waiting):
        emit(tx, obligation.fulfil(on))


def waive_all(tx: Session, round: AuditRound) -> None:
    """Open duties fall away with the round."""
    for obligation in tx.exec(_open_of(round)):
        emit(tx, obligation.waive())


def in_order(obligation: Obligation) -> tuple[date, date, str]:
    """By due day, what has none last."""
    return obligation.due_on or date.max, obligation.opened_on, obligation.code


def restart_terms(tx: Session, round: AuditRound, suspended_on: date, resumed_on: date) -> None:
    """Terms that stood still during a suspension go on: their days move by its length."""
    stood = resumed_on - suspended_on
    still = _open_of(round).where(
        col(Obligation.code).in_(NOT_STATUTORY), Obligation.status == ObligationStatus.PENDING
    )
    for obligation in tx.exec(still):
        obligation.nominal_on = obligation.nominal_on and obligation.nominal_on + stood
        obligation.due_on = obligation.due_on and obligation.due_on + stood


def open_next_annual(tx: Session, round: AuditRound, last: Obligation) -> Obligation | None:
    """Next year's disclosure after this year's; None after the third calendar year that follows the acceptance."""
    assert last.due_on is not None, "the rule names the day"
    following = rules.plan_obligation(ANNUAL, last.due_on)
    assert following.due_on is not None
    ended = round.accepted_on and following.due_on.year > round.accepted_on.year + ANNUAL_YEARS_AFTER_ACCEPTANCE
    if ended or round.state is RoundState.CANCELLED or _is_there(tx, round.uscc, following.due_on):
        return None
    return open_planned(tx, round, following, last.due_on)


def _is_there(tx: Session, uscc: str, due_on: date) -> bool:
    """One disclosure a year, whichever round asked for it."""
    same = select(Obligation.id).where(
        Obligation.uscc == uscc,
        Obligation.code == ANNUAL,
        Obligation.due_on == due_on,
        col(Obligation.status) != ObligationStatus.WAIVED,
    )
    return tx.exec(same.limit(1)).first() is not None


def settle_provisional(tx: Session, today: date, by: LegalCalendar | None = None) -> list[Obligation]:
    """Give rolled days to open duties whose year's calendar was not published when they arose.

    One that had lapsed on its counted day, and turns out to be due later, is pending again.
    """
    known = by or calendar()
    settled: list[Obligation] = []
    for obligation in tx.exec(select(Obligation).where(col(Obligation.provisional), col(Obligation.status).in_(OPEN))):
        if obligation.nominal_on is None:
            continue
        due = known.rolled(obligation.nominal_on)
        if not due.provisional:
            obligation.due_on, obligation.provisional = due.due_on, False
            if due.due_on is not None and due.due_on >= today:
                obligation.status = ObligationStatus.PENDING
            settled.append(obligation)
    return settled


def lapse_overdue(tx: Session, today: date) -> list[Obligation]:
    """Every pending duty whose day has passed becomes overdue, once; policy terms stand still in a suspended round."""
    passed = (
        select(Obligation)
        .join(AuditRound, col(AuditRound.id) == col(Obligation.round_id))
        .where(Obligation.status == ObligationStatus.PENDING, col(Obligation.due_on) < today)
        .where((col(AuditRound.state) != RoundState.SUSPENDED) | col(Obligation.code).not_in(NOT_STATUTORY))
        .order_by(col(Obligation.due_on), col(Obligation.id))
        .with_for_update(of=Obligation)
    )
    lapsed = list(tx.exec(passed))
    for obligation in lapsed:
        emit(tx, obligation.lapse())
    return lapsed


def open_next_annuals(tx: Session, lapsed: Sequence[Obligation]) -> list[Obligation]:
    """Next year's disclosure for each whose day has passed."""
    opened: list[Obligation] = []
    for obligation in lapsed:
        if obligation.code == ANNUAL:
            round = tx.get_one(AuditRound, obligation.round_id)
            opened += [made] if (made := open_next_annual(tx, round, obligation)) else []
    return opened
