"""Decisions, and which of them stands for an enterprise and a programme today."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.incentives.models.table import Table
from shared.db import Json, Utc


class StoredDecision(Table, table=True):
    """A decision with the facts and the rules it was made from; never changed, so that it can be replayed.

    `supersedes` names the decision that stood before; one that only answers a question about another day or instant
    is `on_demand` and never stands. `content_hash` is the same for decisions that say the same on the same grounds.
    """

    __tablename__ = "decision"
    __table_args__ = (
        sa.Index("decision_of", "uscc", "programme", "content_hash", "as_of"),
        sa.Index("decision_supersedes", "supersedes", unique=True, postgresql_where=sa.text("supersedes IS NOT NULL")),
    )
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    uscc: str
    programme: str
    as_of: date
    known_at: datetime = Field(sa_type=Utc)
    rule_set: str
    rule_set_version: int
    rule_set_hash: str
    facts: dict[str, Any] = Field(sa_type=Json)
    facts_hash: str
    outcome: str
    result: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False))
    result_hash: str
    content_hash: str
    valid_from: date
    recorded_at: datetime = Field(sa_type=Utc)
    on_demand: bool = False
    supersedes: UUID | None = None


class StandingDecision(Table, table=True):
    """The decision that stands, and the next day on which time alone may change it."""

    __tablename__ = "standing_decision"
    __table_args__ = (
        sa.Index("standing_decision_due", "next_check", postgresql_where=sa.text("next_check IS NOT NULL")),
    )
    uscc: str = Field(primary_key=True)
    programme: str = Field(primary_key=True)
    decision: UUID
    checked_on: date
    next_check: date | None = None
