"""The evaluation (评估): application, panel, sheets, supplements, and auditing anew."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import structlog
from sqlmodel import col, select

from services.audits import law, rules
from services.audits.actions.files import file_faults, rest_on
from services.audits.actions.obligations import open_obligation
from services.audits.actions.phases import Report
from services.audits.actions.steps import Step
from services.audits.models import AuditRound, Evaluation, ExpertCopy, RoundState, Track
from services.audits.refusals import fault, need, refused, text_of
from services.audits.rules import EvaluationBand
from services.audits.sheets import Sheet
from shared.calendar import add_months
from shared.events.audits import EvaluationRecorded
from shared.problems import Fault, Text, Unprocessable

log = structlog.get_logger("audits")
S = RoundState
BAND_STATES = {
    EvaluationBand.FAIL: S.EVAL_FAILED,
    EvaluationBand.SUPPLEMENT: S.SUPPLEMENT_REQUIRED,
    EvaluationBand.DIRECT_PASS: S.EVAL_PASSED,
}
SHEET_CODES = {"item_missing": "score_missing", "item_unknown": "score_unknown", "not_a_decimal": "score_not_a_decimal"}


@dataclass(frozen=True)
class FilledSheet:
    """What one expert gave each item, as decimal strings."""

    expert: UUID
    scores: Mapping[str, str]


@dataclass(frozen=True)
class Decision:
    """An evaluation as decided by the panel."""

    sheets: Sequence[FilledSheet]
    vetoes: Sequence[str]
    opinion: str
    decided_on: date
    fee_charged_to_enterprise: Decimal = field(default=Decimal(0))


def apply_for_evaluation(step: Step, applied_on: date) -> AuditRound:
    """The enterprise applies for the evaluation (M07)."""
    step.dated("applied_on", applied_on)
    step.enter(S.EVAL_APPLIED, applied_on=applied_on)
    return step.settled()


def accept_application(step: Step, panel: Sequence[UUID]) -> AuditRound:
    """The authority takes the application on: for an evaluation with a panel (M08), for an acceptance without (M20)."""
    round = step.round
    if round.state is S.ACCEPT_APPLIED:
        step.enter(S.ACCEPT_IN_REVIEW, panel=panel)
        return step.settled()
    need(_panel_faults(step, panel))
    round.panel = [str(expert) for expert in panel]
    step.enter(S.EVAL_IN_REVIEW, panel=panel)
    return step.settled()


def return_application(step: Step, reason: str) -> AuditRound:
    """The application is incomplete and goes back (M09, M21)."""
    need([] if reason else [fault("reason_required", "/reason")])
    target = S.REPORT_SUBMITTED if step.round.state is S.EVAL_APPLIED else S.IMPLEMENTING
    step.enter(target, reason=reason)
    return step.settled()


def _panel_faults(step: Step, panel: Sequence[UUID]) -> list[Fault]:
    if not panel:
        return [fault("panel_required", "/panel")]
    applied_on = step.round.latest_on or step.today
    least, odd = law.policy("min_experts", applied_on).whole, law.policy("odd_number_of_experts", applied_on).flag
    faults = [fault("panel_too_small", "/panel", least=least)] if len(set(panel)) < least else []
    if odd and len(panel) % 2 == 0:
        faults.append(fault("panel_even", "/panel"))
    known = {expert.id: expert for expert in step.tx.exec(select(ExpertCopy).where(col(ExpertCopy.id).in_(panel)))}
    years = law.policy("expert_conflict_years", applied_on).whole
    since = add_months(applied_on, -12 * years)
    for index, expert in enumerate(panel):
        place = f"/panel/{index}"
        if expert in panel[:index]:
            faults.append(fault("panel_duplicate", place))
        elif expert not in known:
            faults.append(fault("expert_unknown", place))
        elif is_conflicted(known[expert], step.round, since):
            faults.append(fault("expert_conflict", place, years=years))
    return faults


def is_conflicted(expert: ExpertCopy, round: AuditRound, since: date) -> bool:
    """Whether an expert works for the enterprise or its institution, or advised one of them on or after a day."""
    parties = {round.uscc, round.institution} - {None}
    if expert.employer_uscc in parties:
        return True
    advised = (stay for stay in expert.advised if stay.get("uscc") in parties)
    return any(not stay.get("until") or date.fromisoformat(stay["until"]) >= since for stay in advised)


def record_evaluation(step: Step, given: Decision) -> AuditRound:
    """Decide by the mean of the panel's sheets and the vetoes (M10–M12); no fee may be charged for it."""
    step.dated("decided_on", given.decided_on)
    refuse_fee(step, given.fee_charged_to_enterprise, given.decided_on)
    refuse_unknown_vetoes(given.vetoes, law.evaluation_vetoes())
    refuse_sheets(_sheet_faults(step.round, given.sheets))
    mean = rules.mean_score([rules.sheet_total(sheet.scores) for sheet in given.sheets])
    band = rules.evaluation_band(mean, given.vetoes)
    step.tx.add(_evaluation(step.round, given, mean, band))
    told: dict[str, Any] = {"band": band.value, "mean": str(mean), "vetoes": given.vetoes, "opinion": given.opinion}
    step.round.supplement_round = 0
    step.enter(BAND_STATES[band], **told, decided_on=given.decided_on)
    _tell_band(step, band, given.decided_on)
    return step.settled()


def _evaluation(round: AuditRound, given: Decision, mean: Decimal, band: EvaluationBand) -> Evaluation:
    return Evaluation(
        round_id=round.id,
        attempt=round.attempt,
        sheets=[{"expert": str(sheet.expert), "scores": dict(sheet.scores)} for sheet in given.sheets],
        vetoes=list(given.vetoes),
        mean=mean,
        band=band.value,
        opinion=given.opinion,
        decided_on=given.decided_on,
    )


def _tell_band(step: Step, band: EvaluationBand, on: date) -> None:
    """The band leaves the house, the points never do; a pass starts the term for the acceptance."""
    round = step.round
    step.tell(
        EvaluationRecorded(
            uscc=round.uscc, round=round.id, band=band.value, decided_on=on, division=round.division
        )
    )
    if band is EvaluationBand.DIRECT_PASS and round.track is Track.MANDATORY:
        open_obligation(step.tx, round, "ACCEPTANCE_APPLICATION", on)


def refuse_fee(step: Step, fee: Decimal, on: date) -> None:
    """422 `fee_forbidden`: evaluation and acceptance cost the enterprise nothing."""
    if fee > 0:
        log.warning("evaluation.fee_refused", round=str(step.round.id), actor=step.me.client_id, fee=str(fee))
        raise refused(fault("fee_forbidden", "/fee_charged_to_enterprise", clause=law.act_basis("FEE_BAN", on)))


def refuse_unknown_vetoes(vetoes: Sequence[str], known: Mapping[str, object]) -> None:
    """422 `veto_unknown` for a code that the law's list does not have."""
    names = "、".join(known)
    unknown = [i for i, veto in enumerate(vetoes) if veto not in known]
    if unknown:
        faults = [fault("veto_unknown", f"/vetoes/{index}", known=names) for index in unknown]
        raise Unprocessable("veto_unknown", text_of("veto_unknown", known=names), faults=faults)


def refuse_sheets(faults: Sequence[Fault]) -> None:
    """422 `scores_invalid` with every fault of the sheets."""
    if faults:
        text = Text("评分表不完整或不正确。", "The score sheets are not complete or not right.")
        raise Unprocessable("scores_invalid", text, faults=faults)


def _sheet_faults(round: AuditRound, sheets: Sequence[FilledSheet]) -> list[Fault]:
    faults: list[Fault] = []
    seen: Counter[str] = Counter()
    for index, filled in enumerate(sheets):
        expert, place = str(filled.expert), f"/sheets/{index}"
        if expert not in round.panel:
            faults.append(fault("expert_not_on_panel", f"{place}/expert"))
        elif seen[expert]:
            faults.append(fault("sheet_duplicate", f"{place}/expert"))
        seen[expert] += 1
        faults += score_faults(law.evaluation_sheet(), filled.scores, f"{place}/scores")
    missing = [expert for expert in round.panel if not seen[expert]]
    return faults + [fault("sheet_missing", "/sheets", expert=expert) for expert in missing]


def score_faults(sheet: Sheet, scores: Mapping[str, str], place: str) -> list[Fault]:
    """What is wrong with a filled sheet, at the pointers of its scores."""
    return [
        Fault(f"{place}/{problem.item}", SHEET_CODES.get(problem.code, problem.code), problem.text, sheet.basis)
        for problem in rules.check_sheet(sheet, scores)
    ]


def submit_supplement(step: Step, given: Report) -> AuditRound:
    """The report as completed after the experts' opinion (M13)."""
    step.dated("submitted_on", given.submitted_on)
    faults = [] if given.report else [fault("supplement_required", "/report")]
    need(faults + file_faults(step.tx, step.round, {"/report": given.report}))
    rest_on(step.tx, step.round, given.report)
    step.round.supplement_round += 1
    step.enter(S.SUPPLEMENT_SUBMITTED, report=given.report, supplement_round=step.round.supplement_round)
    return step.settled()


def recheck(step: Step, result: Literal["ok", "return", "fail"], decided_on: date) -> AuditRound:
    """The authority checks the supplement: passed (M14), returned (M15), or failed once the returns are used up (M16)."""
    step.dated("decided_on", decided_on)
    most = law.policy("max_supplement_rounds", decided_on).whole
    used_up = step.round.supplement_round >= most
    if result == "return" and used_up:
        need([fault("supplement_rounds_exhausted", "/result", most=most)])
    if result == "fail" and not used_up:
        need([fault("supplement_rounds_left", "/result", most=most)])
    targets = {"ok": S.EVAL_PASSED, "return": S.SUPPLEMENT_REQUIRED, "fail": S.EVAL_FAILED}
    step.enter(targets[result], result=result, decided_on=decided_on)
    if result != "return":
        _tell_band(step, EvaluationBand.DIRECT_PASS if result == "ok" else EvaluationBand.FAIL, decided_on)
    return step.settled()


def reaudit(step: Step) -> AuditRound:
    """After a failed evaluation the audit begins anew with phase 2; the earlier report stays readable (M17)."""
    begin_anew(step, {})
    return step.settled()


def begin_anew(step: Step, content: dict[str, Any]) -> None:
    """The next attempt: its phases, supplements and acceptances are counted afresh."""
    round = step.round
    round.attempt += 1
    round.supplement_round = round.acceptance_attempts = 0
    round.panel = []
    step.enter(S.PRE_AUDIT, attempt=round.attempt, **content)
