"""Measures of a round: proposing them, carrying them on, and what the phases and applications ask of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.audits import law
from services.audits.models import AuditRound, Measure, MeasureStatus, RoundState, ScreenResult
from services.audits.refusals import fault
from shared.problems import Fault, MoveNotAllowed, NotFound

M = MeasureStatus
NO_LOW = ("no_cost", "low_cost")
# Measures change while the enterprise works on the round, never while an application is with the authority.
WORKED_ON = frozenset(
    {
        RoundState.STARTED,
        RoundState.PRE_AUDIT,
        RoundState.AUDITING,
        RoundState.MEASURES_GENERATED,
        RoundState.MEASURES_DETERMINED,
        RoundState.REPORT_SUBMITTED,
        RoundState.SUPPLEMENT_REQUIRED,
        RoundState.EVAL_PASSED,
        RoundState.EVAL_FAILED,
        RoundState.IMPLEMENTING,
        RoundState.ACCEPT_FAILED,
        RoundState.RECTIFYING,
    }
)


@dataclass(frozen=True)
class NewMeasure:
    """A measure as proposed: its aspect A1–A8, its cost in CNY."""

    name: str
    aspect: str
    cost_cny: Decimal
    technology: str | None = None
    catalogue_item: str | None = None


def require_worked_on(round: AuditRound) -> None:
    """409 `move_not_allowed` while the state does not let measures change."""
    if round.state not in WORKED_ON:
        raise MoveNotAllowed(round.state, round.allowed())


def propose(tx: Session, round: AuditRound, given: NewMeasure) -> Measure:
    """A new measure of a round, with the class that its cost has by policy."""
    require_worked_on(round)
    last = sa.select(sa.func.coalesce(sa.func.max(Measure.number), 0)).where(col(Measure.round_id) == round.id)
    made = Measure(
        round_id=round.id,
        number=tx.execute(last).scalar_one() + 1,
        name=given.name,
        aspect=given.aspect,
        cost_cny=given.cost_cny,
        cost_class=law.measure_cost_class(given.cost_cny),
        technology=given.technology,
        catalogue_item=given.catalogue_item,
    )
    tx.add(made)
    tx.flush()
    return made


def get_measure(tx: Session, round: AuditRound, measure_id: UUID, *, lock: bool = False) -> Measure:
    """A measure of this round; NotFound when there is none."""
    found = tx.get(Measure, measure_id, with_for_update=lock, populate_existing=lock)
    if found is None or found.round_id != round.id:
        raise NotFound()
    return found


def change(tx: Session, round: AuditRound, measure: Measure, changes: dict[str, Any]) -> Measure:
    """Take what was found out about a measure; 409 where its status does not lead to the one asked for."""
    require_worked_on(round)
    measure.take(changes)
    if "cost_cny" in changes:
        measure.cost_class = law.measure_cost_class(measure.cost_cny)
    tx.flush()
    return measure


def measures_of(tx: Session, round: AuditRound) -> list[Measure]:
    """A round's measures in the order of their numbers."""
    return list(tx.exec(select(Measure).where(Measure.round_id == round.id).order_by(col(Measure.number))))


def generated_faults(tx: Session, round: AuditRound) -> list[Fault]:
    """Phase 4 needs a measure."""
    return [] if measures_of(tx, round) else [fault("measure_required", "/measures")]


def determined_faults(tx: Session, round: AuditRound) -> list[Fault]:
    """Phase 5: every measure is screened, every medium-cost or high-cost candidate has its three findings (M05)."""
    faults: list[Fault] = []
    for measure in measures_of(tx, round):
        if measure.status is M.DROPPED:
            continue
        if measure.screen_result is None:
            faults.append(_of(measure, "measure_not_screened"))
        elif measure.screen_result is ScreenResult.CANDIDATE and not is_no_low(measure) and not measure.assessed:
            faults.append(_of(measure, "measure_not_assessed"))
    return faults


def reported_faults(tx: Session, round: AuditRound) -> list[Fault]:
    """The report: what was screened out aside, every no-cost or low-cost measure is done (M06), and phase 5 still holds."""
    cheap = (m for m in measures_of(tx, round) if is_no_low(m) and m.status is not M.SCREENED_OUT)
    undone = [_of(measure, "measure_not_done") for measure in cheap if not measure.is_done]
    return undone + determined_faults(tx, round)


def accepted_faults(tx: Session, round: AuditRound) -> list[Fault]:
    """The acceptance: every medium-cost or high-cost measure that was determined is done or dropped (M19)."""
    settled = (M.DROPPED, M.SCREENED_OUT, M.INFEASIBLE)
    dear = (m for m in measures_of(tx, round) if not is_no_low(m) and m.status not in settled)
    return [_of(measure, "measure_open") for measure in dear if not measure.is_done]


def is_no_low(measure: Measure) -> bool:
    """Whether a measure belongs to the group 无/低费."""
    return measure.cost_class in NO_LOW


def _of(measure: Measure, code: str) -> Fault:
    return fault(code, f"/measures/{measure.id}", number=measure.number, name=measure.name)


def measure_out(measure: Measure) -> dict[str, Any]:
    """A measure as the answers show it."""
    shown = measure.model_dump(mode="json", exclude={"round_id", "cost_cny"})
    return {**shown, "round": str(measure.round_id), "cost_cny": f"{measure.cost_cny:.2f}"}


def measures_out(measures: Sequence[Measure]) -> dict[str, Any]:
    """All of a round's measures."""
    return {"items": [measure_out(measure) for measure in measures], "next": None}
