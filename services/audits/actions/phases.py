"""From the list to the report: first disclosure, start, the seven phases, the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from services.audits import law
from services.audits.actions.files import file_faults, rest_on
from services.audits.actions.measures import determined_faults, generated_faults, reported_faults
from services.audits.actions.obligations import fulfil
from services.audits.actions.steps import Step
from services.audits.models import AuditRound, InstitutionCopy, PhaseRecord, RoundState
from services.audits.refusals import fault, need
from shared.events.audits import PhaseCompleted, ReportSubmitted, RoundStarted
from shared.problems import Fault, MoveNotAllowed

S = RoundState
P4, P5, P6, P7 = "P4_GENERATION", "P5_DETERMINATION", "P6_IMPLEMENTATION", "P7_CONTINUOUS"
# Phase → the state in which it is completed → the state that follows.
PHASE_STATES: dict[str, tuple[RoundState, RoundState]] = {
    "P1_PREPARATION": (S.STARTED, S.PRE_AUDIT),
    "P2_PRE_AUDIT": (S.PRE_AUDIT, S.AUDITING),
    "P3_AUDIT": (S.AUDITING, S.MEASURES_GENERATED),
    P4: (S.MEASURES_GENERATED, S.MEASURES_GENERATED),
    P5: (S.MEASURES_GENERATED, S.MEASURES_DETERMINED),
    P6: (S.IMPLEMENTING, S.IMPLEMENTING),
    P7: (S.IMPLEMENTING, S.IMPLEMENTING),
}


@dataclass(frozen=True)
class Disclosure:
    """Where and when the enterprise told the public (清洁生产审核办法 第十一条)."""

    channel: str
    url: str
    disclosed_on: date


@dataclass(frozen=True)
class Start:
    """How the audit is done, by whom, since when."""

    service_mode: str
    leader: str
    started_on: date
    institution: str | None = None
    contract: UUID | None = None
    ability_proof: UUID | None = None


@dataclass(frozen=True)
class Product:
    """What a phase has made: a file, or data, or both."""

    kind: str
    file: UUID | None = None
    data: Any = None

    @property
    def is_there(self) -> bool:
        return self.file is not None or self.data is not None


@dataclass(frozen=True)
class CompletedPhase:
    """A phase with its products and its day."""

    phase: str
    products: Sequence[Product]
    completed_on: date


@dataclass(frozen=True)
class Report:
    """A report with its day."""

    report: UUID | None
    submitted_on: date
    summary: str | dict[str, Any] = ""


def disclose(step: Step, given: Disclosure) -> AuditRound:
    """The first disclosure: meets FIRST_DISCLOSURE and leaves the state as it is."""
    step.dated("disclosed_on", given.disclosed_on, parallel=True)
    step.enter(step.round.state, channel=given.channel, url=given.url, disclosed_on=given.disclosed_on)
    step.round.disclosed_on = given.disclosed_on
    if duty := fulfil(step.tx, step.round, "FIRST_DISCLOSURE", given.disclosed_on):
        duty.url = given.url
    return step.settled()


def start(step: Step, given: Start) -> AuditRound:
    """Start the audit, by oneself with a proof of ability or with an institution under contract (M01)."""
    step.dated("started_on", given.started_on)
    institution = find_institution(step.tx, given.institution) if given.institution else None
    need(_start_faults(step, given, institution))
    round = step.round
    round.service_mode, round.leader = given.service_mode, given.leader
    round.institution = institution.uscc if institution else None
    files = {"contract": given.contract, "ability_proof": given.ability_proof}
    rest_on(step.tx, round, *files.values())
    step.enter(S.STARTED, service_mode=given.service_mode, institution=round.institution, leader=given.leader, **files)
    step.tell(
        RoundStarted(
            uscc=round.uscc, round=round.id, track=round.track, started_on=given.started_on, division=round.division
        )
    )
    fulfil(step.tx, round, "START", given.started_on)
    return step.settled()


def _start_faults(step: Step, given: Start, institution: InstitutionCopy | None) -> list[Fault]:
    faults: list[Fault] = []
    if given.service_mode == "self":
        faults += [] if given.ability_proof else [fault("ability_proof_required", "/ability_proof")]
    elif not given.institution:
        faults.append(fault("institution_required", "/institution"))
    if given.institution and institution is None:
        faults.append(fault("institution_unknown", "/institution"))
    if given.service_mode == "institution" and not given.contract:
        faults.append(fault("contract_required", "/contract"))
    files = {"/contract": given.contract, "/ability_proof": given.ability_proof}
    helper = institution.uscc if institution else None
    return faults + file_faults(step.tx, step.round, files, institution=helper)


def find_institution(tx: Session, name: str) -> InstitutionCopy | None:
    """The institution of a USCC, or of the id that the register gave it."""
    if found := tx.get(InstitutionCopy, name):
        return found
    try:
        known_as = UUID(name)
    except ValueError:
        return None
    return tx.exec(select(InstitutionCopy).where(col(InstitutionCopy.id) == known_as)).first()


def complete_phase(step: Step, given: CompletedPhase) -> AuditRound:
    """Complete a phase with its products (M02–M05); out of its turn, or twice, it is not allowed."""
    source, target = PHASE_STATES[given.phase]
    round = step.round
    if round.state is not source or phase_recorded(step.tx, round, given.phase):
        raise MoveNotAllowed(round.state, round.allowed())
    step.dated("completed_on", given.completed_on)
    need(_phase_faults(step, given))
    products = [{"kind": p.kind, "file": str(p.file) if p.file else None, "data": p.data} for p in given.products]
    step.tx.add(
        PhaseRecord(
            round_id=round.id,
            attempt=round.attempt,
            phase=given.phase,
            products=products,
            completed_on=given.completed_on,
        )
    )
    rest_on(step.tx, round, *(product.file for product in given.products))
    step.enter(target, phase=given.phase, products=sorted({product.kind for product in given.products}))
    step.tell(
        PhaseCompleted(
            uscc=round.uscc,
            round=round.id,
            phase=given.phase,
            completed_on=given.completed_on,
            division=round.division,
        )
    )
    return step.settled()


def phase_recorded(tx: Session, round: AuditRound, phase: str) -> bool:
    """Whether the present attempt has completed a phase."""
    return tx.get(PhaseRecord, (round.id, round.attempt, phase)) is not None


def _phase_faults(step: Step, given: CompletedPhase) -> list[Fault]:
    made = {product.kind for product in given.products if product.is_there}
    wanted = law.phase(given.phase).min_products
    faults = [fault("product_missing", "/products", kind=kind) for kind in wanted if kind not in made]
    files = {f"/products/{index}/file": product.file for index, product in enumerate(given.products)}
    faults += file_faults(step.tx, step.round, files)
    if given.phase == P4:
        faults += generated_faults(step.tx, step.round)
    if given.phase == P5:
        faults += missing_phases(step.tx, step.round, P4) + determined_faults(step.tx, step.round)
    return faults


def missing_phases(tx: Session, round: AuditRound, *phases: str) -> list[Fault]:
    """`phase_missing` for each phase that the present attempt has not completed."""
    return [fault("phase_missing", "/phase", phase=phase) for phase in phases if not phase_recorded(tx, round, phase)]


def submit_report(step: Step, given: Report) -> AuditRound:
    """Submit the report once the no-cost and low-cost measures are done (M06); meets REPORT."""
    step.dated("submitted_on", given.submitted_on)
    round, tx = step.round, step.tx
    faults = [] if given.report else [fault("report_required", "/report")]
    need(faults + file_faults(tx, round, {"/report": given.report}) + reported_faults(tx, round))
    rest_on(tx, round, given.report)
    round.reported_on = given.submitted_on
    step.enter(S.REPORT_SUBMITTED, report=given.report, summary=given.summary)
    step.tell(
        ReportSubmitted(
            uscc=round.uscc, round=round.id, submitted_on=given.submitted_on, division=round.division
        )
    )
    fulfil(tx, round, "REPORT", given.submitted_on)
    return step.settled()
