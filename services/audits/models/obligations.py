"""Dated duties that run beside a round and never block its main state."""

from datetime import date
from enum import StrEnum
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.audits.models.table import Table
from shared.db import text_enum
from shared.events.audits import ObligationCreated, ObligationDone, ObligationOverdue, ObligationWaived


class ObligationStatus(StrEnum):
    """Where a duty stands; lateness lives here, not in the round."""

    PENDING = "pending"
    DONE = "done"
    DONE_LATE = "done_late"
    OVERDUE = "overdue"
    WAIVED = "waived"


OPEN = {ObligationStatus.PENDING, ObligationStatus.OVERDUE}


class Obligation(Table, table=True):
    """A duty with its day: nominal, and rolled to a working day where the calendar is known."""

    __tablename__ = "obligation"
    __table_args__ = (
        sa.Index("obligation_open", "due_on", postgresql_where=sa.text("status IN ('pending', 'overdue')")),
        sa.Index("obligation_division", "division", "due_on", "id"),
    )
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    round_id: UUID = Field(foreign_key="audit_round.id", index=True)
    uscc: str = Field(index=True)
    division: str
    track: str = ""
    code: str
    opened_on: date
    nominal_on: date | None = None
    due_on: date | None = None
    provisional: bool = False
    done_on: date | None = None
    status: ObligationStatus = Field(default=ObligationStatus.PENDING, sa_type=text_enum(ObligationStatus))
    legal_basis: str
    url: str = ""

    def created(self) -> ObligationCreated:
        return ObligationCreated(uscc=self.uscc, round=self.round_id, code=self.code, due_on=self.due_on, division=self.division)

    def fulfil(self, on: date) -> ObligationDone:
        """Met on a day, in time when not after its due day; only an open duty can be met."""
        assert self.status in OPEN, self.status
        late = self.due_on is not None and on > self.due_on
        self.done_on, self.status = on, ObligationStatus.DONE_LATE if late else ObligationStatus.DONE
        return ObligationDone(
            uscc=self.uscc, round=self.round_id, code=self.code, due_on=self.due_on, done_on=on, late=late, division=self.division
        )

    def lapse(self) -> ObligationOverdue:
        """Its day has passed unmet."""
        assert self.status is ObligationStatus.PENDING and self.due_on is not None, self.status
        self.status = ObligationStatus.OVERDUE
        return ObligationOverdue(
            uscc=self.uscc, round=self.round_id, code=self.code, due_on=self.due_on, track=self.track, division=self.division
        )

    def waive(self) -> ObligationWaived:
        """Fell away with its list entry."""
        assert self.status in OPEN, self.status
        self.status = ObligationStatus.WAIVED
        return ObligationWaived(uscc=self.uscc, round=self.round_id, code=self.code)
