"""What credit does about events. One line of thought per handler; the work is in actions."""

from sqlmodel import Session

from services.credit import actions
from shared.events.audits import AcceptanceRecorded, ListEntryPublished, ObligationOverdue
from shared.events.registry import EnterpriseChanged, EnterpriseRegistered
from shared.messaging.inbox import Handlers

handlers = Handlers("credit")


@handlers.on(EnterpriseRegistered)
def know_registered_enterprise(event: EnterpriseRegistered, tx: Session) -> None:
    actions.keep_enterprise(tx, event.uscc, event.name, event.division, event.version)


@handlers.on(EnterpriseChanged)
def follow_changed_enterprise(event: EnterpriseChanged, tx: Session) -> None:
    actions.keep_enterprise(tx, event.uscc, event.name, event.division, event.version)


@handlers.on(ListEntryPublished)
def know_listed_enterprise(event: ListEntryPublished, tx: Session) -> None:
    actions.keep_enterprise(tx, event.uscc, event.name, event.division, 0)


@handlers.on(AcceptanceRecorded)
def note_acceptance(event: AcceptanceRecorded, tx: Session) -> None:
    kind = "AUDIT_ACCEPTED" if event.result == "accepted" else "ACCEPTANCE_FAILED"
    actions.record_input(tx, kind, event.uscc, event.accepted_on)


@handlers.on(ObligationOverdue)
def note_overdue_obligation(event: ObligationOverdue, tx: Session) -> None:
    actions.record_input(tx, "OVERDUE_WARNING", event.uscc, event.due_on)
