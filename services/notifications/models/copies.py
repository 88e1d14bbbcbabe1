"""What other services own and this one must know: where an enterprise is, which consents hold."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from services.notifications.models.table import Table


class EnterpriseCopy(Table, table=True):
    """An enterprise's division as the registry (or a published list) last told it."""

    __tablename__ = "enterprise_copy"
    uscc: str = Field(primary_key=True)
    division: str
    version: int = 0


class ConsentCopy(Table, table=True):
    """A consent of an enterprise to a bank; it holds while it is not revoked and its last day has not passed."""

    __tablename__ = "consent_copy"
    __table_args__ = (sa.Index("consent_copy_of", "uscc", "bank"),)
    id: UUID = Field(primary_key=True)
    uscc: str
    bank: str
    scope: list[str] = Field(sa_type=ARRAY(sa.Text))
    valid_to: date
    revoked: bool = False
