"""Rounds as they are read, and opening a voluntary one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.audits.access import visible
from services.audits.actions.copies import DEREGISTERED
from services.audits.actions.lists import lock_openings
from services.audits.actions.obligations import in_order
from services.audits.actions.status import obligation_out, refresh_status
from services.audits.actions.steps import Step, note
from services.audits.models import AuditRound, EnterpriseCopy, Obligation, PhaseRecord, RoundState, RoundStep, Track
from services.audits.models.rounds import ENDED
from shared.auth import Caller
from shared.clock import local_time
from shared.events.audits import RoundMoved
from shared.messaging.outbox import emit
from shared.problems import Conflict, Fault, NotFound, Text, Unprocessable

OPEN_STEP = "open"


@dataclass(frozen=True)
class Sought:
    """Which rounds are asked for; nothing given means all that the caller sees."""

    uscc: str = ""
    state: RoundState | None = None
    track: Track | None = None
    division: str = ""


def open_voluntary(tx: Session, me: Caller, uscc: str, today: date) -> AuditRound:
    """A voluntary round of a known enterprise that has none open (清洁生产审核办法 第七、十三条).

    NotFound for an enterprise that is unknown or not the caller's; Conflict `round_open`; Unprocessable for one that has
    left the register.
    """
    known = tx.get(EnterpriseCopy, uscc)
    if known is None or not (me.covers(known.division) or (me.role == "enterprise" and me.uscc == uscc)):
        raise NotFound()
    if known.status == DEREGISTERED:
        text = Text("该企业已注销。", "The enterprise has left the register.")
        raise Unprocessable("enterprise_deregistered", text, faults=[Fault("/uscc", "enterprise_deregistered", text)])
    lock_openings(tx, [uscc])
    running = select(AuditRound).where(AuditRound.uscc == uscc, col(AuditRound.state).not_in(ENDED))
    if found := tx.exec(running).first():
        text = Text("该企业有未结束的审核轮次。", "The enterprise has a round that has not ended.")
        raise Conflict("round_open", text, state=str(found.state), round=str(found.id))
    return _open(tx, me, known, today)


def _open(tx: Session, me: Caller, enterprise: EnterpriseCopy, today: date) -> AuditRound:
    round = AuditRound(
        uscc=enterprise.uscc,
        name=enterprise.name,
        division=enterprise.division,
        industry=enterprise.industry,
        track=Track.VOLUNTARY,
        state=RoundState.LISTED,
    )
    tx.add(round)
    tx.flush()
    place = {"division": round.division, "moved_on": today}
    emit(tx, RoundMoved(uscc=round.uscc, round=round.id, track=round.track, state=round.state, previous="", **place))
    note(Step(tx, me, round, OPEN_STEP, today), "", today, {})
    tx.flush()
    refresh_status(tx, round, today)
    return round


def sought_rounds(
    tx: Session, me: Caller, sought: Sought, *, after: Sequence[str] | None, limit: int
) -> list[AuditRound]:
    """Rounds that the caller sees, the newest first, after a position."""
    query = visible(me, select(AuditRound))
    if sought.uscc:
        query = query.where(AuditRound.uscc == sought.uscc)
    if sought.state:
        query = query.where(AuditRound.state == sought.state)
    if sought.track:
        query = query.where(AuditRound.track == sought.track)
    if sought.division:
        query = query.where(col(AuditRound.division).startswith(sought.division, autoescape=True))
    place = sa.tuple_(col(AuditRound.opened_at), col(AuditRound.id))
    if after:
        start = sa.tuple_(sa.literal(datetime.fromisoformat(after[0])), sa.literal(UUID(after[1])))
        query = query.where(place < start)
    return list(tx.exec(query.order_by(col(AuditRound.opened_at).desc(), col(AuditRound.id).desc()).limit(limit)))


def rounds_out(tx: Session, rounds: Sequence[AuditRound]) -> list[dict[str, Any]]:
    """Rounds as every answer shows them, each with its dated duties."""
    duties: dict[UUID, list[Obligation]] = {round.id: [] for round in rounds}
    for duty in tx.exec(select(Obligation).where(col(Obligation.round_id).in_(duties))):
        duties[duty.round_id].append(duty)
    return [_round_out(round, sorted(duties[round.id], key=in_order)) for round in rounds]


_SHOWN = (
    "uscc", "name", "track", "mode", "state", "attempt", "division", "industry", "categories", "published_on", "service_mode",
    "institution", "leader", "panel", "supplement_round", "acceptance_attempts", "disclosed_on", "reported_on", "level",
    "accepted_on", "document_no", "version",
)  # fmt: skip


def _round_out(round: AuditRound, duties: Iterable[Obligation]) -> dict[str, Any]:
    shown = round.model_dump(mode="json", include=set(_SHOWN))
    return {
        "id": str(round.id),
        **{name: shown[name] for name in _SHOWN},
        "opened_at": local_time(round.opened_at).isoformat(),
        "obligations": [obligation_out(duty) for duty in duties],
        "allowed": round.allowed(),
    }


def history(tx: Session, me: Caller, round: AuditRound) -> list[dict[str, Any]]:
    """Every move of a round in order; points are for those who oversee it, the others are told the band."""
    lines = tx.exec(select(RoundStep).where(RoundStep.round_id == round.id).order_by(col(RoundStep.number)))
    hidden = () if me.oversees else ("mean", "total", "scores")
    return [
        {
            "number": line.number,
            "move": line.move,
            "from": line.from_state or None,
            "to": line.to_state,
            "on": line.done_on.isoformat(),
            "actor": line.actor,
            "role": line.role,
            "content": {name: value for name, value in line.content.items() if name not in hidden},
            "recorded_at": local_time(line.recorded_at).isoformat(),
        }
        for line in lines
    ]


def phases_of(tx: Session, round: AuditRound) -> list[dict[str, Any]]:
    """The completed phases of every attempt, with their products."""
    mine = select(PhaseRecord).where(PhaseRecord.round_id == round.id)
    order = (col(PhaseRecord.attempt), col(PhaseRecord.completed_on), col(PhaseRecord.phase))
    return [record.model_dump(mode="json", exclude={"round_id"}) for record in tx.exec(mine.order_by(*order))]
