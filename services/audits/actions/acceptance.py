"""From the evaluation to the acceptance (验收), and what follows a failed one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from services.audits import law, rules
from services.audits.actions.evaluation import begin_anew, refuse_sheets, refuse_unknown_vetoes, score_faults
from services.audits.actions.files import file_faults, rest_on
from services.audits.actions.levels import FoundLevel, LevelGiven, find_level
from services.audits.actions.measures import accepted_faults
from services.audits.actions.obligations import find_open, fulfil, open_obligation
from services.audits.actions.phases import P6, P7, missing_phases
from services.audits.actions.steps import Step, date_out_of_order
from services.audits.models import Acceptance, AuditRound, RoundState, Track
from services.audits.refusals import fault, need
from shared.events.audits import AcceptanceRecorded
from shared.messaging.outbox import emit
from shared.problems import Fault

S = RoundState
FRAUD = "V1_FRAUD"
PAPERS = ("acceptance_report", "monitoring_before", "monitoring_after")


@dataclass(frozen=True)
class Application:
    """The papers of an application for acceptance, as file ids."""

    applied_on: date
    acceptance_report: UUID | None = None
    monitoring_before: UUID | None = None
    monitoring_after: UUID | None = None

    @property
    def papers(self) -> dict[str, UUID | None]:
        return {name: getattr(self, name) for name in PAPERS}


@dataclass(frozen=True)
class Verdict:
    """An acceptance as decided: the sheet, the vetoes, the level or what it is computed from."""

    scores: Mapping[str, str]
    vetoes: Sequence[str]
    level: LevelGiven
    accepted_on: date
    document_no: str


def begin_implementation(step: Step, plan: Any, begun_on: date) -> AuditRound:
    """The plan of the medium-cost and high-cost measures is fixed (M18); it is a text, or the id of a file."""
    step.dated("begun_on", begun_on)
    need([] if plan else [fault("plan_required", "/plan")])
    file = _as_file(plan)
    need(file_faults(step.tx, step.round, {"/plan": file}))
    rest_on(step.tx, step.round, file)
    step.enter(S.IMPLEMENTING, plan=plan, begun_on=begun_on)
    return step.settled()


def _as_file(plan: Any) -> UUID | None:
    try:
        return UUID(plan) if isinstance(plan, str) else None
    except ValueError:
        return None


def apply_for_acceptance(step: Step, given: Application) -> AuditRound:
    """Apply once phases 6 and 7 are recorded and the measures are done or dropped, with all papers (M19)."""
    step.dated("applied_on", given.applied_on)
    tx, round = step.tx, step.round
    faults = [fault(f"{name}_required", f"/{name}") for name, paper in given.papers.items() if paper is None]
    need(faults + _paper_faults(step, given) + missing_phases(tx, round, P6, P7) + accepted_faults(tx, round))
    rest_on(tx, round, *given.papers.values())
    step.enter(S.ACCEPT_APPLIED, **given.papers, applied_on=given.applied_on)
    fulfil(tx, round, "ACCEPTANCE_APPLICATION", given.applied_on)
    return step.settled()


def _paper_faults(step: Step, given: Application) -> list[Fault]:
    return file_faults(step.tx, step.round, {f"/{name}": paper for name, paper in given.papers.items()})


def record_acceptance(step: Step, given: Verdict) -> AuditRound:
    """60 points or more without a veto accept the round (M22), anything else fails it (M23)."""
    step.dated("accepted_on", given.accepted_on)
    refuse_unknown_vetoes(given.vetoes, law.acceptance_vetoes())
    refuse_sheets(score_faults(law.acceptance_sheet(), given.scores, "/scores"))
    level = find_level(given.level)
    vetoes = [code for code in law.acceptance_vetoes() if code in {*given.vetoes, *level.vetoes}]
    total = rules.sheet_total(given.scores)
    passed = rules.acceptance_passes(total, vetoes)
    made = _acceptance(step.round, given, level, total)
    made.vetoes, made.result = vetoes, str(S.ACCEPTED if passed else S.ACCEPT_FAILED)
    made.valid_until = rules.valid_until(given.accepted_on) if passed else None
    step.tx.add(made)
    _close(step, made)
    return step.settled()


def _acceptance(round: AuditRound, given: Verdict, level: FoundLevel, total: Decimal) -> Acceptance:
    return Acceptance(
        round_id=round.id,
        uscc=round.uscc,
        attempt=round.attempt,
        scores=dict(given.scores),
        total=total,
        vetoes=[],
        index_system=given.level.index_system,
        indicators=dict(given.level.indicators) if given.level.index_system else None,
        trace=level.trace,
        level=level.level,
        result="",
        accepted_on=given.accepted_on,
        document_no=given.document_no,
    )


def _close(step: Step, made: Acceptance) -> None:
    """Enter the state of the result, tell it, and let the clock of the next round run from the report."""
    round, passed = step.round, made.result == S.ACCEPTED
    round.acceptance_attempts += 1
    if passed:
        round.level, round.accepted_on, round.document_no = made.level, made.accepted_on, made.document_no
    told = {"total": str(made.total), "vetoes": made.vetoes, "level": made.level, "document_no": made.document_no}
    step.enter(S(made.result), result=made.result, **told, accepted_on=made.accepted_on)
    step.tell(
        AcceptanceRecorded(
            uscc=round.uscc,
            round=round.id,
            result=made.result,
            level=made.level if passed else None,
            accepted_on=made.accepted_on,
            valid_until=made.valid_until,
            document_no=made.document_no,
            track=round.track,
            division=round.division,
            fraud=FRAUD in made.vetoes,
        )
    )
    if passed and round.track is Track.MANDATORY:
        open_obligation(step.tx, round, "NEXT_ROUND", round.reported_on or made.accepted_on)


def order_rectification(step: Step, due_on: date, reason: str) -> AuditRound:
    """Order the enterprise to put right what can be put right, by a day (M24)."""
    if due_on < step.today:
        raise date_out_of_order("/due_on")
    most = law.policy("max_acceptance_attempts", step.today).whole
    faults = [] if reason else [fault("reason_required", "/reason")]
    if step.round.acceptance_attempts >= most:
        faults.append(fault("attempts_exhausted", "/due_on", most=most))
    if FRAUD in _last(step).vetoes:
        faults.append(fault("cause_not_curable", "/reason"))
    need(faults)
    step.enter(S.RECTIFYING, due_on=due_on, reason=reason)
    open_obligation(step.tx, step.round, "RECTIFICATION", step.today, due_on=due_on)
    return step.settled()


def reapply(step: Step, given: Application, *, dated: bool) -> AuditRound:
    """Apply again after the rectification, with new papers where there are any (M25)."""
    if dated:
        step.dated("applied_on", given.applied_on)
    need(_paper_faults(step, given))
    rest_on(step.tx, step.round, *given.papers.values())
    step.enter(S.ACCEPT_APPLIED, **{name: paper for name, paper in given.papers.items() if paper})
    fulfil(step.tx, step.round, "RECTIFICATION", given.applied_on)
    return step.settled()


def order_reaudit(step: Step, reason: str) -> AuditRound:
    """Order a new audit: after fraud, with the attempts used up, or with the rectification overdue (M26)."""
    most = law.policy("max_acceptance_attempts", step.today).whole
    duty = find_open(step.tx, step.round, "RECTIFICATION")
    overdue = duty is not None and duty.due_on is not None and duty.due_on < step.today
    if not (FRAUD in _last(step).vetoes or step.round.acceptance_attempts >= most or overdue):
        need([fault("reaudit_not_due", "")])
    if duty is not None:  # the new audit takes the place of what was to be rectified
        emit(step.tx, duty.waive())
    begin_anew(step, {"reason": reason})
    return step.settled()


def _last(step: Step) -> Acceptance:
    mine = select(Acceptance).where(Acceptance.round_id == step.round.id)
    return step.tx.exec(mine.order_by(col(Acceptance.recorded_at).desc()).limit(1)).one()
