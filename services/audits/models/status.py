"""The enterprise's audit status as documents that are served as they are stored."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from services.audits.models.table import Table
from shared.db import Utc


class AuditStatus(Table, table=True):
    """A version of an enterprise's status: since when it is true, since when we knew; never overwritten.

    `public` and `restricted` are members of a JSON object without braces, so that a read only joins bytes.
    """

    __tablename__ = "audit_status"
    __table_args__ = (
        sa.Index("audit_status_now", "uscc", unique=True, postgresql_where=sa.text("superseded_at IS NULL")),
        sa.Index("audit_status_history", "uscc", "recorded_at"),
    )
    id: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger, sa.Identity(), primary_key=True))
    uscc: str
    division: str
    round_id: UUID | None = None
    valid_from: date
    recorded_at: datetime = Field(sa_type=Utc)
    superseded_at: datetime | None = Field(default=None, sa_type=Utc)
    public: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False))
    restricted: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False))
