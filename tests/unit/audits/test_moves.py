"""Every state against every move, by a table that was written apart from the code's."""

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest

from services.audits.access import may_move
from services.audits.models import MOVES, AuditRound, Measure, MeasureStatus, RoundState, ScreenResult, Track
from services.registry.roles import scopes_of
from shared.auth import Caller
from shared.problems import MoveNotAllowed

DAY = date(2026, 5, 6)
# state: what may be done in it besides disclose, suspend and cancel, and where that leads.
EXPECTED = {
    "listed": {"start": "started"},
    "started": {"complete-phase": "pre_audit"},
    "pre_audit": {"complete-phase": "auditing"},
    "auditing": {"complete-phase": "measures_generated"},
    "measures_generated": {"complete-phase": "measures_generated measures_determined"},
    "measures_determined": {"submit-report": "report_submitted"},
    "report_submitted": {"apply-evaluation": "eval_applied"},
    "eval_applied": {"accept-application": "eval_in_review", "return-application": "report_submitted"},
    "eval_in_review": {"record-evaluation": "eval_passed supplement_required eval_failed"},
    "supplement_required": {"submit-supplement": "supplement_submitted"},
    "supplement_submitted": {"recheck": "eval_passed supplement_required eval_failed"},
    "eval_passed": {"begin-implementation": "implementing"},
    "eval_failed": {"reaudit": "pre_audit"},
    "implementing": {"complete-phase": "implementing", "apply-acceptance": "accept_applied"},
    "accept_applied": {"accept-application": "accept_in_review", "return-application": "implementing"},
    "accept_in_review": {"record-acceptance": "accepted accept_failed"},
    "accept_failed": {"order-rectification": "rectifying", "order-reaudit": "pre_audit"},
    "rectifying": {"reapply": "accept_applied", "order-reaudit": "pre_audit"},
    "suspended": {},
    "accepted": {},
    "cancelled": {},
}
LIVE = set(EXPECTED) - {"accepted", "cancelled"}
RUNNING = LIVE - {"suspended"}


def leads_to(state: str, move: str) -> set[str]:
    if move == "disclose":
        return {state} if state in LIVE else set()
    if move == "suspend":
        return {"suspended"} if state in RUNNING else set()
    if move == "resume":
        return RUNNING if state == "suspended" else set()
    if move == "cancel":
        return {"cancelled"} if state in LIVE else set()
    return set(EXPECTED[state].get(move, "").split())


def a_round(state: str, track: Track = Track.MANDATORY) -> AuditRound:
    return AuditRound(uscc="u", name="n", division="430204", track=track, state=RoundState(state))


def test_the_table_knows_every_state_and_every_move() -> None:
    assert set(EXPECTED) == {str(state) for state in RoundState}
    named = {move for moves in EXPECTED.values() for move in moves} | {"disclose", "suspend", "resume", "cancel"}
    assert named == set(MOVES)


@pytest.mark.parametrize("move", sorted(MOVES))
@pytest.mark.parametrize("state", sorted(EXPECTED))
def test_a_move_leads_only_where_the_table_says(state: str, move: str) -> None:
    for target in RoundState:
        round = a_round(state)
        if str(target) in leads_to(state, move):
            event = round.move(move, target, DAY)
            assert (event.previous, event.state, round.state, round.version) == (state, target, target, 2)
        else:
            with pytest.raises(MoveNotAllowed) as refusal:
                round.move(move, target, DAY)
            assert (round.state, round.version, refusal.value.extra["state"]) == (state, 1, state)
    assert (move in a_round(state).allowed()) is bool(leads_to(state, move))


def test_the_first_disclosure_is_made_once_and_only_on_the_mandatory_track() -> None:
    done = a_round("auditing")
    done.disclosed_on = DAY
    for round in (done, a_round("auditing", Track.VOLUNTARY)):
        assert "disclose" not in round.allowed()
        with pytest.raises(MoveNotAllowed):
            round.check("disclose")


ENTERPRISE = {
    "disclose", "start", "complete-phase", "submit-report", "apply-evaluation", "submit-supplement", "reaudit",
    "begin-implementation", "apply-acceptance", "reapply",
}  # fmt: skip
AUTHORITY = {
    "accept-application", "return-application", "record-evaluation", "recheck", "record-acceptance",
    "order-rectification", "order-reaudit",
}  # fmt: skip
HOLD = {"suspend", "resume"}
MANDATORY_MOVERS = {
    "enterprise": ENTERPRISE,
    "institution": {"complete-phase"},
    "county_ecology": AUTHORITY,
    "city_ecology": AUTHORITY | HOLD,
    "provincial_ecology": AUTHORITY | HOLD | {"cancel"},
    "county_industry": set[str](),
    "city_industry": set[str](),
    "provincial_industry": set[str](),
    "auditor": set[str](),
    "bank": set[str](),
}
VOLUNTARY_MOVERS = MANDATORY_MOVERS | {
    "enterprise": ENTERPRISE | {"cancel"},
    "city_ecology": AUTHORITY | HOLD | {"cancel"},
    "county_industry": AUTHORITY,
    "city_industry": AUTHORITY | HOLD | {"cancel"},
    "provincial_industry": AUTHORITY | HOLD | {"cancel"},
}


@pytest.mark.parametrize(("track", "movers"), [(Track.MANDATORY, MANDATORY_MOVERS), (Track.VOLUNTARY, VOLUNTARY_MOVERS)])
def test_each_role_makes_its_own_moves_and_no_other(track: Track, movers: dict[str, set[str]]) -> None:
    for role, moves in movers.items():
        me = Caller("c", role, role, "4302", "u", scopes_of(role))
        assert {move for move in MOVES if may_move(me, a_round("listed", track), move)} == moves, role


def a_measure(status: MeasureStatus = MeasureStatus.PROPOSED) -> Measure:
    return Measure(round_id=uuid4(), number=1, name="m", aspect="A1", cost_cny=Decimal(0), cost_class="no_cost", status=status)


def test_the_three_findings_decide_whether_a_measure_is_feasible() -> None:
    measure = a_measure()
    measure.take({"screen_result": ScreenResult.CANDIDATE, "technical_ok": True, "environmental_ok": True})
    seen = [measure.status]
    measure.take({"economic_ok": False})
    seen.append(measure.status)
    with pytest.raises(MoveNotAllowed):
        measure.take({"status": "done"})
    measure.take({"economic_ok": True})
    assert [*seen, measure.status] == [MeasureStatus.CANDIDATE, MeasureStatus.INFEASIBLE, MeasureStatus.FEASIBLE]
    assert measure.version == 4


def test_a_measure_that_is_carried_out_was_kept_in_the_screening() -> None:
    measure = a_measure()
    measure.take({"status": "done"})
    assert measure.screen_result is ScreenResult.CANDIDATE
    with pytest.raises(MoveNotAllowed):
        measure.take({"screen_result": ScreenResult.SCREENED_OUT})


@pytest.mark.parametrize("status", [MeasureStatus.SCREENED_OUT, MeasureStatus.DROPPED])
def test_what_was_given_up_is_not_done_without_being_taken_up_again(status: MeasureStatus) -> None:
    measure = a_measure(status)
    with pytest.raises(MoveNotAllowed):
        measure.take({"status": "done"})
    measure.take({"status": "candidate"})
    assert measure.status is MeasureStatus.CANDIDATE
