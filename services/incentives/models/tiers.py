"""Frozen versions of a month's tier list: rows for questions, bytes for streams."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.incentives.models.table import Table
from shared.db import Json, Utc
from shared.events.incentives import TierListPublished


class TierList(Table, table=True):
    """A published version; `digests` and `sizes` are of the whole file of each format."""

    __tablename__ = "tier_list"
    __table_args__ = (sa.UniqueConstraint("period", "version", name="tier_list_version"),)
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    period: str
    version: int
    document_no: str
    settlement_mode: str
    effective_from: date
    published_at: datetime = Field(sa_type=Utc)
    published_by: str
    rows: int
    control_totals: dict[str, Any] = Field(sa_type=Json)
    digests: dict[str, str] = Field(sa_type=Json)
    sizes: dict[str, int] = Field(sa_type=Json)

    def published(self) -> TierListPublished:
        return TierListPublished(
            period=self.period, version=self.version, rows=self.rows, control_totals=self.control_totals
        )


class TierEntry(Table, table=True):
    """A row of a version, with the facts and hashes that it can be worked out from again."""

    __tablename__ = "tier_entry"
    __table_args__ = (sa.Index("tier_entry_of", "list_id", "position", unique=True),)
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    list_id: UUID
    position: int
    list_version: int
    account_no: str
    uscc: str
    name: str
    division: str
    instrument: str
    price_year: int
    data_year: int
    metric_value: Decimal = Field(sa_type=sa.Numeric)
    threshold: Decimal = Field(sa_type=sa.Numeric)
    rate_yuan_per_kwh: Decimal = Field(sa_type=sa.Numeric)
    effective_from: date
    effective_to: date | None = None
    supersedes: UUID | None = None
    legal_basis: str
    facts: dict[str, Any] = Field(sa_type=Json)
    rule_set_hash: str
    result_hash: str


class TierUnresolved(Table, table=True):
    """An enterprise that could not be decided for a version, and what is missing."""

    __tablename__ = "tier_unresolved"
    list_id: UUID = Field(primary_key=True)
    uscc: str = Field(primary_key=True)
    name: str
    division: str
    missing: list[dict[str, str]] = Field(sa_type=Json)


class TierFile(Table, table=True):
    """A piece of a version's frozen file; `part` 0 of a csv head is the header row."""

    __tablename__ = "tier_file"
    list_id: UUID = Field(primary_key=True)
    format: str = Field(primary_key=True)
    part: int = Field(primary_key=True)
    content: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False))
