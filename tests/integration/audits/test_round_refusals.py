"""What a move refuses, in the contract's order, with its pointer, code and clause."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from infra.system import System
from services.audits.models import RoundState, Track
from tests.conftest import As, shown
from tests.lists import firm, told
from tests.rounds import ACCEPTED, PRODUCTS, Story, experts, institution, points, put_in_state, story

S = RoundState
DAY = "2026-05-06"
ID = str(uuid4())
BODIES: dict[str, dict[str, Any]] = {
    "disclose": {"channel": "官网", "url": "https://a.example", "disclosed_on": DAY},
    "start": {"service_mode": "self", "ability_proof": ID, "leader": "张三", "started_on": DAY},
    "complete-phase": {"phase": "P1_PREPARATION", "products": [], "completed_on": DAY},
    "submit-report": {"report": ID, "submitted_on": DAY, "summary": "摘要"},
    "apply-evaluation": {"applied_on": DAY},
    "accept-application": {"panel": [ID]},
    "return-application": {"reason": "材料不全"},
    "record-evaluation": {"sheets": [], "vetoes": [], "opinion": "意见", "decided_on": DAY},
    "submit-supplement": {"report": ID, "submitted_on": DAY},
    "recheck": {"result": "ok", "decided_on": DAY},
    "reaudit": {},
    "begin-implementation": {"plan": "方案", "begun_on": DAY},
    "apply-acceptance": {"applied_on": DAY},
    "record-acceptance": {"scores": ACCEPTED, "vetoes": [], "level": "II", "accepted_on": DAY, "document_no": "x"},
    "order-rectification": {"due_on": "2027-01-10", "reason": "整改"},
    "reapply": {},
    "order-reaudit": {"reason": "x"},
    "suspend": {"reason": "停产"},
    "resume": {},
    "cancel": {"reason": "x"},
}
DECIDED = {
    "accept-application", "return-application", "record-evaluation", "recheck", "record-acceptance",
    "order-rectification", "order-reaudit", "suspend", "resume", "cancel",
}  # fmt: skip
ENDED = {"accepted", "cancelled"}
ALL = {str(state) for state in S}
TAKEN_IN = {
    "disclose": ALL - ENDED,
    "start": {"listed"},
    "complete-phase": {"started", "pre_audit", "auditing", "measures_generated", "implementing"},
    "submit-report": {"measures_determined"},
    "apply-evaluation": {"report_submitted"},
    "accept-application": {"eval_applied", "accept_applied"},
    "return-application": {"eval_applied", "accept_applied"},
    "record-evaluation": {"eval_in_review"},
    "submit-supplement": {"supplement_required"},
    "recheck": {"supplement_submitted"},
    "reaudit": {"eval_failed"},
    "begin-implementation": {"eval_passed"},
    "apply-acceptance": {"implementing"},
    "record-acceptance": {"accept_in_review"},
    "order-rectification": {"accept_failed"},
    "reapply": {"rectifying"},
    "order-reaudit": {"accept_failed", "rectifying"},
    "suspend": ALL - ENDED - {"suspended"},
    "resume": {"suspended"},
    "cancel": ALL - ENDED,
}


def faults(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, shown(answer)
    return [(fault["pointer"], fault["code"]) for fault in answer.json().get("errors", [])]


def test_a_state_refuses_every_move_that_it_does_not_know_and_stays_as_it_is(system: System, as_role: As) -> None:
    play = story(system, as_role)
    province = as_role("provincial_ecology")
    before = len(told(system, "round.moved"))
    for state in S:
        put_in_state(system, play.id, state)
        allowed = play.round["allowed"]
        assert set(allowed) == {move for move, states in TAKEN_IN.items() if state in states}
        for move in set(BODIES) - set(allowed):
            answer = play.send(province if move in DECIDED else play.enterprise, move, **BODIES[move])
            assert answer.status_code == 409, (state, move, shown(answer))
            problem = answer.json()
            assert (problem["code"], problem["state"], problem["allowed"]) == ("move_not_allowed", state, allowed)
        assert (play.round["state"], play.round["version"]) == (state, 1)
    assert len(told(system, "round.moved")) == before


def test_the_checks_of_a_move_come_in_the_order_of_the_contract(system: System, as_role: As, nobody: Any) -> None:
    play = story(system, as_role)
    place, good = f"/audits/v1/rounds/{play.id}/start", BODIES["start"]
    stranger = as_role("enterprise", uscc=firm(2).uscc)
    assert nobody.post(place, {}).status_code == 401
    assert stranger.post(place, {}).status_code == 404
    assert play.officer.post(place, {}).status_code == 403
    assert play.officer.post(f"/audits/v1/rounds/{play.id}/cancel", {}).status_code == 403
    assert as_role("city_industry", jurisdiction="4302").post(place, {}).status_code == 403
    assert play.enterprise.post(place, {}).status_code == 422
    assert play.enterprise.post(place, good | {"more": 1}).status_code == 422
    assert play.enterprise.post(place, good).status_code == 428
    stale = play.enterprise.post(place, good, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_stale")
    put_in_state(system, play.id, S.AUDITING)
    early = good | {"started_on": "2026-03-09"}
    assert play.send(play.enterprise, "start", **early).status_code == 409
    put_in_state(system, play.id, S.LISTED)
    for day in ("2026-03-09", "2026-11-21"):
        answer = play.send(play.enterprise, "start", **good | {"started_on": day})
        assert answer.json()["code"] == "date_out_of_order" and faults(answer) == [("/started_on", "date_out_of_order")]
    unknown = play.send(play.enterprise, "start", **good)
    assert unknown.json()["code"] == "precondition_missing"
    assert faults(unknown) == [("/ability_proof", "file_unknown")]
    tag = play.enterprise.get(f"/audits/v1/rounds/{play.id}").headers["ETag"]
    started = play.enterprise.post(place, good | {"ability_proof": play.file("p")}, headers={"If-Match": tag})
    assert started.status_code == 200, shown(started)
    assert started.headers["ETag"] not in ("", tag)


def test_a_start_needs_its_papers_and_a_step_never_precedes_the_one_before(system: System, as_role: As) -> None:
    play = story(system, as_role)
    base = {"leader": "张三", "started_on": DAY}
    by_itself = play.send(play.enterprise, "start", service_mode="self", **base)
    assert faults(by_itself) == [("/ability_proof", "ability_proof_required")]
    assert "第十五条" in by_itself.json()["errors"][0]["clause"]
    helped = play.send(play.enterprise, "start", service_mode="institution", **base)
    assert faults(helped) == [("/institution", "institution_required"), ("/contract", "contract_required")]
    assert "第十六条" in helped.json()["errors"][0]["clause"]
    wrong = {"service_mode": "institution", "institution": firm(7).uscc, "contract": play.file("c")} | base
    assert faults(play.send(play.enterprise, "start", **wrong)) == [("/institution", "institution_unknown")]
    right = wrong | {"institution": institution(system)}
    play.move("disclose", channel="官网", url="https://a.example", disclosed_on="2026-05-01")
    again = play.send(play.enterprise, "disclose", **BODIES["disclose"])
    assert (again.status_code, "disclose" in again.json()["allowed"]) == (409, False)
    before = play.send(play.enterprise, "start", **right | {"started_on": "2026-04-30"})
    assert before.json()["code"] == "date_out_of_order"
    assert play.move("start", **right)["state"] == "started"


def test_a_phase_comes_in_its_turn_with_all_its_products(system: System, as_role: As) -> None:
    play = story(system, as_role, state=S.STARTED)
    full = [{"kind": kind, "data": {}} for kind in PRODUCTS["P3_AUDIT"]]
    early = play.send(play.enterprise, "complete-phase", phase="P3_AUDIT", products=full, completed_on=DAY)
    assert (early.status_code, early.json()["code"]) == (409, "move_not_allowed")
    some = [{"kind": "leading_group", "data": {}}, {"kind": "work_plan"}, {"kind": "training_record", "file": ID}]
    lacking = play.send(play.enterprise, "complete-phase", phase="P1_PREPARATION", products=some, completed_on=DAY)
    assert faults(lacking) == [
        ("/products", "product_missing"), ("/products", "product_missing"), ("/products/2/file", "file_unknown"),
    ]  # fmt: skip
    put_in_state(system, play.id, S.MEASURES_GENERATED)
    products = {phase: [{"kind": kind, "data": 1} for kind in kinds] for phase, kinds in PRODUCTS.items()}

    def send(phase: str) -> httpx.Response:
        return play.send(
            play.enterprise, "complete-phase", phase=phase, products=products[phase], completed_on="2026-05-06"
        )

    assert [code for _, code in faults(send("P4_GENERATION"))] == ["measure_required"]
    dear, cheap = play.measure("50000.01"), play.measure("50000")
    assert [code for _, code in faults(send("P5_DETERMINATION"))] == ["phase_missing", *["measure_not_screened"] * 2]
    assert send("P4_GENERATION").status_code == 200
    assert send("P4_GENERATION").status_code == 409
    play.change(cheap, screen_result="candidate")
    play.change(dear, screen_result="candidate", technical_ok=True, environmental_ok=True)
    assert faults(send("P5_DETERMINATION")) == [(f"/measures/{dear}", "measure_not_assessed")]
    play.change(dear, economic_ok=True)
    assert send("P5_DETERMINATION").json()["state"] == "measures_determined"
    undone = play.send(play.enterprise, "submit-report", **BODIES["submit-report"] | {"report": play.file("r")})
    assert faults(undone) == [(f"/measures/{cheap}", "measure_not_done")]
    put_in_state(system, play.id, S.IMPLEMENTING)
    bare = play.send(play.enterprise, "apply-acceptance", applied_on=DAY)
    assert [code for _, code in faults(bare)] == [
        "acceptance_report_required", "monitoring_before_required", "monitoring_after_required",
        "phase_missing", "phase_missing", "measure_open",
    ]  # fmt: skip
    assert all(fault["clause"] for fault in bare.json()["errors"])


def test_a_panel_is_odd_large_enough_known_and_without_conflicts(system: System, as_role: As) -> None:
    helper = institution(system)
    play = story(system, as_role, state=S.REPORT_SUBMITTED, institution=helper)
    advised = {
        3: [{"uscc": helper, "until": "2023-05-06"}],
        4: [{"uscc": helper, "until": "2023-05-05"}],
        5: [{"uscc": firm(1).uscc, "until": "2028-01-01"}],
    }
    pool = experts(system, "a", "b", "c", "d", "e", "f", firm(1).uscc, helper, advised=advised)
    play.move("apply-evaluation", applied_on="2026-05-06")

    def panel(*members: str) -> list[tuple[str, str]]:
        return faults(play.send(play.officer, "accept-application", panel=list(members)))

    assert panel() == [("/panel", "panel_required")]
    assert panel(pool[0]) == [("/panel", "panel_too_small")]
    assert panel(*pool[:2]) == [("/panel", "panel_too_small"), ("/panel", "panel_even")]
    assert panel(*pool[:3], pool[4]) == [("/panel", "panel_even")]
    assert panel(pool[0], pool[0], pool[1]) == [("/panel", "panel_too_small"), ("/panel/1", "panel_duplicate")]
    assert panel(*pool[:2], ID) == [("/panel/2", "expert_unknown")]
    conflicts = [panel(*pool[:2], pool[index]) for index in (3, 5, 6, 7)]
    assert conflicts == [[("/panel/2", "expert_conflict")]] * 4
    assert play.decide("accept-application", panel=[*pool[:2], pool[4]])["state"] == "eval_in_review"


def in_review(system: System, as_role: As) -> Story:
    pool = experts(system, "a", "b", "c")
    play = story(system, as_role, state=S.EVAL_IN_REVIEW, panel=pool)
    play.experts = pool
    return play


def sheets(play: Story, total: str = "95") -> list[dict[str, Any]]:
    return [{"expert": expert, "scores": points(total)} for expert in play.experts]


def test_an_evaluation_takes_one_right_sheet_of_each_panellist_and_no_fee(system: System, as_role: As) -> None:
    play, base = in_review(system, as_role), {"vetoes": [], "opinion": "意见", "decided_on": DAY}
    good = sheets(play)

    def send(**body: Any) -> httpx.Response:
        return play.send(play.officer, "record-evaluation", **base | {"sheets": good} | body)

    for fee in (5000, "0.01"):
        charged = send(fee_charged_to_enterprise=fee)
        assert (charged.json()["code"], faults(charged)[0][0]) == ("fee_forbidden", "/fee_charged_to_enterprise")
        assert "清洁生产促进法" in charged.json()["errors"][0]["clause"]
    later = send(fee_charged_to_enterprise="1", decided_on="2026-09-01")
    assert "第九百六十七条第四款" in later.json()["errors"][0]["clause"]
    assert faults(send(sheets=good[:2])) == [("/sheets", "sheet_missing")]
    assert faults(send(sheets=[*good, good[0]])) == [("/sheets/3/expert", "sheet_duplicate")]
    assert faults(send(sheets=[*good, good[0] | {"expert": ID}])) == [("/sheets/3/expert", "expert_not_on_panel")]
    above = [{"expert": good[0]["expert"], "scores": good[0]["scores"] | {"A1": "3.1"}}, *good[1:]]
    assert faults(send(sheets=above)) == [("/sheets/0/scores/A1", "score_above_points")]
    without = [{"expert": good[0]["expert"], "scores": {k: v for k, v in points("95").items() if k != "B9"}}, *good[1:]]
    assert faults(send(sheets=without)) == [("/sheets/0/scores/B9", "score_missing")]
    assert faults(send(vetoes=["V1_FRAUD"])) == [("/vetoes/0", "veto_unknown")]
    assert play.round["version"] == 1 and told(system, "evaluation.recorded") == []
    assert send(vetoes=["EV1_FRAUD"], fee_charged_to_enterprise=0).json()["state"] == "eval_failed"


def test_the_mean_of_the_sheets_is_banded_at_70_and_90(system: System, as_role: As) -> None:
    play = in_review(system, as_role)
    wanted = {
        "69.9": "eval_failed", "70": "supplement_required", "90": "supplement_required", "90.1": "eval_passed",
    }  # fmt: skip
    for total, state in wanted.items():
        put_in_state(system, play.id, S.EVAL_IN_REVIEW)
        body = {"sheets": sheets(play, total), "vetoes": [], "opinion": "意见", "decided_on": DAY}
        assert play.decide("record-evaluation", **body)["state"] == state, total
    put_in_state(system, play.id, S.EVAL_IN_REVIEW)
    mixed = [{"expert": e, "scores": points(t)} for e, t in zip(play.experts, ("90", "90", "90.1"), strict=True)]
    body = {"sheets": mixed, "vetoes": [], "opinion": "意见", "decided_on": DAY}
    assert play.decide("record-evaluation", **body)["state"] == "supplement_required"  # 90.033… is 90.0



def test_an_acceptance_has_the_level_that_the_index_system_gives(system: System, as_role: As) -> None:
    play = story(system, as_role, state=S.ACCEPT_IN_REVIEW)
    base = {"scores": ACCEPTED, "vetoes": [], "accepted_on": DAY, "document_no": "x"}
    score = play.officer.post("/audits/v1/score", {"index_system": "NONE", "indicators": {}})
    assert faults(score) == [("/index_system", "index_system_unknown")]
    params = {"metals": ["e06", "e08"]}
    known = _levels_of_plating(play)
    system_given = {"index_system": "ELECTROPLATING_2015_T1", "params": params}
    below = system_given | {"indicators": known | {"e05": "45"}}
    third = system_given | {"indicators": known | {"e05": "30"}}
    assert play.officer.post("/audits/v1/score", below).json()["level"] == "BELOW"
    answer = play.officer.post("/audits/v1/score", third, headers={"Idempotency-Key": ""}).json()
    assert [answer[key] for key in ("level", "y_i", "y_ii", "y_iii")] == ["III", "90", "90", "100"]
    contradicts = play.send(play.officer, "record-acceptance", **base | third | {"level": "II"})
    assert (contradicts.json()["code"], faults(contradicts)) == ("level_contradicts", [("/level", "level_contradicts")])
    broken = play.send(play.officer, "record-acceptance", **base | third | {"indicators": {"e99": "I"}})
    assert faults(broken) == [("/indicators/e99", "indicator_unknown")]
    above = play.send(play.officer, "record-acceptance", **base | {"scores": ACCEPTED | {"D1": "10.1"}})
    assert faults(above) == [("/scores/D1", "score_above_points")]
    assert play.decide("record-acceptance", **base | below)["state"] == "accept_failed"
    put_in_state(system, play.id, S.ACCEPT_IN_REVIEW)
    accepted = play.decide("record-acceptance", **base | third)
    assert (accepted["state"], accepted["level"]) == ("accepted", "III")
    vetoes = play.officer.get(f"/audits/v1/rounds/{play.id}/history").json()["items"][0]["content"]["vetoes"]
    assert vetoes == ["V4_BELOW_III"]


def _levels_of_plating(play: Story) -> dict[str, str]:
    """Every indicator of the system at level I."""
    from services.audits.actions.levels import systems

    return dict.fromkeys(systems()["ELECTROPLATING_2015_T1"].indicators.keys() - {"e07", "e09", "e10"}, "I")


def test_a_voluntary_round_has_no_step_older_than_the_statutes(system: System, as_role: As) -> None:
    play = story(system, as_role, track=Track.VOLUNTARY, published_on=None, latest_on=None, state=S.REPORT_SUBMITTED)
    for day in ("0001-01-01", "2012-06-30"):
        assert play.send(play.enterprise, "apply-evaluation", applied_on=day).json()["code"] == "date_out_of_order"
    assert play.move("apply-evaluation", applied_on="2012-07-01")["state"] == "eval_applied"


@pytest.mark.parametrize(("last", "state"), [("5", "accepted"), ("4.9", "accept_failed")])
def test_sixty_points_accept_and_anything_less_fails(system: System, as_role: As, last: str, state: str) -> None:
    play = story(system, as_role, state=S.ACCEPT_IN_REVIEW)
    scores = {"D1": "10", "D2": "10", "D3": "25", "D4": "10", "D5": "0", "D6": "0", "D7": last}
    done = play.decide("record-acceptance", scores=scores, vetoes=[], accepted_on=DAY, document_no="x")
    assert (done["state"], done["level"]) == (state, "NO_INDEX_SYSTEM" if state == "accepted" else None)
