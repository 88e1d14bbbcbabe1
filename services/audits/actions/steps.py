"""What every move of a round has in common: its day, its line in the history, its event, the status that follows."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from services.audits import law
from services.audits.actions.status import refresh_status
from services.audits.models import AuditRound, RoundState, RoundStep
from shared.auth import Caller
from shared.events import Event
from shared.messaging.outbox import emit
from shared.problems import Fault, NotFound, Text, Unprocessable

OUT_OF_ORDER = Text(
    "日期不得晚于今天，也不得早于上一步或名单公布之日。",
    "The day is not after today, nor before the step before it or the publication of the list.",
)


@dataclass
class Step:
    """One move of a locked round on its way: who makes it, on which legal day it is recorded."""

    tx: Session
    me: Caller
    round: AuditRound
    move: str
    today: date
    on: date | None = None

    def dated(self, field: str, day: date, *, parallel: bool = False) -> None:
        """The legal day of the move: 422 `date_out_of_order` unless it follows the step before it and has come.

        A duty that runs beside the states (`parallel`) follows the publication alone. No step is older than the statutes.
        """
        before = [law.regimes()[0].effective_from, self.round.published_on, None if parallel else self.round.latest_on]
        if day > self.today or any(earlier is not None and day < earlier for earlier in before):
            raise date_out_of_order(f"/{field}")
        self.on = day

    def enter(self, target: RoundState, **content: Any) -> None:
        """Change the state, tell it, write the line; a move without a day of its own happens today."""
        previous, day = str(self.round.state), self.on or self.today
        emit(self.tx, self.round.move(self.move, target, day))
        if self.on is not None:
            self.round.latest_on = max(self.on, self.round.latest_on or self.on)
        note(self, previous, day, content)

    def tell(self, event: Event) -> None:
        emit(self.tx, event)

    def settled(self) -> AuditRound:
        """The round after the move, with the enterprise's status brought up to date."""
        self.tx.flush()
        refresh_status(self.tx, self.round, self.on or self.today)
        return self.round


def date_out_of_order(pointer: str) -> Unprocessable:
    """422 `date_out_of_order` at a field."""
    return Unprocessable("date_out_of_order", OUT_OF_ORDER, faults=[Fault(pointer, "date_out_of_order", OUT_OF_ORDER)])


def lock_round(tx: Session, round_id: UUID) -> AuditRound:
    """The round, held until commit, so that its moves and its events are in one order."""
    found = tx.get(AuditRound, round_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound()
    return found


def note(step: Step, previous: str, day: date, content: dict[str, Any]) -> None:
    """A line in the round's history."""
    tx, round = step.tx, step.round
    tx.flush()
    last = sa.select(sa.func.coalesce(sa.func.max(RoundStep.number), 0)).where(col(RoundStep.round_id) == round.id)
    line = RoundStep(
        round_id=round.id,
        number=tx.execute(last).scalar_one() + 1,
        move=step.move,
        from_state=previous,
        to_state=round.state,
        done_on=day,
        actor=step.me.client_id,
        role=step.me.role,
        content=json.loads(json.dumps(content, ensure_ascii=False, default=str)),
    )
    tx.add(line)
