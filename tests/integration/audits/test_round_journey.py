"""A round through all its states over HTTP, and the events, duties and status that it leaves."""

from datetime import date
from itertools import pairwise

from infra.system import System
from services.audits.models import RoundState, Track
from tests.conftest import As, shown
from tests.lists import firm, know, told
from tests.rounds import FAILED, PRODUCTS, Story, experts, institution, made_round, story


def test_a_round_through_supplements_a_reaudit_and_a_failed_acceptance_to_its_acceptance(
    system: System, as_role: As
) -> None:
    play = story(system, as_role)
    play.experts = experts(system, "e1", "e2", "e3")
    disclosed = play.move("disclose", channel="官网", url="https://a.example", disclosed_on=play.next_day())
    assert (disclosed["state"], disclosed["version"]) == ("listed", 2) and "disclose" not in disclosed["allowed"]
    helper = institution(system)
    contract = play.file("contract")
    started = play.move(
        "start",
        service_mode="institution",
        institution=helper,
        contract=contract,
        leader="张三",
        started_on=play.next_day(),
    )
    assert (started["institution"], started["state"]) == (helper, "started")
    consultant = as_role("institution", uscc=helper)
    assert [r["id"] for r in consultant.get("/audits/v1/rounds").json()["items"]] == [play.id]
    products = [{"kind": kind, "file": contract} for kind in PRODUCTS["P1_PREPARATION"]]
    p1 = play.send(
        consultant, "complete-phase", phase="P1_PREPARATION", products=products, completed_on=play.next_day()
    )
    assert p1.status_code == 200, shown(p1)
    assert consultant.get(f"/audits/v1/files/{contract}").status_code == 200
    play.audit("P2_PRE_AUDIT")
    play.report_and_apply()
    assert play.evaluate("90", "90", "90")["state"] == "supplement_required"
    _supplement_until_failed(play)

    again = play.move("reaudit")
    assert (again["state"], again["attempt"], again["panel"]) == ("pre_audit", 2, [])
    play.change(_measure_ids(play)[1], status="approved")
    dear = play.audit("P2_PRE_AUDIT")
    for measure in _measure_ids(play)[:2]:
        if play.enterprise.get(f"/audits/v1/rounds/{play.id}/measures/{measure}").json()["status"] != "done":
            play.change(measure, status="dropped")
    play.report_and_apply()
    assert play.evaluate("90.1", "90.1", "90.1")["state"] == "eval_passed"
    assert play.duties()["ACCEPTANCE_APPLICATION"] == "pending"
    play.implement_and_apply(dear)
    assert play.duties()["ACCEPTANCE_APPLICATION"] == "done"
    failed = play.accept(FAILED, level="II")
    assert (failed["state"], failed["level"]) == ("accept_failed", None)
    ordered = play.decide("order-rectification", due_on="2027-02-01", reason="整改")
    assert (ordered["state"], play.duties()["RECTIFICATION"]) == ("rectifying", "pending")
    assert play.move("reapply", applied_on=play.next_day())["state"] == "accept_applied"
    accepted = play.accept(level="II")
    assert (accepted["state"], accepted["level"]) == ("accepted", "II")
    assert accepted["allowed"] == []
    _check_what_is_left(system, play, accepted)


def _supplement_until_failed(play: Story) -> None:
    """Two supplements: the first may only be returned, the second may not be returned again."""
    supplement = play.file("supplement")
    play.move("submit-supplement", report=supplement, submitted_on=play.next_day())
    early = play.send(play.officer, "recheck", result="fail", decided_on=play.next_day())
    assert early.json()["errors"][0]["code"] == "supplement_rounds_left"
    assert play.decide("recheck", result="return", decided_on=play.next_day())["state"] == "supplement_required"
    play.move("submit-supplement", report=supplement, submitted_on=play.next_day())
    late = play.send(play.officer, "recheck", result="return", decided_on=play.next_day())
    assert late.json()["errors"][0]["code"] == "supplement_rounds_exhausted"
    assert play.decide("recheck", result="fail", decided_on=play.next_day())["state"] == "eval_failed"


def _measure_ids(play: Story) -> list[str]:
    return [m["id"] for m in play.enterprise.get(f"/audits/v1/rounds/{play.id}/measures").json()["items"]]


def _check_what_is_left(system: System, play: Story, accepted: dict[str, object]) -> None:
    duties = play.duties()
    assert {duties[code] for code in ("FIRST_DISCLOSURE", "START", "REPORT", "RECTIFICATION")} == {"done"}
    assert duties["NEXT_ROUND"] == "pending"
    moved = told(system, "round.moved")
    history = play.officer.get(f"/audits/v1/rounds/{play.id}/history").json()["items"]
    assert [line["number"] for line in history] == list(range(1, len(history) + 1))
    assert [line["to"] for line in history] == [event["state"] for event in moved]
    assert all(a["to"] == b["from"] for a, b in pairwise(history))
    assert accepted["version"] == len(history) + 1
    assert [e["band"] for e in told(system, "evaluation.recorded")] == ["supplement", "fail", "direct_pass"]
    assert all("mean" not in event for event in told(system, "evaluation.recorded"))
    results = [(e["result"], e["level"], e["fraud"]) for e in told(system, "acceptance.recorded")]
    assert results == [("accept_failed", None, False), ("accepted", "II", False)]
    accepted_on = date.fromisoformat(str(accepted["accepted_on"]))
    assert told(system, "acceptance.recorded")[1]["valid_until"] == accepted_on.replace(year=2031).isoformat()
    assert len(told(system, "round.phase_completed")) == 11 and len(told(system, "round.report_submitted")) == 2
    mine = play.enterprise.get(f"/audits/v1/rounds/{play.id}/history").json()["items"]
    decided = [line["content"] for line in mine if line["move"] == "record-evaluation"]
    assert decided[0]["band"] == "supplement" and "mean" not in decided[0]
    status = play.officer.get(f"/audits/v1/enterprises/{firm(1).uscc}/status").json()
    assert (status["result"], status["level"], status["stage"]) == ("accepted", "II", "accepted")


def test_fraud_cannot_be_rectified_and_leads_to_a_new_audit(system: System, as_role: As) -> None:
    play = story(system, as_role, state=RoundState.ACCEPT_IN_REVIEW, acceptance_attempts=0)
    body = {"scores": {f"D{i}": "5" for i in range(1, 8)}, "document_no": "x", "accepted_on": "2026-11-01"}
    play.decide("record-acceptance", **body, vetoes=["V1_FRAUD"], level="II")
    assert told(system, "acceptance.recorded")[0]["fraud"] is True
    refused = play.send(play.officer, "order-rectification", due_on="2027-01-10", reason="x")
    assert [e["code"] for e in refused.json()["errors"]] == ["cause_not_curable"]
    anew = play.decide("order-reaudit")
    assert (anew["state"], anew["attempt"], anew["acceptance_attempts"]) == ("pre_audit", 2, 0)


def test_a_new_audit_is_ordered_only_when_it_is_due(system: System, as_role: As) -> None:
    play = story(system, as_role, state=RoundState.ACCEPT_IN_REVIEW)
    play.decide("record-acceptance", scores=FAILED, vetoes=[], document_no="x", accepted_on="2026-11-01")
    early = play.send(play.officer, "order-reaudit", reason="x")
    assert [e["code"] for e in early.json()["errors"]] == ["reaudit_not_due"]
    past = play.send(play.officer, "order-rectification", due_on="2026-11-19", reason="x")
    assert (past.status_code, past.json()["code"]) == (422, "date_out_of_order")
    play.decide("order-rectification", due_on="2026-11-25", reason="整改")
    assert play.send(play.officer, "order-reaudit").status_code == 422
    system.contexts["audits"].clock.move_to(date(2026, 11, 26))
    assert play.decide("order-reaudit")["state"] == "pre_audit"
    assert play.duties()["RECTIFICATION"] == "waived"


def test_a_second_failed_acceptance_uses_the_attempts_up(system: System, as_role: As) -> None:
    play = story(system, as_role, state=RoundState.ACCEPT_IN_REVIEW, acceptance_attempts=1)
    play.decide("record-acceptance", scores=FAILED, vetoes=[], document_no="x", accepted_on="2026-11-01")
    refused = play.send(play.officer, "order-rectification", due_on="2027-01-10", reason="x")
    assert [e["code"] for e in refused.json()["errors"]] == ["attempts_exhausted"]
    assert play.decide("order-reaudit", reason="两次不合格")["attempt"] == 2


def test_a_suspended_round_goes_on_where_it_was_and_its_policy_terms_move(system: System, as_role: As) -> None:
    play = story(system, as_role, state=RoundState.ACCEPT_IN_REVIEW)
    play.decide("record-acceptance", scores=FAILED, vetoes=[], document_no="x", accepted_on="2026-11-01")
    play.decide("order-rectification", due_on="2026-12-20", reason="整改")
    assert play.send(play.officer, "suspend").json()["errors"][0]["code"] == "reason_required"
    assert play.decide("suspend", reason="停产")["state"] == "suspended"
    assert play.send(play.enterprise, "reapply").status_code == 409
    system.contexts["audits"].clock.move_to(date(2026, 11, 30))
    assert play.decide("resume")["state"] == "rectifying"
    due = {duty["code"]: duty["due_on"] for duty in play.round["obligations"]}
    assert due["RECTIFICATION"] == "2026-12-30" and due["REPORT"] == "2027-03-10"


def test_a_voluntary_round_is_opened_once_decided_by_industry_and_withdrawn_until_its_review(
    system: System, as_role: As
) -> None:
    one = firm(1)
    know(system, one)
    mine, industry = as_role("enterprise", uscc=one.uscc), as_role("city_industry", jurisdiction="4302")
    opening = {"uscc": one.uscc, "track": "voluntary"}
    assert as_role("enterprise", uscc=firm(2).uscc).post("/audits/v1/rounds", opening).status_code == 404
    assert as_role("city_industry", jurisdiction="4306").post("/audits/v1/rounds", opening).status_code == 404
    assert as_role("city_ecology", jurisdiction="4302").post("/audits/v1/rounds", opening).status_code == 403
    assert mine.post("/audits/v1/rounds", opening, headers={"Idempotency-Key": ""}).status_code == 400
    opened = industry.post("/audits/v1/rounds", opening)
    assert opened.status_code == 201, shown(opened)
    assert (opened.json()["state"], opened.json()["obligations"]) == ("listed", [])
    twice = mine.post("/audits/v1/rounds", opening)
    assert (twice.status_code, twice.json()["code"]) == (409, "round_open")
    play = Story(system, mine, industry, opened.json()["id"])
    play.start_by_itself()
    play.experts = experts(system, "e1", "e2", "e3")
    play.audit()
    play.report_and_apply()
    play.decide("accept-application", panel=play.experts)
    late = play.send(mine, "cancel")
    assert (late.status_code, late.json()["code"]) == (409, "move_not_allowed")
    assert play.round["obligations"] == []
    assert play.decide("cancel")["state"] == "cancelled"


def test_a_round_is_seen_by_its_parties_and_nobody_else(system: System, as_role: As) -> None:
    round_id = made_round(system, firm(1))
    second = made_round(system, firm(2), track=Track.VOLUNTARY, state=RoundState.STARTED)
    third = made_round(system, firm(3), state=RoundState.STARTED)
    officer = as_role("county_ecology", jurisdiction="430204")
    page = officer.get("/audits/v1/rounds?limit=2")
    items = page.json()["items"] + officer.get(f"/audits/v1/rounds?limit=2&after={page.json()['next']}").json()["items"]
    assert [item["id"] for item in items] == [str(third), str(second), str(round_id)]
    found = officer.get("/audits/v1/rounds?state=started&track=mandatory&division=4302").json()["items"]
    assert [item["id"] for item in found] == [str(third)]
    assert officer.get("/audits/v1/rounds?state=nowhere").status_code == 422
    strangers = [
        as_role("enterprise", uscc=firm(2).uscc),
        as_role("city_ecology", jurisdiction="4306"),
        as_role("institution", uscc=firm(9).uscc),
    ]
    for stranger in strangers:
        for place in ("", "/history", "/phases", "/measures"):
            assert stranger.get(f"/audits/v1/rounds/{round_id}{place}").status_code == 404
        assert stranger.post(f"/audits/v1/rounds/{round_id}/start", {}).status_code == 404
    assert officer.get("/audits/v1/rounds/not-an-id").status_code == 404
    assert as_role("bank", uscc=firm(8).uscc).get("/audits/v1/rounds").status_code == 403
    assert as_role("auditor").get(f"/audits/v1/rounds/{round_id}").status_code == 200
    tag = officer.get(f"/audits/v1/rounds/{round_id}").headers["ETag"]
    same = officer.get(f"/audits/v1/rounds/{round_id}", headers={"If-None-Match": tag})
    assert same.status_code == 304
