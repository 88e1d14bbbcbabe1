"""What audits does about events. One line of thought per handler; the work is in actions."""

from sqlmodel import Session

from services.audits.actions import copies
from services.audits.models import EnterpriseCopy
from shared.events.registry import (
    ConsentGranted,
    ConsentRevoked,
    EnterpriseChanged,
    EnterpriseRegistered,
    ExpertRegistered,
    InstitutionRegistered,
)
from shared.messaging.inbox import Handlers

handlers = Handlers("audits")


@handlers.on(EnterpriseRegistered)
def know_registered_enterprise(event: EnterpriseRegistered, tx: Session) -> None:
    copies.keep_enterprise(tx, EnterpriseCopy(**event.model_dump()))


@handlers.on(EnterpriseChanged)
def follow_changed_enterprise(event: EnterpriseChanged, tx: Session) -> None:
    copies.keep_enterprise(tx, EnterpriseCopy(**event.model_dump()))


@handlers.on(ExpertRegistered)
def know_expert(event: ExpertRegistered, tx: Session) -> None:
    copies.keep_expert(tx, event)


@handlers.on(InstitutionRegistered)
def know_institution(event: InstitutionRegistered, tx: Session) -> None:
    copies.keep_institution(tx, event)


@handlers.on(ConsentGranted)
def know_consent(event: ConsentGranted, tx: Session) -> None:
    copies.keep_consent(tx, event)


@handlers.on(ConsentRevoked)
def end_consent(event: ConsentRevoked, tx: Session) -> None:
    copies.end_consent(tx, event)
