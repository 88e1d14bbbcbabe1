"""Facts of enterprises that other services decide on."""

from datetime import date, datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.registry.models.table import Table
from shared.clock import utc_now
from shared.db import Utc
from shared.events.registry import FactRecorded


class Fact(Table, table=True):
    """A measured or declared value for some days. Rows are only added; a later one for the same days corrects."""

    __tablename__ = "fact"
    __table_args__ = (
        sa.Index("fact_of", "uscc", "recorded_at", "id"),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="fact_days"),
    )
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    uscc: str
    code: str
    value: str
    valid_from: date
    valid_to: date | None = None
    source: str
    recorded_by: str = ""
    recorded_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )

    def recorded(self) -> FactRecorded:
        return FactRecorded(
            fact=self.id,
            uscc=self.uscc,
            code=self.code,
            value=self.value,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            source=self.source,
            recorded_at=self.recorded_at,
        )
