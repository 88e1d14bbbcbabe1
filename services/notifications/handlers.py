"""What notifications does about events. One line of thought per handler; the work is in actions."""


from sqlmodel import Session

from services.notifications.actions import log
from services.notifications.models import ConsentCopy
from shared.clock import legal_today
from shared.events import Envelope
from shared.events.audits import ListEntryPublished
from shared.events.registry import ConsentGranted, ConsentRevoked, EnterpriseChanged, EnterpriseRegistered
from shared.messaging.inbox import Handlers

handlers = Handlers("notifications")


@handlers.on(EnterpriseRegistered)
def know_registered_enterprise(event: EnterpriseRegistered, tx: Session) -> None:
    log.keep_enterprise(tx, event.uscc, event.division, event.version)


@handlers.on(EnterpriseChanged)
def follow_changed_enterprise(event: EnterpriseChanged, tx: Session) -> None:
    log.keep_enterprise(tx, event.uscc, event.division, event.version)


@handlers.on(ListEntryPublished)
def know_listed_enterprise(event: ListEntryPublished, tx: Session) -> None:
    log.keep_enterprise(tx, event.uscc, event.division, 0)


@handlers.on(ConsentGranted)
def keep_granted_consent(event: ConsentGranted, tx: Session) -> None:
    log.keep_consent(
        tx,
        ConsentCopy(id=event.consent, uscc=event.uscc, bank=event.bank, scope=event.scope, valid_to=event.valid_to),
    )


@handlers.on(ConsentRevoked)
def end_revoked_consent(event: ConsentRevoked, tx: Session) -> None:
    log.keep_consent(
        tx,
        ConsentCopy(
            id=event.consent,
            uscc=event.uscc,
            bank=event.bank,
            scope=event.scope,
            valid_to=event.valid_to,
            revoked=True,
        ),
    )


@handlers.on_every_event
def append_to_log(envelope: Envelope, tx: Session) -> None:
    log.append_event(tx, envelope, legal_today())
