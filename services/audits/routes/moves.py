"""HTTP in for the moves of a round; each answers with the round and its new ETag."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlmodel import Session

from services.audits.access import DECIDE, WRITE, moved_by
from services.audits.actions import acceptance, evaluation, phases, suspension
from services.audits.actions.acceptance import PAPERS, Application, Verdict
from services.audits.actions.evaluation import Decision, FilledSheet
from services.audits.actions.levels import LevelGiven
from services.audits.actions.phases import CompletedPhase, Disclosure, Product, Report, Start
from services.audits.actions.steps import Step, lock_round
from services.audits.models import AuditRound
from services.audits.routes import bodies
from services.audits.routes.rounds import RoundOut, TheRound, round_answer, version_named
from services.audits.routes.router import router
from shared.auth import Caller
from shared.http import Ctx, IfMatch, Me, Tx, require_version

AT = "/rounds/{round_id}"


@dataclass(frozen=True)
class Move:
    """A call for a move: who makes it on which round, on which legal day, knowing which version."""

    round: AuditRound
    request: Request
    tx: Session
    me: Caller
    today: date
    if_match: str | None

    def begin(self) -> Step:
        """Lock the round; 428 or 412 for its version, then 409 where the state does not know the move."""
        round = lock_round(self.tx, self.round.id)
        require_version(version_named(self.if_match), round.version)
        name = self.request.url.path.rsplit("/", 1)[-1]
        round.check(name)
        return Step(self.tx, self.me, round, name, self.today)

    def answer(self, round: AuditRound) -> Response:
        return round_answer(self.request, self.tx, round)


def _moving(round: TheRound, request: Request, tx: Tx, me: Me, ctx: Ctx) -> Move:
    return Move(round, request, tx, me, ctx.clock.today(), request.headers.get("if-match"))


def _named(if_match: IfMatch = None) -> None:
    """Declares the header of every move; `begin` asks for it after the body has its shape."""


def _move(*scopes: str) -> dict[str, Any]:
    return {"response_model": RoundOut, "dependencies": [moved_by(*scopes), Depends(_named)]}


PARTY, AUTHORITY, EITHER = _move(WRITE), _move(DECIDE), _move(DECIDE, WRITE)
Moving = Annotated[Move, Depends(_moving)]


@router.post(f"{AT}/disclose", **PARTY)
def disclose(body: bodies.Disclose, move: Moving) -> Response:
    """The first disclosure is made: meets FIRST_DISCLOSURE, once, and leaves the state as it is."""
    return move.answer(phases.disclose(move.begin(), Disclosure(**dict(body))))


@router.post(f"{AT}/start", **PARTY)
def start(body: bodies.StartRound, move: Moving) -> Response:
    """Start the audit: by oneself with a proof of ability, or with an institution under contract."""
    return move.answer(phases.start(move.begin(), Start(**dict(body))))


@router.post(f"{AT}/complete-phase", **PARTY)
def complete_phase(body: bodies.CompletePhase, move: Moving) -> Response:
    """Complete a phase with all its products."""
    products = [Product(**dict(product)) for product in body.products]
    return move.answer(phases.complete_phase(move.begin(), CompletedPhase(body.phase, products, body.completed_on)))


@router.post(f"{AT}/submit-report", **PARTY)
def submit_report(body: bodies.SubmitReport, move: Moving) -> Response:
    """Submit the audit report once every no-cost and low-cost measure is done."""
    return move.answer(phases.submit_report(move.begin(), Report(**dict(body))))


@router.post(f"{AT}/apply-evaluation", **PARTY)
def apply_evaluation(body: bodies.ApplyEvaluation, move: Moving) -> Response:
    """Apply for the evaluation."""
    return move.answer(evaluation.apply_for_evaluation(move.begin(), body.applied_on))


@router.post(f"{AT}/accept-application", **AUTHORITY)
def accept_application(move: Moving, body: bodies.AcceptApplication | None = None) -> Response:
    """Take an application on: for an evaluation with a panel of experts, for an acceptance without."""
    return move.answer(evaluation.accept_application(move.begin(), body.panel if body else []))


@router.post(f"{AT}/return-application", **AUTHORITY)
def return_application(body: bodies.ReturnApplication, move: Moving) -> Response:
    """Give an incomplete application back."""
    return move.answer(evaluation.return_application(move.begin(), body.reason))


@router.post(f"{AT}/record-evaluation", **AUTHORITY)
def record_evaluation(body: bodies.RecordEvaluation, move: Moving) -> Response:
    """Record what the panel decided: below 70 or a veto fails, up to 90 is a supplement, above 90 passes."""
    sheets = [FilledSheet(sheet.expert, sheet.scores) for sheet in body.sheets]
    return move.answer(evaluation.record_evaluation(move.begin(), Decision(**{**dict(body), "sheets": sheets})))


@router.post(f"{AT}/submit-supplement", **PARTY)
def submit_supplement(body: bodies.SubmitReport, move: Moving) -> Response:
    """Submit the report as completed after the experts' opinion."""
    return move.answer(evaluation.submit_supplement(move.begin(), Report(**dict(body))))


@router.post(f"{AT}/recheck", **AUTHORITY)
def recheck(body: bodies.Recheck, move: Moving) -> Response:
    """Check a supplement: passed, returned, or failed once the returns are used up."""
    return move.answer(evaluation.recheck(move.begin(), body.result, body.decided_on))


@router.post(f"{AT}/reaudit", **PARTY)
def reaudit(move: Moving, body: bodies.Reason | None = None) -> Response:
    """Audit anew after a failed evaluation, from phase 2 on."""
    return move.answer(evaluation.reaudit(move.begin()))


@router.post(f"{AT}/begin-implementation", **PARTY)
def begin_implementation(body: bodies.BeginImplementation, move: Moving) -> Response:
    """Begin with the medium-cost and high-cost measures by a fixed plan."""
    return move.answer(acceptance.begin_implementation(move.begin(), body.plan, body.begun_on))


@router.post(f"{AT}/apply-acceptance", **PARTY)
def apply_acceptance(body: bodies.ApplyAcceptance, move: Moving) -> Response:
    """Apply for the acceptance with its papers, once phases 6 and 7 and the measures are through."""
    return move.answer(acceptance.apply_for_acceptance(move.begin(), Application(**dict(body))))


@router.post(f"{AT}/record-acceptance", **AUTHORITY)
def record_acceptance(body: bodies.RecordAcceptance, move: Moving) -> Response:
    """Record the acceptance: 60 points or more without a veto accept, anything else fails."""
    given = body.model_dump(include=set(LevelGiven.__dataclass_fields__))
    verdict = Verdict(body.scores, body.vetoes, LevelGiven(**given), body.accepted_on, body.document_no)
    return move.answer(acceptance.record_acceptance(move.begin(), verdict))


@router.post(f"{AT}/order-rectification", **AUTHORITY)
def order_rectification(body: bodies.OrderRectification, move: Moving) -> Response:
    """Order the enterprise to put right, by a day, what made the acceptance fail."""
    return move.answer(acceptance.order_rectification(move.begin(), body.due_on, body.reason))


@router.post(f"{AT}/reapply", **PARTY)
def reapply(move: Moving, body: bodies.Reapply | None = None) -> Response:
    """Apply for the acceptance again after the rectification; the day is today where none is given."""
    given = body or bodies.Reapply()
    papers = {name: getattr(given, name) for name in PAPERS}
    again = Application(given.applied_on or move.today, **papers)
    return move.answer(acceptance.reapply(move.begin(), again, dated=given.applied_on is not None))


@router.post(f"{AT}/order-reaudit", **AUTHORITY)
def order_reaudit(move: Moving, body: bodies.Reason | None = None) -> Response:
    """Order a new audit: after fraud, with the attempts used up, or with the rectification overdue."""
    return move.answer(acceptance.order_reaudit(move.begin(), body.reason if body else ""))


@router.post(f"{AT}/suspend", **AUTHORITY)
def suspend(move: Moving, body: bodies.Reason | None = None) -> Response:
    """Suspend a round for a reason such as a shutdown."""
    return move.answer(suspension.suspend(move.begin(), body.reason if body else ""))


@router.post(f"{AT}/resume", **AUTHORITY)
def resume(move: Moving, body: bodies.Reason | None = None) -> Response:
    """Go on with a suspended round in the state that it had."""
    return move.answer(suspension.resume(move.begin(), body.reason if body else ""))


@router.post(f"{AT}/cancel", **EITHER)
def cancel(move: Moving, body: bodies.Reason | None = None) -> Response:
    """End a round before its time; its open duties fall away."""
    return move.answer(suspension.cancel(move.begin(), body.reason if body else ""))
