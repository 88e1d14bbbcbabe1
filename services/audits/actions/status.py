"""The enterprise's audit status: kept as ready documents, a new version whenever a fact behind it changes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.audits import law, rules
from services.audits.actions.obligations import in_order
from services.audits.models import Acceptance, AuditRound, AuditStatus, Obligation, ObligationStatus, RoundState, Track
from shared.clock import utc_now

ACCEPTED, FAILED, NONE = "accepted", "accept_failed", "none"


@dataclass
class AuditFacts:
    """What a status is made of: the rounds, acceptances (oldest first) and duties of one enterprise."""

    rounds: list[AuditRound] = field(default_factory=list)
    acceptances: list[Acceptance] = field(default_factory=list)
    obligations: list[Obligation] = field(default_factory=list)

    @property
    def latest(self) -> AuditRound | None:
        """The newest round; a cancelled one only where there is no other."""
        going = [round for round in self.rounds if round.state is not RoundState.CANCELLED]
        return max(going or self.rounds, key=lambda round: round.opened_at, default=None)


def refresh_status(tx: Session, round: AuditRound, on: date) -> None:
    """After a move of a legal day: close the version that no longer holds and open the one that does."""
    refresh_statuses(tx, [round.uscc], on)


def refresh_statuses(tx: Session, usccs: Sequence[str], on: date) -> None:
    """As `refresh_status`, for many enterprises at once."""
    wanted = sorted(set(usccs))
    tx.flush()
    lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(u, 2)) FROM unnest(CAST(:usccs AS text[])) AS u")
    tx.execute(lock, {"usccs": wanted})
    facts = _facts(tx, wanted)
    current = {row.uscc: row for row in tx.exec(_current(wanted))}
    now, stale, fresh = utc_now(), list[int](), list[AuditStatus]()
    for uscc in wanted:
        made, held = _version(uscc, facts[uscc], on), current.get(uscc)
        if held is not None and (held.public, held.restricted) == (made.public, made.restricted):
            continue
        if held is not None:
            assert held.id is not None
            stale.append(held.id)
        made.recorded_at = now
        fresh.append(made)
    closed = sa.update(AuditStatus).where(col(AuditStatus.id).in_(stale)).values(superseded_at=now)
    if stale:
        tx.execute(closed)
    tx.add_all(fresh)
    tx.flush()


def _current(usccs: list[str]) -> Any:
    return select(AuditStatus).where(col(AuditStatus.uscc).in_(usccs), col(AuditStatus.superseded_at).is_(None))


def _facts(tx: Session, usccs: list[str]) -> dict[str, AuditFacts]:
    facts = {uscc: AuditFacts() for uscc in usccs}
    for round in tx.exec(select(AuditRound).where(col(AuditRound.uscc).in_(usccs))):
        facts[round.uscc].rounds.append(round)
    decided = select(Acceptance).where(col(Acceptance.uscc).in_(usccs)).order_by(col(Acceptance.recorded_at))
    for acceptance in tx.exec(decided):
        facts[acceptance.uscc].acceptances.append(acceptance)
    latest = [found.latest.id for found in facts.values() if found.latest is not None]
    for obligation in tx.exec(select(Obligation).where(col(Obligation.round_id).in_(latest))):
        facts[obligation.uscc].obligations.append(obligation)
    return facts


def _version(uscc: str, facts: AuditFacts, on: date) -> AuditStatus:
    round = facts.latest
    return AuditStatus(
        uscc=uscc,
        division=round.division if round else "",
        round_id=round.id if round else None,
        valid_from=on,
        recorded_at=utc_now(),
        public=members(public_part(facts)),
        restricted=members(restricted_part(facts)),
    )


def members(document: dict[str, Any]) -> bytes:
    """The members of a JSON object without its braces."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()[1:-1]


def public_part(facts: AuditFacts) -> dict[str, Any]:
    """Track and result of the latest round, and what the last successful acceptance was."""
    round = facts.latest
    decided = _decision_of(facts, round.id) if round else None
    result = (ACCEPTED if decided.result == ACCEPTED else FAILED) if decided else NONE
    won = decided if decided is not None and result == ACCEPTED else None
    passed = next((a for a in reversed(facts.acceptances) if a.result == ACCEPTED), None)
    return {
        "track": str(round.track) if round else None,
        "result": result,
        "level": won.level if won else None,
        "accepted_on": won.accepted_on.isoformat() if won else None,
        "valid_until": _until(won) if won else None,
        "legal_basis": _basis(round, decided),
        "last_accepted": _accepted(passed) if passed else None,
    }


def _decision_of(facts: AuditFacts, round_id: UUID) -> Acceptance | None:
    return next((a for a in reversed(facts.acceptances) if a.round_id == round_id), None)


def _accepted(acceptance: Acceptance) -> dict[str, Any]:
    return {
        "level": acceptance.level,
        "accepted_on": acceptance.accepted_on.isoformat(),
        "valid_until": _until(acceptance),
    }


def _until(acceptance: Acceptance) -> str:
    return (acceptance.valid_until or rules.valid_until(acceptance.accepted_on)).isoformat()


def _basis(round: AuditRound | None, decided: Acceptance | None) -> str | None:
    """The clauses of the acceptance by its day, else of the listing by its day; a voluntary round has no listing."""
    if decided is not None:
        return law.act_basis("ACCEPTANCE", decided.accepted_on)
    if round is not None and round.track is Track.MANDATORY and round.published_on is not None:
        return law.act_basis("LIST_PUBLICATION", round.published_on)
    return None


def restricted_part(facts: AuditFacts) -> dict[str, Any]:
    """The round's state, its duties and which of them are overdue: for authorities, the enterprise, a bank with consent."""
    obligations = sorted(facts.obligations, key=in_order)
    return {
        "stage": str(facts.latest.state) if facts.latest else NONE,
        "obligations": [obligation_out(obligation) for obligation in obligations],
        "overdue": [o.code for o in obligations if o.status is ObligationStatus.OVERDUE],
    }


def obligation_out(obligation: Obligation) -> dict[str, Any]:
    """A duty as every answer shows it."""
    return {
        "code": obligation.code,
        "nominal_on": _iso(obligation.nominal_on),
        "due_on": _iso(obligation.due_on),
        "provisional": obligation.provisional,
        "done_on": _iso(obligation.done_on),
        "status": str(obligation.status),
        "legal_basis": obligation.legal_basis,
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
