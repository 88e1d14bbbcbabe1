"""Annual lists and their entries."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.audits.models.table import Table
from shared.clock import utc_now
from shared.db import Json, Utc, text_enum
from shared.events.audits import ListEntryPublished, ListEntryWithdrawn, ListPublished
from shared.problems import MoveNotAllowed


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

    def allowed(self) -> list[str]:
        """A draft may be imported into and published; a published list only loses entries."""
        return ["imports", "publish"] if self.state is ListState.DRAFT else []

    def publish(self, on: date, entries: int) -> ListPublished:
        """Fix the day from which the legal terms run; only a draft has none."""
        if self.state is not ListState.DRAFT:
            raise MoveNotAllowed(self.state, self.allowed())
        self.state, self.published_on = ListState.PUBLISHED, on
        self.version += 1
        return ListPublished(
            list=self.id, year=self.year, document_no=self.document_no, published_on=on, entries=entries
        )


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

    def publish(self, listed: MandatoryList, round_id: UUID, legal_basis_status: str) -> ListEntryPublished:
        """The entry now obliges: its round is the one that answers it."""
        assert listed.published_on is not None, "the list is published first"
        self.state, self.round_id, self.legal_basis_status = EntryState.PUBLISHED, round_id, legal_basis_status
        return ListEntryPublished(
            uscc=self.uscc,
            name=self.name,
            division=self.division,
            categories=self.categories,
            published_on=listed.published_on,
            document_no=listed.document_no,
            industry=self.industry,
            round=round_id,
        )

    def withdraw(self, listed: MandatoryList, reason: str, on: date) -> ListEntryWithdrawn:
        """Taken off a published list for a reason; what it had obliged to falls away."""
        if self.state is not EntryState.PUBLISHED:
            raise MoveNotAllowed(self.state, [])
        assert listed.published_on is not None, "an entry is published with its list"
        self.state, self.withdrawn_on, self.withdrawal_reason = EntryState.WITHDRAWN, on, reason
        return ListEntryWithdrawn(
            uscc=self.uscc,
            name=self.name,
            division=self.division,
            categories=self.categories,
            published_on=listed.published_on,
            document_no=listed.document_no,
            reason=reason,
            round=self.round_id,
        )
