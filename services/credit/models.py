"""Tables of the credit service."""

from datetime import date, datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from shared.clock import utc_now
from shared.db import Utc
from shared.events.credit import CreditInputCreated, CreditRecordPublished

metadata = sa.MetaData()


class Table(SQLModel, registry=registry(metadata=metadata)):
    """The base of this service's tables; with metadata of its own, five services can live in one process."""

    metadata = metadata


class EnterpriseCopy(Table, table=True):
    """An enterprise as the registry (or a published list) last told it."""

    __tablename__ = "enterprise_copy"
    uscc: str = Field(primary_key=True)
    name: str
    division: str
    version: int = 0


class CreditRecord(Table, table=True):
    """A published grade of an evaluation year.

    A later record of the same year, level and day of publication is a correction; one published on a later day changes
    the grade from that day on.
    """

    __tablename__ = "credit_record"
    __table_args__ = (
        sa.Index("credit_record_of", "uscc", "evaluation_year", "level", "recorded_at"),
        sa.CheckConstraint("norm BETWEEN 1 AND 5", name="credit_record_norm"),
    )
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    uscc: str
    regime: str
    evaluation_year: int
    grade: str
    norm: int
    level: str
    published_on: date
    document_no: str
    recorded_by: str
    recorded_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )

    @property
    def publication(self) -> tuple[int, str, date]:
        """What a correction of this record has in common with it."""
        return self.evaluation_year, self.level, self.published_on

    def published(self, division: str) -> CreditRecordPublished:
        return CreditRecordPublished(
            uscc=self.uscc,
            regime=self.regime,
            evaluation_year=self.evaluation_year,
            grade=self.grade,
            norm=self.norm,
            level=self.level,
            published_on=self.published_on,
            record=self.id,
            document_no=self.document_no,
            division=division,
        )


class CreditInput(Table, table=True):
    """An audit outcome, recorded without effect where the standard or the legal document is missing."""

    __tablename__ = "credit_input"
    __table_args__ = (sa.Index("credit_input_of", "uscc", "recorded_at"),)
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    uscc: str
    kind: str
    effect: str
    why: str
    basis: str
    occurred_on: date
    source_event: UUID = Field(unique=True)
    recorded_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )

    def created(self, division: str) -> CreditInputCreated:
        return CreditInputCreated(uscc=self.uscc, kind=self.kind, effect=self.effect, division=division)
