"""Enterprises and consents as the registry last told them: who may see what."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from services.incentives.models.table import Table
from shared.db import Json


class EnterpriseCopy(Table, table=True):
    """An enterprise as the registry (or a published list) last told it."""

    __tablename__ = "enterprise_copy"
    __table_args__ = (sa.Index("enterprise_copy_industry", "industry", "uscc"),)
    uscc: str = Field(primary_key=True)
    name: str
    division: str
    industry: str
    status: str
    deregistered_on: date | None = None
    version: int = 0


class ConsentCopy(Table, table=True):
    """A consent of an enterprise for a bank; active while not revoked and not past its day."""

    __tablename__ = "consent_copy"
    __table_args__ = (sa.Index("consent_copy_of", "uscc", "bank"),)
    id: UUID = Field(primary_key=True)
    uscc: str
    bank: str
    purpose: str
    scope: list[str] = Field(sa_type=Json)
    valid_to: date
    revoked: bool = False
