"""Experts and service institutions."""

from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.registry.models.table import Table
from shared.clock import utc_now
from shared.db import Json, Utc
from shared.events.registry import ExpertRegistered, InstitutionRegistered


class Expert(Table, table=True):
    """An expert of the pool, with the employer and the enterprises advised, each until a day."""

    __tablename__ = "expert"
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str
    employer_uscc: str
    specialities: list[str] = Field(sa_type=Json)
    advised: list[dict[str, str]] = Field(sa_type=Json)
    registered_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )

    def registered(self) -> ExpertRegistered:
        return ExpertRegistered(
            expert=self.id,
            name=self.name,
            employer_uscc=self.employer_uscc,
            specialities=self.specialities,
            advised=self.advised,
        )


class Institution(Table, table=True):
    """A service institution for clean-production audits."""

    __tablename__ = "institution"
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    uscc: str = Field(unique=True)
    name: str
    division: str
    registered_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )

    def registered(self) -> InstitutionRegistered:
        return InstitutionRegistered(institution=self.id, uscc=self.uscc, name=self.name, division=self.division)
