"""A round: one audit of one enterprise, its states and the moves between them."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from services.audits.models.table import Table
from shared.clock import utc_now
from shared.db import Json, Utc, text_enum
from shared.events.audits import RoundMoved
from shared.problems import MoveNotAllowed


class Track(StrEnum):
    """Who supervises: mandatory under 生态环境, voluntary under 工信."""

    MANDATORY = "mandatory"
    VOLUNTARY = "voluntary"


class RoundState(StrEnum):
    """The states of a standard round."""

    LISTED = "listed"
    STARTED = "started"
    PRE_AUDIT = "pre_audit"
    AUDITING = "auditing"
    MEASURES_GENERATED = "measures_generated"
    MEASURES_DETERMINED = "measures_determined"
    REPORT_SUBMITTED = "report_submitted"
    EVAL_APPLIED = "eval_applied"
    EVAL_IN_REVIEW = "eval_in_review"
    SUPPLEMENT_REQUIRED = "supplement_required"
    SUPPLEMENT_SUBMITTED = "supplement_submitted"
    EVAL_PASSED = "eval_passed"
    EVAL_FAILED = "eval_failed"
    IMPLEMENTING = "implementing"
    ACCEPT_APPLIED = "accept_applied"
    ACCEPT_IN_REVIEW = "accept_in_review"
    ACCEPTED = "accepted"
    ACCEPT_FAILED = "accept_failed"
    RECTIFYING = "rectifying"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


S = RoundState
ENDED = {S.ACCEPTED, S.CANCELLED}

# Move → state it starts from → states it may end in. The specification: M01–M26, M30–M32.
MOVES: dict[str, dict[RoundState, set[RoundState]]] = {
    "disclose": {state: {state} for state in S if state not in ENDED},
    "start": {S.LISTED: {S.STARTED}},
    "complete-phase": {
        S.STARTED: {S.PRE_AUDIT},
        S.PRE_AUDIT: {S.AUDITING},
        S.AUDITING: {S.MEASURES_GENERATED},
        S.MEASURES_GENERATED: {S.MEASURES_GENERATED, S.MEASURES_DETERMINED},
        S.IMPLEMENTING: {S.IMPLEMENTING},
    },
    "submit-report": {S.MEASURES_DETERMINED: {S.REPORT_SUBMITTED}},
    "apply-evaluation": {S.REPORT_SUBMITTED: {S.EVAL_APPLIED}},
    "accept-application": {S.EVAL_APPLIED: {S.EVAL_IN_REVIEW}, S.ACCEPT_APPLIED: {S.ACCEPT_IN_REVIEW}},
    "return-application": {S.EVAL_APPLIED: {S.REPORT_SUBMITTED}, S.ACCEPT_APPLIED: {S.IMPLEMENTING}},
    "record-evaluation": {S.EVAL_IN_REVIEW: {S.EVAL_PASSED, S.SUPPLEMENT_REQUIRED, S.EVAL_FAILED}},
    "submit-supplement": {S.SUPPLEMENT_REQUIRED: {S.SUPPLEMENT_SUBMITTED}},
    "recheck": {S.SUPPLEMENT_SUBMITTED: {S.EVAL_PASSED, S.SUPPLEMENT_REQUIRED, S.EVAL_FAILED}},
    "reaudit": {S.EVAL_FAILED: {S.PRE_AUDIT}},
    "begin-implementation": {S.EVAL_PASSED: {S.IMPLEMENTING}},
    "apply-acceptance": {S.IMPLEMENTING: {S.ACCEPT_APPLIED}},
    "record-acceptance": {S.ACCEPT_IN_REVIEW: {S.ACCEPTED, S.ACCEPT_FAILED}},
    "order-rectification": {S.ACCEPT_FAILED: {S.RECTIFYING}},
    "reapply": {S.RECTIFYING: {S.ACCEPT_APPLIED}},
    "order-reaudit": {S.ACCEPT_FAILED: {S.PRE_AUDIT}, S.RECTIFYING: {S.PRE_AUDIT}},
    "suspend": {state: {S.SUSPENDED} for state in S if state not in {*ENDED, S.SUSPENDED}},
    "resume": {S.SUSPENDED: {state for state in S if state not in {*ENDED, S.SUSPENDED}}},
    "cancel": {state: {S.CANCELLED} for state in S if state not in ENDED},
}


class AuditRound(Table, table=True):
    """One audit of one enterprise; every move raises the version."""

    __tablename__ = "audit_round"
    __table_args__ = (
        # One open round per enterprise and track: a published list keeps an open mandatory round, never doubles it.
        sa.Index(
            "audit_round_open", "uscc", unique=True,
            postgresql_where=sa.text("state NOT IN ('accepted', 'cancelled')"),
        ),
        sa.Index("audit_round_newest", "opened_at", "id"),
    )
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    uscc: str = Field(index=True)
    name: str
    division: str = Field(index=True)
    industry: str = ""
    track: Track = Field(sa_type=text_enum(Track))
    mode: str = "ordinary"
    state: RoundState = Field(sa_type=text_enum(RoundState))
    resumes_to: RoundState | None = Field(default=None, sa_type=text_enum(RoundState))
    attempt: int = 1
    acceptance_attempts: int = 0
    supplement_round: int = 0
    categories: list[str] = Field(default_factory=list, sa_type=Json)
    list_entry_id: UUID | None = None
    published_on: date | None = None
    service_mode: str | None = None
    institution: str | None = Field(default=None, index=True)
    leader: str | None = None
    disclosed_on: date | None = None
    reported_on: date | None = None
    suspended_on: date | None = None
    panel: list[str] = Field(default_factory=list, sa_type=Json)
    latest_on: date | None = None  # the day of the latest dated step; a later step is never before it
    level: str | None = None
    accepted_on: date | None = None
    document_no: str | None = None
    version: int = 1
    opened_at: datetime = Field(default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")})

    def allowed(self) -> list[str]:
        """The moves that this state knows; roles and preconditions decide further."""
        return [move for move, starts in MOVES.items() if self.state in starts and self._is_open(move)]

    def _is_open(self, move: str) -> bool:
        """The first disclosure is a duty of the mandatory track, and is made once (清洁生产审核办法 第十一条)."""
        return move != "disclose" or (self.track is Track.MANDATORY and self.disclosed_on is None)

    def check(self, move: str) -> None:
        """Raise `move_not_allowed` where the state does not know the move."""
        if move not in self.allowed():
            raise MoveNotAllowed(self.state, self.allowed())

    def move(self, move: str, target: RoundState, on: date) -> RoundMoved:
        """Enter `target` by `move` on a legal day; the state's own table decides."""
        self.check(move)
        if target not in MOVES[move][self.state]:
            raise MoveNotAllowed(self.state, self.allowed())
        previous, self.state = self.state, target
        self.version += 1
        return RoundMoved(
            uscc=self.uscc, round=self.id, track=self.track, state=target, previous=previous, division=self.division, moved_on=on
        )


class RoundStep(Table, table=True):
    """The history of a round: who did what on which day, and what it rested on."""

    __tablename__ = "round_step"
    __table_args__ = (sa.UniqueConstraint("round_id", "number", name="round_step_order"),)
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    round_id: UUID = Field(foreign_key="audit_round.id")
    number: int
    move: str
    from_state: str
    to_state: str
    done_on: date
    actor: str
    role: str
    content: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    recorded_at: datetime = Field(default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")})


class PhaseRecord(Table, table=True):
    """A completed phase of an attempt with its products."""

    __tablename__ = "phase_record"
    round_id: UUID = Field(foreign_key="audit_round.id", primary_key=True)
    attempt: int = Field(primary_key=True)
    phase: str = Field(primary_key=True)
    products: list[dict[str, Any]] = Field(sa_type=Json)
    completed_on: date


class Evaluation(Table, table=True):
    """A decided evaluation: the sheets, their mean (0–100, one decimal), the band."""

    __tablename__ = "evaluation"
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    round_id: UUID = Field(foreign_key="audit_round.id", index=True)
    attempt: int
    sheets: list[dict[str, Any]] = Field(sa_type=Json)
    vetoes: list[str] = Field(sa_type=Json)
    mean: Decimal = Field(sa_type=sa.Numeric(5, 1))
    band: str
    opinion: str
    decided_on: date


class Acceptance(Table, table=True):
    """A decided acceptance: the scores, the vetoes, the level and what it was computed from."""

    __tablename__ = "acceptance"
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    round_id: UUID = Field(foreign_key="audit_round.id", index=True)
    uscc: str = Field(index=True)
    attempt: int
    scores: dict[str, str] = Field(sa_type=Json)
    total: Decimal = Field(sa_type=sa.Numeric(6, 2))
    vetoes: list[str] = Field(sa_type=Json)
    index_system: str | None = None
    indicators: dict[str, Any] | None = Field(default=None, sa_type=Json)
    trace: dict[str, Any] | None = Field(default=None, sa_type=Json)
    level: str | None = None
    result: str
    accepted_on: date
    valid_until: date | None = None
    document_no: str
    recorded_at: datetime = Field(default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")})
