"""Enterprises: what the register says now, and every version of it on two clocks."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from services.registry.models.table import Table
from shared.clock import utc_now
from shared.db import Utc
from shared.events.registry import EnterpriseChanged, EnterpriseRegistered

ALLOWED: dict[str, tuple[str, ...]] = {
    "pending": ("active", "deregistered"),
    "active": ("deregistered",),
    "deregistered": (),
}


class EnterpriseFields(SQLModel):
    """What is said of an enterprise."""

    name: str
    division: str
    industry: str
    status: str = "active"
    deregistered_on: date | None = None
    legal_representative: str | None = None
    address: str | None = None
    above_scale: bool | None = None
    permit_no: str | None = None

    def document(self, uscc: str, *, full: bool) -> dict[str, Any]:
        """What is public, and with `full` also what only the place's authorities and the enterprise see."""
        hidden = set() if full else set(RESTRICTED)
        return {"uscc": uscc} | {n: _plain(getattr(self, n)) for n in STATE if n not in hidden}


RESTRICTED = ("legal_representative", "address", "permit_no")
STATE = tuple(EnterpriseFields.model_fields)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


class Enterprise(EnterpriseFields, Table, table=True):
    """An enterprise as it is known now; its row is locked by whoever changes it, so its events keep their order."""

    __tablename__ = "enterprise"
    __table_args__ = (
        sa.Index("enterprise_division", "division", "uscc", postgresql_ops={"division": "text_pattern_ops"}),
        sa.CheckConstraint("version >= 1", name="enterprise_version_from_1"),
    )
    uscc: str = Field(primary_key=True)
    version: int = 1
    valid_from: date
    recorded_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )

    def registered(self) -> EnterpriseRegistered:
        return EnterpriseRegistered(
            uscc=self.uscc,
            name=self.name,
            division=self.division,
            industry=self.industry,
            status=self.status,
            version=self.version,
        )

    def changed(self) -> EnterpriseChanged:
        return EnterpriseChanged(
            uscc=self.uscc,
            name=self.name,
            division=self.division,
            industry=self.industry,
            status=self.status,
            deregistered_on=self.deregistered_on,
            version=self.version,
        )


class EnterpriseVersion(EnterpriseFields, Table, table=True):
    """What a version says holds from a day on. Rows are only added: the newest version of a day's row counts.

    A change that holds from an earlier day adds a row for that day and one for every later period that it reaches.
    """

    __tablename__ = "enterprise_version"
    uscc: str = Field(primary_key=True)
    valid_from: date = Field(primary_key=True)
    version: int = Field(primary_key=True)
    recorded_at: datetime = Field(sa_type=Utc)
    recorded_by: str = ""
