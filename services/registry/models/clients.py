"""API clients: the organisations that may sign in."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from services.registry.models.table import Table
from shared.clock import utc_now
from shared.db import Utc
from shared.problems import MoveNotAllowed


class Client(Table, table=True):
    """An organisation's sign-in: its role, its place or USCC, and a keyed digest of its secret, never the secret."""

    __tablename__ = "client"
    id: str = Field(primary_key=True)
    role: str
    name: str
    jurisdiction: str = ""
    uscc: str = ""
    secret_digest: bytes
    state: str = "active"
    made_by: str = ""
    made_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )
    rotated_at: datetime | None = Field(default=None, sa_type=Utc)
    revoked_at: datetime | None = Field(default=None, sa_type=Utc)

    def rotate(self, digest: bytes, at: datetime) -> None:
        """Take a new secret; the old one ends with it. A revoked client takes none."""
        if self.state != "active":
            raise MoveNotAllowed(self.state, [])
        self.secret_digest, self.rotated_at = digest, at

    def revoke(self, at: datetime) -> None:
        """End the client; again does no harm."""
        if self.state == "active":
            self.state, self.revoked_at = "revoked", at
