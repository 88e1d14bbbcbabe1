"""Annual lists and their entries."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.audits.models.table import Table
from shared.clock import utc_now
from shared.db import Json, Utc, text_enum


class ListState(StrEnum):
    """A list is a draft until its publication."""

    DRAFT = "draft"
    PUBLISHED = "published"


class EntryState(StrEnum):
    """An entry is withdrawn with a reason, never deleted, once its list is published."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class MandatoryList(Table, table=True):
    """A year's list of enterprises that must audit (清洁生产审核办法 第九、十条)."""

    __tablename__ = "mandatory_list"
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: str = "mandatory"
    year: int
    document_no: str
    title: str
    state: ListState = Field(default=ListState.DRAFT, sa_type=text_enum(ListState))
    published_on: date | None = None
    made_by: str
    version: int = 1
    made_at: datetime = Field(default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")})


class ListEntry(Table, table=True):
    """An enterprise on a list, with the categories that put it there."""

    __tablename__ = "list_entry"
    __table_args__ = (sa.UniqueConstraint("list_id", "uscc", name="list_entry_once"),)
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    list_id: UUID = Field(foreign_key="mandatory_list.id", index=True)
    position: int
    uscc: str = Field(index=True)
    name: str
    division: str
    industry: str = ""
    categories: list[str] = Field(sa_type=Json)
    legal_basis_status: str = "confirmed"
    remark: str = ""
    state: EntryState = Field(default=EntryState.DRAFT, sa_type=text_enum(EntryState))
    round_id: UUID | None = None
    withdrawn_on: date | None = None
    withdrawal_reason: str = ""
