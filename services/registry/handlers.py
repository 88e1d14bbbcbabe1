"""What the registry does about events. One line of thought per handler; the work is in actions."""

from sqlmodel import Session

from services.registry.actions.enterprises import make_pending
from services.registry.actions.ledger import Read, note_read
from shared.events import audits, credit, incentives
from shared.messaging.inbox import Handlers

handlers = Handlers("registry")


@handlers.on(audits.ListEntryPublished)
def know_listed_enterprise(event: audits.ListEntryPublished, tx: Session) -> None:
    said = {"name": event.name, "division": event.division, "industry": event.industry}
    make_pending(tx, event.uscc, said, event.published_on)


@handlers.on(audits.RestrictedFactRead)
def note_audit_read(event: audits.RestrictedFactRead, tx: Session) -> None:
    note_read(tx, _read(event))


@handlers.on(credit.RestrictedFactRead)
def note_credit_read(event: credit.RestrictedFactRead, tx: Session) -> None:
    note_read(tx, _read(event))


@handlers.on(incentives.RestrictedFactRead)
def note_decision_read(event: incentives.RestrictedFactRead, tx: Session) -> None:
    note_read(tx, _read(event))


def _read(event: audits.RestrictedFactRead | credit.RestrictedFactRead | incentives.RestrictedFactRead) -> Read:
    return Read(
        uscc=event.uscc,
        bank=event.bank,
        bank_name=event.bank_name,
        purpose=event.purpose,
        consent=event.consent,
        service=event.service,
        at=event.read_at,
        field_names=event.fields,
    )
