"""The outward event log: gapless, in commit order, the same bytes for every reader."""

from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.notifications.models.table import Table
from shared.clock import utc_now
from shared.db import Utc


class LogHead(Table, table=True):
    """The last number given. Its row lock serialises all appends: no gap, and nothing commits out of order.

    `epoch` names this history; after a restore from a backup it is to be changed, so that cursors from the lost
    future are refused instead of skipping.
    """

    __tablename__ = "log_head"
    __table_args__ = (sa.CheckConstraint("id = 1", name="log_head_single"),)
    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": sa.text("0")})
    epoch: UUID = Field(default_factory=uuid4, sa_column_kwargs={"server_default": sa.text("gen_random_uuid()")})


class EventLog(Table, table=True):
    """An event as outsiders see it, with what decides who may."""

    __tablename__ = "event_log"
    __table_args__ = (sa.Index("event_log_of", "uscc", "seq"), sa.Index("event_log_age", "recorded_at"))
    seq: int = Field(sa_column=sa.Column(sa.BigInteger, primary_key=True, autoincrement=False))
    event_id: UUID = Field(unique=True)
    type: str
    subject: str
    uscc: str | None = None
    division: str = ""
    audience: str
    consent_scope: str
    tariff: bool = False
    bank: str | None = None
    traceparent: str = ""
    body: bytes
    recorded_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )
