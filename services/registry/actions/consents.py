"""Consents: grant, revoke."""

from dataclasses import dataclass
from datetime import date

from sqlmodel import Session

from services.registry.actions.enterprises import refuse
from services.registry.models import Consent
from services.registry.rules.consents import term_faults
from services.registry.rules.identity import uscc_fault
from shared.auth import Caller
from shared.clock import utc_now
from shared.messaging.outbox import emit
from shared.problems import NotFound


@dataclass(frozen=True)
class NewConsent:
    """What an enterprise lets a bank read."""

    uscc: str
    bank: str
    purpose: str
    scope: list[str]
    valid_to: date


def grant_consent(tx: Session, me: Caller, given: NewConsent, today: date) -> Consent:
    """An enterprise consents for itself only: another's code is 404, as if it were missing."""
    if given.uscc != me.uscc:
        raise NotFound()
    bank = uscc_fault("/bank", given.bank)
    refuse([*([bank] if bank else []), *term_faults(given.valid_to, today)])
    consent = Consent(
        uscc=given.uscc,
        bank=given.bank,
        purpose=given.purpose,
        scope=list(dict.fromkeys(given.scope)),
        granted_on=today,
        valid_to=given.valid_to,
        granted_at=utc_now(),
    )
    tx.add(consent)
    emit(tx, consent.granted())
    return consent


def revoke_consent(tx: Session, consent: Consent, today: date) -> Consent:
    emit(tx, consent.revoke(today, utc_now()))
    return consent
