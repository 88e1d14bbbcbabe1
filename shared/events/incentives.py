"""What incentives says: decisions and tier lists."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from shared.events import Audience, Event, internal


class DecisionChanged(
    Event, type="incentives.decision.changed.v1", subject="uscc", audience=Audience.DECISION, consent="decisions"
):
    """A programme's outcome for an enterprise is another one than before."""

    uscc: str
    programme: str = Field(examples=["green_factory.province"])
    outcome: str
    previous: str | None = None
    decision: UUID
    valid_from: date | None = internal(None)
    division: str = internal("")


class TierListPublished(Event, type="incentives.tier_list.published.v1", subject="period", audience=Audience.UTILITY):
    """A version of a month's tier list is frozen and published."""

    period: str = Field(examples=["2026-05"])
    version: int
    rows: int
    control_totals: dict[str, Any]


class RestrictedFactRead(Event, type="incentives.restricted_fact.read.v1", subject="uscc"):
    """A bank has read decisions under a consent; becomes an entry of the enterprise's access ledger."""

    uscc: str
    bank: str
    bank_name: str
    purpose: str
    consent: UUID
    fields: list[str]
    service: str
    read_at: datetime
