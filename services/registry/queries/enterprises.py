"""Reading enterprises: now, in the past, and in pages."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session, col, or_, select

from services.registry.actions.enterprises import document_of, find_enterprise
from services.registry.models import Enterprise, EnterpriseVersion
from services.registry.rules.enterprises import sees_all, version_on
from shared.auth import Caller
from shared.problems import NotFound


@dataclass(frozen=True)
class Moment:
    """A day of the legal calendar, seen with what was known at an instant."""

    as_of: date
    known_at: datetime


def current_document(tx: Session, me: Caller, uscc: str) -> dict[str, Any]:
    enterprise = find_enterprise(tx, uscc)
    return document_of(enterprise, full=sees_all(me, uscc, enterprise.division))


def past_document(tx: Session, me: Caller, uscc: str, moment: Moment) -> dict[str, Any]:
    """What held on a day as it was known at an instant; 404 where nothing was known of that day."""
    now = find_enterprise(tx, uscc)
    known = select(EnterpriseVersion).where(
        EnterpriseVersion.uscc == uscc, col(EnterpriseVersion.recorded_at) <= moment.known_at
    )
    row = version_on(tx.exec(known), moment.as_of)
    if row is None:
        raise NotFound()
    return document_of(row, full=sees_all(me, uscc, now.division))


@dataclass(frozen=True)
class EnterpriseFilter:
    """Which enterprises a page shows: code prefixes, a status, and a part of the name or a beginning of the USCC."""

    division: str = ""
    industry: str = ""
    status: str = ""
    q: str = ""


def enterprises_after(tx: Session, wanted: EnterpriseFilter, after: str | None, limit: int) -> list[Enterprise]:
    query = select(Enterprise).order_by(col(Enterprise.uscc)).limit(limit)
    if wanted.division:
        query = query.where(col(Enterprise.division).startswith(wanted.division, autoescape=True))
    if wanted.industry:
        query = query.where(col(Enterprise.industry).startswith(wanted.industry, autoescape=True))
    if wanted.status:
        query = query.where(Enterprise.status == wanted.status)
    if wanted.q:
        named = col(Enterprise.name).icontains(wanted.q, autoescape=True)
        query = query.where(or_(named, col(Enterprise.uscc).startswith(wanted.q.upper(), autoescape=True)))
    if after is not None:
        query = query.where(col(Enterprise.uscc) > after)
    return list(tx.exec(query))
