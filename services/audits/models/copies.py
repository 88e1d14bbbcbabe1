"""What audits keeps of the registry's facts, from its events."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from services.audits.models.table import Table
from shared.clock import utc_now
from shared.db import Json, Utc


class EnterpriseCopy(Table, table=True):
    """An enterprise as the registry last told it."""

    __tablename__ = "enterprise_copy"
    uscc: str = Field(primary_key=True)
    name: str
    division: str
    industry: str
    status: str
    deregistered_on: date | None = None
    version: int = 0
    known_since: datetime = Field(default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")})


class ExpertCopy(Table, table=True):
    """An expert of the pool: whom they work for, whom they advised until when."""

    __tablename__ = "expert_copy"
    id: UUID = Field(primary_key=True)
    name: str
    employer_uscc: str
    advised: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)


class InstitutionCopy(Table, table=True):
    """A service institution."""

    __tablename__ = "institution_copy"
    uscc: str = Field(primary_key=True)
    id: UUID = Field(index=True)
    name: str
    division: str


class ConsentCopy(Table, table=True):
    """A consent of an enterprise for a bank; active while not revoked and not past its day."""

    __tablename__ = "consent_copy"
    id: UUID = Field(primary_key=True)
    uscc: str = Field(index=True)
    bank: str
    purpose: str
    scope: list[str] = Field(sa_type=Json)
    valid_to: date
    revoked: bool = False
