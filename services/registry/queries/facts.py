"""Reading facts: all that was recorded, or what was in force on a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from services.registry.models import Fact
from services.registry.rules.facts import occurrence_codes
from shared.clock import local_time


@dataclass(frozen=True)
class FactFilter:
    """Which facts of an enterprise: of codes, known at an instant, in force on a day."""

    uscc: str
    known_at: datetime
    as_of: date | None = None
    codes: tuple[str, ...] = ()


Found = tuple[Fact, datetime | None]
Place = tuple[datetime, UUID]


def facts_after(tx: Session, wanted: FactFilter, after: Place | None, limit: int) -> list[Found]:
    """In the order of recording, each with when a later fact for the same days corrected it."""
    later: Any = aliased(Fact)
    corrected = _superseded(later, wanted.known_at, _same_days(later))
    query = select(Fact, corrected.label("corrected_at")).where(
        Fact.uscc == wanted.uscc, col(Fact.recorded_at) <= wanted.known_at
    )
    if wanted.codes:
        query = query.where(col(Fact.code).in_(wanted.codes))
    if wanted.as_of is not None:
        query = query.where(*_in_force(wanted.as_of, wanted.known_at))
    if after is not None:
        query = query.where(sa.tuple_(col(Fact.recorded_at), col(Fact.id)) > sa.tuple_(*map(sa.literal, after)))
    rows = tx.exec(query.order_by(col(Fact.recorded_at), col(Fact.id)).limit(limit))
    return [(fact, instant) for fact, instant in rows]


def _superseded(later: Any, known_at: datetime, overlap: Any) -> Any:
    """When the first later fact of the same code that meets `overlap` was recorded."""
    newer = sa.tuple_(later.recorded_at, later.id) > sa.tuple_(col(Fact.recorded_at), col(Fact.id))
    first = sa.select(sa.func.min(later.recorded_at)).where(
        later.uscc == Fact.uscc, later.code == Fact.code, newer, later.recorded_at <= known_at, overlap
    )
    return first.correlate(Fact).scalar_subquery()


def _same_days(later: Any) -> Any:
    """A correction is about days of the fact itself; a successor of a fact without an end only begins later."""
    begins = col(Fact.valid_from)
    occurrence = col(Fact.code).in_(occurrence_codes())
    overlap = (later.valid_from <= sa.func.coalesce(col(Fact.valid_to), begins)) & (
        later.valid_to.is_(None) | (later.valid_to >= begins)
    )
    return sa.case((occurrence, later.valid_from == begins), else_=overlap)


def _in_force(day: date, known_at: datetime) -> Sequence[Any]:
    """Facts that reach the day and have no later one for it; of one code the latest said counts."""
    later: Any = aliased(Fact)
    covers = (later.valid_from <= day) & (later.valid_to.is_(None) | (later.valid_to >= day))
    same = sa.case((col(Fact.code).in_(occurrence_codes()), later.valid_from == col(Fact.valid_from)), else_=covers)
    begins, ends = col(Fact.valid_from), sa.func.coalesce(col(Fact.valid_to), day)
    reaches = (begins <= day) & (ends >= day)
    return [reaches, _superseded(later, known_at, same).is_(None)]


def fact_out(found: Found) -> dict[str, Any]:
    fact, corrected_at = found
    return {
        "id": str(fact.id),
        "uscc": fact.uscc,
        "code": fact.code,
        "value": fact.value,
        "valid_from": fact.valid_from.isoformat(),
        "valid_to": fact.valid_to.isoformat() if fact.valid_to else None,
        "source": fact.source,
        "recorded_at": local_time(fact.recorded_at).isoformat(),
        "corrected_at": local_time(corrected_at).isoformat() if corrected_at else None,
    }
