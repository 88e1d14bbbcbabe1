"""Keep enterprises and consents as the registry tells them."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from services.incentives.models import ConsentCopy, EnterpriseCopy
from shared.problems import NotFound


def keep_enterprise(tx: Session, told: dict[str, Any]) -> None:
    """Keep the newest version of an enterprise; an older one that comes late changes nothing."""
    statement = insert(EnterpriseCopy).values(**told)
    newer = {name: value for name, value in told.items() if name != "uscc"}
    older = col(EnterpriseCopy.version) < told["version"]
    tx.execute(statement.on_conflict_do_update(index_elements=["uscc"], set_=newer, where=older))


def get_enterprise(tx: Session, uscc: str) -> EnterpriseCopy:
    """Raises `NotFound` for a firm that nobody has told of."""
    enterprise = find_enterprise(tx, uscc)
    if enterprise is None:
        raise NotFound()
    return enterprise


def find_enterprise(tx: Session, uscc: str) -> EnterpriseCopy | None:
    fresh = select(EnterpriseCopy).where(EnterpriseCopy.uscc == uscc).execution_options(populate_existing=True)
    return tx.exec(fresh).first()


def keep_consent(tx: Session, consent: ConsentCopy) -> None:
    """Keep a granted consent; one that is already known as revoked stays revoked."""
    given = {name: getattr(consent, name) for name in ConsentCopy.model_fields}
    tx.execute(insert(ConsentCopy).values(**given).on_conflict_do_nothing(index_elements=["id"]))


def end_consent(tx: Session, consent: UUID) -> None:
    tx.execute(sa.update(ConsentCopy).where(col(ConsentCopy.id) == consent).values(revoked=True))
