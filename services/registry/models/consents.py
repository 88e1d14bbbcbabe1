"""Consents: what an enterprise lets a bank read, what for, and until when."""

from datetime import date, datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.registry.models.table import Table
from shared.clock import utc_now
from shared.db import Json, Utc
from shared.events.registry import ConsentGranted, ConsentRevoked
from shared.problems import MoveNotAllowed


class Consent(Table, table=True):
    """An enterprise's consent to a bank; it ends with its last day, or at once when revoked."""

    __tablename__ = "consent"
    __table_args__ = (sa.Index("consent_of", "uscc", "id"), sa.Index("consent_to", "bank", "id"))
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    uscc: str
    bank: str
    purpose: str
    scope: list[str] = Field(sa_type=Json)
    granted_on: date
    valid_to: date
    granted_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )
    revoked_at: datetime | None = Field(default=None, sa_type=Utc)

    def state_on(self, day: date) -> str:
        """active, revoked or expired; the last day is included."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if day <= self.valid_to else "expired"

    def granted(self) -> ConsentGranted:
        return ConsentGranted(
            consent=self.id,
            uscc=self.uscc,
            bank=self.bank,
            purpose=self.purpose,
            scope=self.scope,
            valid_to=self.valid_to,
        )

    def revoke(self, on: date, at: datetime) -> ConsentRevoked:
        """End it before its day; only an active consent can be revoked."""
        if self.state_on(on) != "active":
            raise MoveNotAllowed(self.state_on(on), [])
        self.revoked_at = at
        return ConsentRevoked(consent=self.id, uscc=self.uscc, bank=self.bank, scope=self.scope, valid_to=self.valid_to)
