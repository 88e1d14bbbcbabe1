"""Pages of experts, institutions, clients, consents and ledger entries."""

from typing import Any
from uuid import UUID

from sqlmodel import Session, col, or_, select

from services.registry.models import AccessEntry, Client, Consent, Expert, Institution
from shared.auth import Caller
from shared.clock import local_time
from shared.problems import NotFound


def experts_after(tx: Session, after: UUID | None, limit: int) -> list[Expert]:
    query = select(Expert).order_by(col(Expert.id)).limit(limit)
    return list(tx.exec(query if after is None else query.where(col(Expert.id) > after)))


def institutions_after(tx: Session, after: str | None, limit: int) -> list[Institution]:
    query = select(Institution).order_by(col(Institution.uscc)).limit(limit)
    return list(tx.exec(query if after is None else query.where(col(Institution.uscc) > after)))


def clients_after(tx: Session, after: str | None, limit: int) -> list[Client]:
    query = select(Client).order_by(col(Client.id)).limit(limit)
    return list(tx.exec(query if after is None else query.where(col(Client.id) > after)))


def consents_after(tx: Session, me: Caller, after: UUID | None, limit: int) -> list[Consent]:
    """The consents that the caller is a party of."""
    mine = or_(Consent.uscc == me.uscc, Consent.bank == me.uscc)
    query = select(Consent).where(mine).order_by(col(Consent.id)).limit(limit)
    return list(tx.exec(query if after is None else query.where(col(Consent.id) > after)))


def get_consent(tx: Session, me: Caller, consent_id: UUID, *, lock: bool = False) -> Consent:
    """A consent of the caller; another's is 404."""
    consent = tx.get(Consent, consent_id, with_for_update=lock)
    if consent is None or not me.uscc or me.uscc not in (consent.uscc, consent.bank):
        raise NotFound()
    return consent


def entries_after(tx: Session, uscc: str, after: int, limit: int) -> list[AccessEntry]:
    mine = select(AccessEntry).where(AccessEntry.uscc == uscc, col(AccessEntry.number) > after)
    return list(tx.exec(mine.order_by(col(AccessEntry.number)).limit(limit)))


def entry_out(entry: AccessEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": local_time(entry.at).isoformat(),
        "who": entry.who,
        "bank": entry.bank,
        "purpose": entry.purpose,
        "fields": entry.field_names,
        "consent": str(entry.consent),
        "service": entry.service,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }
