"""Files, and the rounds that rest on them."""

from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.audits.models.table import Table
from shared.clock import utc_now
from shared.db import Utc


class AuditFile(Table, table=True):
    """A file by content: its digest, size and media type as its bytes say."""

    __tablename__ = "audit_file"
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    owner_client: str
    owner_uscc: str = Field(index=True)
    division: str = ""
    filename: str
    media_type: str
    size: int
    sha256: str
    content: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False))
    made_at: datetime = Field(default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")})


class RoundFile(Table, table=True):
    """A round rests on a file; whoever sees the round may read it."""

    __tablename__ = "round_file"
    round_id: UUID = Field(foreign_key="audit_round.id", primary_key=True)
    file_id: UUID = Field(foreign_key="audit_file.id", primary_key=True, index=True)
