"""Deliveries, their attempts, and the lanes that keep them in order."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.notifications.models.table import Table
from shared.db import Utc, text_enum


class Progress(StrEnum):
    """The state of a delivery; `ready` and `retry_wait` are open, the others final (a dead one may be retried)."""

    READY = "ready"
    RETRY_WAIT = "retry_wait"
    DELIVERED = "delivered"
    DEAD = "dead"
    SKIPPED = "skipped"


OPEN = (Progress.READY, Progress.RETRY_WAIT)


class Delivery(Table, table=True):
    """One event owed to one subscription."""

    __tablename__ = "delivery"
    __table_args__ = (
        sa.UniqueConstraint("subscription_id", "seq", name="delivery_once"),
        sa.Index(
            "delivery_open",
            "subscription_id",
            "subject",
            "seq",
            postgresql_where=sa.text("state IN ('ready', 'retry_wait')"),
        ),
        sa.Index("delivery_of_event", "seq"),
    )
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    subscription_id: UUID = Field(foreign_key="subscription.id")
    seq: int = Field(sa_column=sa.Column(sa.BigInteger, sa.ForeignKey("event_log.seq"), nullable=False))
    event_id: UUID
    subject: str
    state: Progress = Field(default=Progress.READY, sa_type=text_enum(Progress))
    attempts: int = 0
    next_at: datetime = Field(sa_type=Utc)
    first_at: datetime | None = Field(default=None, sa_type=Utc)
    done_at: datetime | None = Field(default=None, sa_type=Utc)
    last_status: int | None = None
    error_code: str | None = None


class Lane(Table, table=True):
    """The open deliveries of one subject at one subscription, sent one after another by whoever holds the lease.

    A lane exists while something in it is open, so a receiver that is down costs one row per enterprise.
    """

    __tablename__ = "lane"
    __table_args__ = (sa.Index("lane_due", "subscription_id", "due_at"),)
    subscription_id: UUID = Field(foreign_key="subscription.id", primary_key=True)
    subject: str = Field(primary_key=True)
    due_at: datetime = Field(sa_type=Utc)
    lease_token: UUID | None = None
    lease_worker: int | None = None
    lease_until: datetime | None = Field(default=None, sa_type=Utc)


class Attempt(Table, table=True):
    """One POST and what came back; `error_code` says what failed, never more about the network than the owner knows."""

    __tablename__ = "attempt"
    delivery_id: UUID = Field(foreign_key="delivery.id", primary_key=True)
    n: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    started_at: datetime = Field(sa_type=Utc)
    duration_ms: int
    http_status: int | None = None
    error_code: str | None = None
    response_head: bytes | None = None
