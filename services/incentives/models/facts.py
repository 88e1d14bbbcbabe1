"""What other services told of an enterprise, with both clocks."""

from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Field

from services.incentives.models.table import Table
from shared.db import Json, Utc

ENTERPRISE = "enterprise"
ROUND, ENTRY, ACCEPTANCE, OBLIGATION = "audit.round", "audit.entry", "audit.acceptance", "audit.obligation"
CREDIT = "credit.record"


class Fact(Table, table=True):
    """Something true from a day (to a day), known since an instant; a correction is another row, nothing is changed.

    Where two rows of a code are true on the same day, the one recorded later holds. `value` is the registry's text
    under `value`, or what an event of audits or credit said.
    """

    __tablename__ = "fact"
    __table_args__ = (
        sa.Index("fact_of", "uscc", "recorded_at"),
        sa.Index("fact_of_code", "code", "uscc"),
    )
    position: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger, sa.Identity(), primary_key=True))
    uscc: str
    code: str
    value: dict[str, Any] = Field(sa_type=Json)
    valid_from: date
    valid_to: date | None = None
    recorded_at: datetime = Field(sa_type=Utc)


class Told(NamedTuple):
    """What one row of `Fact` says, without the weight of a mapped object: many are read for every decision."""

    uscc: str
    code: str
    value: dict[str, Any]
    valid_from: date
    valid_to: date | None = None

    def holds_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)
