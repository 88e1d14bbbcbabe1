"""Measures (方案) of a round."""

from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.audits.models.table import Table
from shared.db import text_enum
from shared.problems import MoveNotAllowed


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


M = MeasureStatus
UNSCREENED = {M.PROPOSED, M.SCREENED_OUT}
BEFORE_APPROVAL = {M.PROPOSED, M.CANDIDATE, M.FEASIBLE, M.INFEASIBLE}
# No-cost and low-cost measures are carried out as they are found (边审边改), so the ways to done are short.
STATUS_MOVES: dict[MeasureStatus, set[MeasureStatus]] = {
    M.PROPOSED: {
        M.SCREENED_OUT, M.CANDIDATE, M.FEASIBLE, M.INFEASIBLE, M.APPROVED, M.IN_PROGRESS, M.DONE, M.DROPPED
    },
    M.SCREENED_OUT: {M.CANDIDATE},
    M.CANDIDATE: {M.SCREENED_OUT, M.FEASIBLE, M.INFEASIBLE, M.APPROVED, M.IN_PROGRESS, M.DONE, M.DROPPED},
    M.FEASIBLE: {M.SCREENED_OUT, M.INFEASIBLE, M.APPROVED, M.IN_PROGRESS, M.DONE, M.DROPPED},
    M.INFEASIBLE: {M.SCREENED_OUT, M.FEASIBLE, M.DROPPED},
    M.APPROVED: {M.IN_PROGRESS, M.DONE, M.DROPPED},
    M.IN_PROGRESS: {M.DONE, M.DROPPED},
    M.DONE: {M.IN_PROGRESS, M.VERIFIED},
    M.DROPPED: {M.CANDIDATE},
    M.VERIFIED: set(),
}


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

    @property
    def is_done(self) -> bool:
        return self.status in (MeasureStatus.DONE, MeasureStatus.VERIFIED)

    @property
    def assessed(self) -> bool:
        """Whether the technical, the environmental and the economic finding are all there."""
        return None not in (self.technical_ok, self.environmental_ok, self.economic_ok)

    def take(self, changes: dict[str, Any]) -> None:
        """Take changed fields; what was found moves the status, and a status asked for must follow from the one it has."""
        asked = changes.get("status")
        for name, value in changes.items():
            if name != "status" and value is not None:
                setattr(self, name, value)
        found = self._found(changes)
        if found is not None and found is not self.status:
            self._enter(found)
        if asked is not None and asked is not self.status:
            self._enter(MeasureStatus(asked))
        self.version += 1

    def _found(self, changes: dict[str, Any]) -> MeasureStatus | None:
        """The status that follows from what these changes found out."""
        if changes.get("screen_result") is ScreenResult.SCREENED_OUT:
            return MeasureStatus.SCREENED_OUT
        if self.assessed and changes.keys() & {"technical_ok", "environmental_ok", "economic_ok"}:
            good = self.technical_ok and self.environmental_ok and self.economic_ok
            found = MeasureStatus.FEASIBLE if good else MeasureStatus.INFEASIBLE
            return found if self.status in BEFORE_APPROVAL else None
        if changes.get("screen_result") is ScreenResult.CANDIDATE and self.status in UNSCREENED:
            return MeasureStatus.CANDIDATE
        return None

    def _enter(self, status: MeasureStatus) -> None:
        if status not in STATUS_MOVES[self.status]:
            raise MoveNotAllowed(self.status, sorted(STATUS_MOVES[self.status]))
        self.status = status
        if status is MeasureStatus.SCREENED_OUT:
            self.screen_result = ScreenResult.SCREENED_OUT
        elif status is not MeasureStatus.DROPPED:  # whoever carries a measure on has kept it in the screening
            self.screen_result = ScreenResult.CANDIDATE
