"""Facts: record one; nothing is overwritten."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlmodel import Session

from services.registry.actions.enterprises import refuse
from services.registry.models import Enterprise, Fact
from services.registry.rules.facts import day_faults, fact_value
from shared.clock import utc_now
from shared.messaging.outbox import emit
from shared.problems import Fault


@dataclass(frozen=True)
class NewFact:
    """A fact as somebody states it."""

    code: str
    value: str | bool | Decimal
    valid_from: date
    source: str
    valid_to: date | None = None


def record_fact(tx: Session, enterprise: Enterprise, given: NewFact, today: date, client: str) -> Fact:
    """Keep a fact of an enterprise (whose row the caller has locked, so that its events keep their order)."""
    value = fact_value(given.code, given.value)
    faults = day_faults(given.valid_from, given.valid_to, today)
    if isinstance(value, Fault):
        faults.insert(0, value)
    refuse(faults)
    fact = Fact(
        uscc=enterprise.uscc,
        code=given.code,
        value=str(value),
        valid_from=given.valid_from,
        valid_to=given.valid_to,
        source=given.source,
        recorded_by=client,
        recorded_at=utc_now(),
    )
    tx.add(fact)
    emit(tx, fact.recorded())
    return fact
