"""Record what was told, and say what was true on a day as it was known at an instant."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from services.incentives.assembly import assemble, without_problems
from services.incentives.engine import facts_from_api
from services.incentives.models import ENTERPRISE, Fact, Told


def record(tx: Session, fact: Fact) -> None:
    """Add a fact beside those that are there; nothing is overwritten."""
    tx.add(fact)
    tx.flush()


def known_facts(tx: Session, uscc: str, known_at: datetime) -> list[Told]:
    """Everything told of an enterprise by an instant, in the order of recording."""
    return known_of(tx, [uscc], known_at)[uscc]


def known_of(tx: Session, usccs: Sequence[str], known_at: datetime, codes: Sequence[str] = ()) -> dict[str, list[Told]]:
    """As `known_facts`, for many enterprises in one query, and of some codes where they are named."""
    columns: list[Any] = [Fact.uscc, Fact.code, Fact.value, Fact.valid_from, Fact.valid_to]
    mine = sa.select(*columns).where(col(Fact.uscc).in_(usccs), col(Fact.recorded_at) <= known_at)
    if codes:
        mine = mine.where(col(Fact.code).in_(codes))
    found: dict[str, list[Told]] = {uscc: [] for uscc in usccs}
    for row in tx.execute(mine.order_by(col(Fact.recorded_at), col(Fact.position))):
        found[row[0]].append(Told(*row))
    return found


def facts_at(tx: Session, uscc: str, as_of: date, known_at: datetime) -> dict[str, Any]:
    """The facts of an evaluation as they were true on `as_of` and known at `known_at`, as the API takes them."""
    body = assemble(known_facts(tx, uscc, known_at), as_of, as_of.year)
    problems = facts_from_api(body)
    return without_problems(body, problems) if isinstance(problems, list) else body


def told_so_far(tx: Session, uscc: str) -> list[str]:
    """The codes of what is known of an enterprise beside the enterprise itself."""
    others = sa.select(col(Fact.code)).where(col(Fact.uscc) == uscc, col(Fact.code) != ENTERPRISE).distinct()
    return sorted(tx.execute(others).scalars())
