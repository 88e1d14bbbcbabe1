"""What incentives does about events. One line of thought per handler; the work is in actions."""

from datetime import date, timedelta
from uuid import UUID

from sqlmodel import Session

from services.incentives import rules
from services.incentives.actions import copies, facts
from services.incentives.actions.decisions import decide_touched
from services.incentives.models import ACCEPTANCE, CREDIT, ENTERPRISE, ENTRY, OBLIGATION, ROUND, ConsentCopy, Fact
from shared.clock import legal_today, utc_now
from shared.events.audits import (
    AcceptanceRecorded,
    ListEntryPublished,
    ListEntryWithdrawn,
    ObligationDone,
    ObligationOverdue,
    ObligationWaived,
    RoundMoved,
)
from shared.events.credit import CreditRecordPublished
from shared.events.registry import (
    ConsentGranted,
    ConsentRevoked,
    EnterpriseChanged,
    EnterpriseRegistered,
    FactRecorded,
)
from shared.messaging.inbox import Handlers

handlers = Handlers("incentives")


def _told(uscc: str, code: str, since: date, **value: object) -> Fact:
    return Fact(uscc=uscc, code=code, value=value, valid_from=since, recorded_at=utc_now())


@handlers.on(EnterpriseRegistered)
def know_registered_enterprise(event: EnterpriseRegistered, tx: Session) -> None:
    _keep_enterprise(event, tx, None)
    _decide_told(tx, event.uscc)


@handlers.on(EnterpriseChanged)
def follow_changed_enterprise(event: EnterpriseChanged, tx: Session) -> None:
    before = copies.find_enterprise(tx, event.uscc)
    _keep_enterprise(event, tx, event.deregistered_on)
    if before is None:
        _decide_told(tx, event.uscc)
    if before is not None and before.industry != event.industry:
        decide_touched(tx, event.uscc, "industry", legal_today())
    if before is not None and "deregistered" in (event.status, before.status):
        decide_touched(tx, event.uscc, "vetoes.GF_V1", legal_today())


def _decide_told(tx: Session, uscc: str) -> None:
    """What was told before the enterprise itself decides now what it would have decided after it, and no more."""
    for touched in dict.fromkeys(rules.fact_told_by(code) for code in facts.told_so_far(tx, uscc)):
        if touched is not None:
            decide_touched(tx, uscc, touched, legal_today())


def _keep_enterprise(event: EnterpriseRegistered | EnterpriseChanged, tx: Session, ended: date | None) -> None:
    said = event.model_dump(include={"name", "division", "industry", "status", "version"})
    copies.keep_enterprise(tx, said | {"uscc": event.uscc, "deregistered_on": ended})
    day = ended.isoformat() if ended is not None else None
    # The register gives a change no day of its own: it counts for every day from when it was known.
    facts.record(tx, _told(event.uscc, ENTERPRISE, date.min, **said, deregistered_on=day))


@handlers.on(FactRecorded)
def keep_recorded_fact(event: FactRecorded, tx: Session) -> None:
    fact = Fact(
        uscc=event.uscc,
        code=event.code,
        value={"value": event.value, "source": event.source, "fact": str(event.fact)},
        valid_from=event.valid_from,
        valid_to=event.valid_to,
        recorded_at=min(event.recorded_at, utc_now()),
    )
    facts.record(tx, fact)
    touched = rules.fact_told_by(event.code)
    if touched is not None:
        decide_touched(tx, event.uscc, touched, legal_today())


@handlers.on(ListEntryPublished)
def open_listed_audit(event: ListEntryPublished, tx: Session) -> None:
    if copies.find_enterprise(tx, event.uscc) is None:
        told = event.model_dump(include={"uscc", "name", "division", "industry"})
        copies.keep_enterprise(tx, told | {"status": "pending", "deregistered_on": None, "version": 0})
    entry = _told(
        event.uscc, ENTRY, event.published_on, round=_round(event.round, event.document_no), track="mandatory",
        stage="listed",
    )  # fmt: skip
    _keep_audit(tx, entry)


@handlers.on(ListEntryWithdrawn)
def end_withdrawn_audit(event: ListEntryWithdrawn, tx: Session) -> None:
    round_ = _round(event.round, event.document_no)
    _keep_audit(tx, _told(event.uscc, ENTRY, legal_today(), round=round_, track="mandatory", stage="cancelled"))


def _round(round_: UUID | None, document_no: str) -> str:
    return str(round_) if round_ is not None else f"listed by {document_no}"


@handlers.on(RoundMoved)
def follow_round(event: RoundMoved, tx: Session) -> None:
    _keep_audit(
        tx, _told(event.uscc, ROUND, event.moved_on, round=str(event.round), track=event.track, stage=event.state)
    )


@handlers.on(AcceptanceRecorded)
def keep_acceptance(event: AcceptanceRecorded, tx: Session) -> None:
    result = _told(
        event.uscc, ACCEPTANCE, event.accepted_on, round=str(event.round), track=event.track, stage=event.result,
        level=event.level, fraud=event.fraud,
    )  # fmt: skip
    _keep_audit(tx, result)


@handlers.on(ObligationOverdue)
def keep_overdue_duty(event: ObligationOverdue, tx: Session) -> None:
    since, round_ = event.due_on + timedelta(days=1), str(event.round)
    _keep_audit(
        tx, _told(event.uscc, OBLIGATION, since, round=round_, duty=event.code, track=event.track, state="overdue")
    )


@handlers.on(ObligationDone)
def keep_done_duty(event: ObligationDone, tx: Session) -> None:
    _keep_audit(tx, _told(event.uscc, OBLIGATION, event.done_on, round=str(event.round), duty=event.code, state="done"))


@handlers.on(ObligationWaived)
def keep_waived_duty(event: ObligationWaived, tx: Session) -> None:
    _keep_audit(tx, _told(event.uscc, OBLIGATION, legal_today(), round=str(event.round), duty=event.code, state="waived"))


def _keep_audit(tx: Session, fact: Fact) -> None:
    facts.record(tx, fact)
    decide_touched(tx, fact.uscc, "audit", legal_today())


@handlers.on(CreditRecordPublished)
def keep_credit_record(event: CreditRecordPublished, tx: Session) -> None:
    said = event.model_dump(include={"evaluation_year", "level", "norm", "grade", "regime", "document_no"})
    facts.record(tx, _told(event.uscc, CREDIT, event.published_on, **said))
    decide_touched(tx, event.uscc, "credit", legal_today())


@handlers.on(ConsentGranted)
def keep_consent(event: ConsentGranted, tx: Session) -> None:
    given = event.model_dump(include={"uscc", "bank", "purpose", "scope", "valid_to"})
    copies.keep_consent(tx, ConsentCopy(id=event.consent, **given))


@handlers.on(ConsentRevoked)
def end_consent(event: ConsentRevoked, tx: Session) -> None:
    copies.end_consent(tx, event.consent)
