"""Keeping what audits needs of the registry's facts: the newest version wins, whatever comes late."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from services.audits.models import ConsentCopy, EnterpriseCopy, ExpertCopy, InstitutionCopy, ListEntry
from shared.events.registry import ConsentGranted, ConsentRevoked, ExpertRegistered, InstitutionRegistered

PENDING = "pending"
DEREGISTERED = "deregistered"


def keep_enterprise(tx: Session, enterprise: EnterpriseCopy) -> None:
    """Keep the newest version of an enterprise; an older one that comes late changes nothing."""
    values = enterprise.model_dump()
    older = col(EnterpriseCopy.version) < enterprise.version
    newer = {name: value for name, value in values.items() if name not in ("uscc", "known_since")}
    statement = insert(EnterpriseCopy).values(**values)
    tx.execute(statement.on_conflict_do_update(index_elements=["uscc"], set_=newer, where=older))


def know_listed(tx: Session, entries: Sequence[ListEntry]) -> None:
    """Enterprises that a published list names before the register does: pending until it tells more."""
    rows = [
        {
            "uscc": entry.uscc,
            "name": entry.name,
            "division": entry.division,
            "industry": entry.industry,
            "status": PENDING,
            "version": 0,
        }
        for entry in entries
    ]
    if rows:
        tx.execute(insert(EnterpriseCopy).on_conflict_do_nothing(), rows)


def enterprises_of(tx: Session, usccs: Sequence[str]) -> dict[str, EnterpriseCopy]:
    """The known ones among these codes."""
    found = tx.exec(select(EnterpriseCopy).where(col(EnterpriseCopy.uscc).in_(usccs)))
    return {enterprise.uscc: enterprise for enterprise in found}


def codes_by_name(tx: Session, names: Sequence[str]) -> dict[str, str]:
    """The code of each of these names that exactly one enterprise bears."""
    once = (
        sa.select(col(EnterpriseCopy.name), sa.func.min(col(EnterpriseCopy.uscc)))
        .where(col(EnterpriseCopy.name).in_(names))
        .group_by(col(EnterpriseCopy.name))
        .having(sa.func.count() == 1)
    )
    return {row[0]: row[1] for row in tx.execute(once)}


def keep_expert(tx: Session, event: ExpertRegistered) -> None:
    """Keep an expert as last told."""
    values = {"name": event.name, "employer_uscc": event.employer_uscc, "advised": event.advised}
    statement = insert(ExpertCopy).values(id=event.expert, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def keep_institution(tx: Session, event: InstitutionRegistered) -> None:
    """Keep a service institution as last told."""
    values = {"id": event.institution, "name": event.name, "division": event.division}
    statement = insert(InstitutionCopy).values(uscc=event.uscc, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["uscc"], set_=values))


def keep_consent(tx: Session, event: ConsentGranted) -> None:
    """Keep a consent; one that is known already, perhaps as revoked, stays as it is."""
    statement = insert(ConsentCopy).values(
        id=event.consent,
        uscc=event.uscc,
        bank=event.bank,
        purpose=event.purpose,
        scope=event.scope,
        valid_to=event.valid_to,
        revoked=False,
    )
    tx.execute(statement.on_conflict_do_nothing())


def end_consent(tx: Session, event: ConsentRevoked) -> None:
    """A revoked consent opens nothing from now on, also when its grant comes later."""
    statement = insert(ConsentCopy).values(
        id=event.consent,
        uscc=event.uscc,
        bank=event.bank,
        purpose="",
        scope=event.scope,
        valid_to=event.valid_to,
        revoked=True,
    )
    tx.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"revoked": True}))


def active_consent(tx: Session, uscc: str, bank: str, today: date) -> ConsentCopy | None:
    """The consent under which a bank may read an enterprise's audit facts on a legal day; None without one."""
    mine = select(ConsentCopy).where(
        ConsentCopy.uscc == uscc,
        ConsentCopy.bank == bank,
        ~col(ConsentCopy.revoked),
        col(ConsentCopy.valid_to) >= today,
        col(ConsentCopy.scope).contains(["audit"]),
    )
    return tx.exec(mine.order_by(col(ConsentCopy.valid_to).desc(), col(ConsentCopy.id)).limit(1)).first()
