"""What credit says: records and inputs of environmental credit."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from shared.events import Audience, Event, internal


class CreditRecordPublished(Event, type="credit.record.published.v1", subject="uscc", audience=Audience.PUBLIC):
    """A grade of an evaluation year is published; it holds from its day of publication."""

    uscc: str
    regime: str = Field(examples=["HN_2023"])
    evaluation_year: int
    grade: str = Field(examples=["蓝牌"])
    norm: int
    level: str
    published_on: date
    record: UUID | None = internal(None)
    document_no: str = internal("")
    division: str = internal("")


class CreditInputCreated(
    Event, type="credit.input.created.v1", subject="uscc", audience=Audience.ENTERPRISE_ECOLOGY, consent="credit"
):
    """An audit outcome is recorded beside the credit record; `effect` says what it counts for."""

    uscc: str
    kind: str = Field(examples=["ACCEPTANCE_FAILED"])
    effect: str = Field(examples=["none"])
    division: str = internal("")


class RestrictedFactRead(Event, type="credit.restricted_fact.read.v1", subject="uscc"):
    """A bank has read credit inputs under a consent; becomes an entry of the enterprise's access ledger."""

    uscc: str
    bank: str
    bank_name: str
    purpose: str
    consent: UUID
    fields: list[str]
    service: str
    read_at: datetime
