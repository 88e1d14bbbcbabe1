"""What the registry says: enterprises, facts, experts, institutions, consents."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from shared.events import Audience, Event


class EnterpriseRegistered(Event, type="registry.enterprise.registered.v1", subject="uscc"):
    """An enterprise is in the register, `active`, or `pending` when a published list named it first."""

    uscc: str = Field(examples=["91430200MA4QA0029A"])
    name: str
    division: str
    industry: str
    status: str
    version: int


class EnterpriseChanged(Event, type="registry.enterprise.changed.v1", subject="uscc"):
    """What the register says of an enterprise has changed; carries the whole new state."""

    uscc: str
    name: str
    division: str
    industry: str
    status: str
    deregistered_on: date | None = None
    version: int


class FactRecorded(Event, type="registry.fact.recorded.v1", subject="uscc"):
    """A measured or declared fact of an enterprise; a later one for the same days is a correction."""

    fact: UUID
    uscc: str
    code: str
    value: str
    valid_from: date
    valid_to: date | None = None
    source: str
    recorded_at: datetime


class ExpertRegistered(Event, type="registry.expert.registered.v1", subject="expert"):
    """An expert is in the pool; whom they work for or advised decides about conflicts of interest."""

    expert: UUID
    name: str
    employer_uscc: str
    specialities: list[str]
    advised: list[dict[str, str]] = Field(examples=[[{"uscc": "91430200MA4QA0029A", "until": "2025-06-30"}]])


class InstitutionRegistered(Event, type="registry.institution.registered.v1", subject="uscc"):
    """A service institution is known."""

    institution: UUID
    uscc: str
    name: str
    division: str


class ConsentGranted(Event, type="registry.consent.granted.v1", subject="uscc", audience=Audience.CONSENT):
    """An enterprise lets a bank read what is not public, for a purpose and until a day."""

    consent: UUID
    uscc: str
    bank: str
    purpose: str
    scope: list[str] = Field(examples=[["audit", "credit", "decisions"]])
    valid_to: date


class ConsentRevoked(Event, type="registry.consent.revoked.v1", subject="uscc", audience=Audience.CONSENT):
    """A consent has ended before its day; what rests on it ends at once."""

    consent: UUID
    uscc: str
    bank: str
    scope: list[str]
    valid_to: date
