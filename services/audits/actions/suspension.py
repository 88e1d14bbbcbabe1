"""Stopping a round for a while, going on with it, and ending it before its time."""

from services.audits.access import WITHDRAWABLE
from services.audits.actions.obligations import restart_terms, waive_all
from services.audits.actions.steps import Step
from services.audits.models import AuditRound, RoundState, Track
from services.audits.refusals import fault, need
from shared.problems import MoveNotAllowed


def suspend(step: Step, reason: str) -> AuditRound:
    """Suspend for a shutdown (M30): terms of policy stand still, statutory ones keep running."""
    need([] if reason else [fault("reason_required", "/reason")])
    step.round.resumes_to, step.round.suspended_on = step.round.state, step.today
    step.enter(RoundState.SUSPENDED, reason=reason)
    return step.settled()


def resume(step: Step, reason: str) -> AuditRound:
    """Go on in the state before the suspension (M31)."""
    target, since = step.round.resumes_to, step.round.suspended_on
    assert target is not None and since is not None, "a suspended round remembers its state and its day"
    step.round.resumes_to = step.round.suspended_on = None
    step.enter(target, reason=reason)
    restart_terms(step.tx, step.round, since, step.today)
    return step.settled()


def cancel(step: Step, reason: str) -> AuditRound:
    """End a round (M32): a mandatory one for a reason; an enterprise withdraws its own until its review has begun."""
    round = step.round
    if step.me.role == "enterprise" and round.state not in WITHDRAWABLE:
        raise MoveNotAllowed(round.state, [move for move in round.allowed() if move != step.move])
    need([fault("reason_required", "/reason")] if round.track is Track.MANDATORY and not reason else [])
    round.resumes_to = round.suspended_on = None
    step.enter(RoundState.CANCELLED, reason=reason)
    waive_all(step.tx, round)
    return step.settled()
