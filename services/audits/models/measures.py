"""Measures (方案) of a round."""

from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.audits.models.table import Table
from shared.db import text_enum


class ScreenResult(StrEnum):
    """What the screening in phase 4 says of a measure."""

    CANDIDATE = "candidate"
    SCREENED_OUT = "screened_out"


class MeasureStatus(StrEnum):
    """How far a measure has come."""

    PROPOSED = "proposed"
    SCREENED_OUT = "screened_out"
    CANDIDATE = "candidate"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    APPROVED = "approved"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    VERIFIED = "verified"
    DROPPED = "dropped"


class Measure(Table, table=True):
    """A measure: its aspect (A1–A8), its cost in CNY and the class that follows from it."""

    __tablename__ = "measure"
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    round_id: UUID = Field(foreign_key="audit_round.id", index=True)
    number: int
    name: str
    aspect: str
    cost_cny: Decimal = Field(sa_type=sa.Numeric(18, 2))
    cost_class: str
    technology: str | None = None
    catalogue_item: str | None = None
    screen_result: ScreenResult | None = Field(default=None, sa_type=text_enum(ScreenResult))
    technical_ok: bool | None = None
    environmental_ok: bool | None = None
    economic_ok: bool | None = None
    status: MeasureStatus = Field(default=MeasureStatus.PROPOSED, sa_type=text_enum(MeasureStatus))
    version: int = 1
