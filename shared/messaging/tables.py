"""Tables that every service's database has, in one metadata."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from shared.clock import utc_now
from shared.db import Json, Utc

metadata = sa.MetaData()


class Table(SQLModel, registry=registry(metadata=metadata)):
    """The base of the tables that every service has."""

    metadata = metadata


class OutboxRow(Table, table=True):
    """An envelope that this service has committed; `published_at` is set when the bus has it."""

    __tablename__ = "outbox"
    __table_args__ = (sa.Index("outbox_pending", "position", postgresql_where=sa.text("published_at IS NULL")),)
    position: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger, sa.Identity(), primary_key=True))
    envelope: dict[str, Any] = Field(sa_type=Json)
    written_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )
    published_at: datetime | None = Field(default=None, sa_type=Utc)


class InboxRow(Table, table=True):
    """A handler has had its effect for this event."""

    __tablename__ = "inbox"
    handler: str = Field(primary_key=True)
    event_id: UUID = Field(primary_key=True)
    handled_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )


class DeadLetter(Table, table=True):
    """An event set aside after repeated failure; later events of its subject follow it, so order survives."""

    __tablename__ = "dead_letter"
    __table_args__ = (
        sa.Index("dead_letter_subject", "subject", "position"),
        sa.UniqueConstraint("event_id", name="dead_letter_once"),
    )
    position: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger, sa.Identity(), primary_key=True))
    event_id: UUID | None = Field(default=None)
    subject: str
    content: dict[str, Any] = Field(sa_type=Json)
    reason: str
    set_aside_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )


class InHand(Table, table=True):
    """Records that a consumer has begun with, and how often; what is left here after a death was in its hand."""

    __tablename__ = "in_hand"
    mark: UUID = Field(primary_key=True)
    tries: int = Field(default=1, sa_column_kwargs={"server_default": sa.text("1")})


class IdempotencyRow(Table, table=True):
    """The answer to a creating request, kept in the transaction of its effect; sealed, for it may hold a secret."""

    __tablename__ = "idempotency"
    client_id: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_hash: str
    status: int | None = None
    headers: dict[str, str] | None = Field(default=None, sa_type=Json)
    body: bytes | None = None
    made_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )


class DailyRun(Table, table=True):
    """The legal day for which the daily job has run."""

    __tablename__ = "daily_run"
    day: str = Field(primary_key=True)
    ran_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )
