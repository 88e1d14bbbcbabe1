"""Rounds: the straight way to acceptance, the long way through every branch, a failed one, and voluntary ones."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from infra.audit_story import ACCEPTANCE, PDF, SHEET, RoundStory
from infra.client import Caller, until
from infra.credentials import uscc_of
from tests.e2e.chapters.lists import entries_of
from tests.e2e.chapters.world import World

PATH = "/audits/v1/rounds"
# 清洁生产审核 as the law and the 2018 guide order it: each move that the journey must have seen in a history.
MOVES = {
    "M01": ("start", "listed", "started"),
    "M02": ("complete-phase", "started", "pre_audit"),
    "M03": ("complete-phase", "pre_audit", "auditing"),
    "M04": ("complete-phase", "auditing", "measures_generated"),
    "M05": ("complete-phase", "measures_generated", "measures_determined"),
    "M06": ("submit-report", "measures_determined", "report_submitted"),
    "M07": ("apply-evaluation", "report_submitted", "eval_applied"),
    "M08": ("accept-application", "eval_applied", "eval_in_review"),
    "M09": ("return-application", "eval_applied", "report_submitted"),
    "M10": ("record-evaluation", "eval_in_review", "eval_passed"),
    "M11": ("record-evaluation", "eval_in_review", "supplement_required"),
    "M12": ("record-evaluation", "eval_in_review", "eval_failed"),
    "M13": ("submit-supplement", "supplement_required", "supplement_submitted"),
    "M14": ("recheck", "supplement_submitted", "eval_passed"),
    "M15": ("recheck", "supplement_submitted", "supplement_required"),
    "M16": ("recheck", "supplement_submitted", "eval_failed"),
    "M17": ("reaudit", "eval_failed", "pre_audit"),
    "M18": ("begin-implementation", "eval_passed", "implementing"),
    "M19": ("apply-acceptance", "implementing", "accept_applied"),
    "M20": ("accept-application", "accept_applied", "accept_in_review"),
    "M21": ("return-application", "accept_applied", "implementing"),
    "M22": ("record-acceptance", "accept_in_review", "accepted"),
    "M23": ("record-acceptance", "accept_in_review", "accept_failed"),
    "M24": ("order-rectification", "accept_failed", "rectifying"),
    "M25": ("reapply", "rectifying", "accept_applied"),
    "M26": ("order-reaudit", "accept_failed", "pre_audit"),
    "M30": ("suspend", "auditing", "suspended"),
    "M31": ("resume", "suspended", "auditing"),
    "M32": ("cancel", "pre_audit", "cancelled"),
}
POOR = ACCEPTANCE | {"D3": "0", "D4": "0", "D5": "0"}


@dataclass
class DoubtedRound(RoundStory):
    """A round of which every kind of move is, once in the journey, refused first in all the ways that may happen."""

    world: World = field(kw_only=True)
    helper: Caller | None = None

    def by(self, caller: Caller, move: str, **body: Any) -> Any:
        """A move of a caller, doubted."""
        w, place = self.world, f"{PATH}/{self.round_id}/{move}"
        if first := move not in w.doubted:
            w.doubted.add(move)
            self._doubt(caller, move, body)
        answer = caller.move(self.round_id, move, **body)
        if first:
            told = w.refused(caller, 409, "move_not_allowed", "POST", place, json=body, headers=self.version(caller))
            assert told["state"] == answer["state"] and told["allowed"] == answer["allowed"]
        return answer

    def _doubt(self, caller: Caller, move: str, body: dict[str, Any]) -> None:
        """Another city, another role, an unknown field, no version, an old version: in the order of the checks."""
        w, place, before = self.world, f"{PATH}/{self.round_id}/{move}", caller.get(f"{PATH}/{self.round_id}")
        w.refused(w.other_city, 404, "not_found", "POST", place, json={"wrong": 1})
        w.refused(w.auditor, 403, "forbidden", "POST", place, json={"wrong": 1})
        other_side = self.enterprise if caller is not self.enterprise else self.officer
        w.refused(other_side, 403, "forbidden", "POST", place, json=body)
        w.refused(caller, 422, "unknown_field", "POST", place, json=body | {"wrong": 1})
        w.refused(caller, 428, "if_match_required", "POST", place, json=body)
        w.refused(caller, 412, "version_stale", "POST", place, json=body, headers={"If-Match": '"999"'})
        assert caller.get(f"{PATH}/{self.round_id}") == before, f"a refused {move} changed the round"

    def version(self, caller: Caller) -> dict[str, str]:
        return {"If-Match": f'"{caller.get(f"{PATH}/{self.round_id}")["version"]}"'}

    def _move(self, move: str, **body: Any) -> Any:
        return self.by(self.enterprise, move, **body)

    def _decide(self, move: str, **body: Any) -> Any:
        return self.by(self.officer, move, **body)

    def _phase(self, phase: str) -> None:
        mine, self.enterprise = self.enterprise, (self.helper or self.enterprise)
        try:
            super()._phase(phase)
        finally:
            self.enterprise = mine

    def refused_move(self, caller: Caller, status: int, code: str, move: str, **body: Any) -> dict[str, Any]:
        """The move with the present version is refused."""
        place = f"{PATH}/{self.round_id}/{move}"
        return self.world.refused(caller, status, code, "POST", place, json=body, headers=self.version(caller))

    def audit_again(self) -> None:
        """Phases 2 to 5 of a new attempt; the measures stand."""
        for phase in ("P2_PRE_AUDIT", "P3_AUDIT", "P4_GENERATION", "P5_DETERMINATION"):
            self._phase(phase)

    def papers(self) -> dict[str, str]:
        return {name: self._file(name) for name in ("acceptance_report", "monitoring_before", "monitoring_after")}


def _story(w: World, enterprise: Caller, round_id: str, officer: Caller | None = None) -> DoubtedRound:
    return DoubtedRound(enterprise, officer or w.city, round_id, w.experts[:3], w.start, w.today, pace=2, world=w)


def audit(w: World) -> None:
    w.province.post("/sandbox/clock", {"today": w.day(150).isoformat()})
    w.refused(w.province, 422, "clock_moves_forward", "POST", "/sandbox/clock", json={"today": w.start.isoformat()})
    w.refused(w.city, 403, "forbidden", "POST", "/sandbox/clock", json={"today": w.day(151).isoformat()})
    story, place, day = _story(w, w.enterprise, w.round_id), f"{PATH}/{w.round_id}", w.start.isoformat()
    w.story = story
    report = {"report": str(uuid4()), "submitted_on": day, "summary": "x"}
    problem = story.refused_move(w.enterprise, 409, "move_not_allowed", "submit-report", **report)
    assert problem["state"] == "listed" and "start" in problem["allowed"]
    bare = {"service_mode": "self", "leader": "总经理", "started_on": day}
    missing = story.refused_move(w.enterprise, 422, "precondition_missing", "start", **bare)
    assert missing["errors"][0]["pointer"] and missing["errors"][0]["clause"]
    early = {"channel": "官网", "url": "https://firm.example", "disclosed_on": w.day(-1).isoformat()}
    story.refused_move(w.enterprise, 422, "date_out_of_order", "disclose", **early)
    story.disclose_and_start(uscc_of("institution"))
    ahead: dict[str, Any] = {"phase": "P3_AUDIT", "products": [], "completed_on": story.day.isoformat()}
    story.refused_move(w.enterprise, 409, "move_not_allowed", "complete-phase", **ahead)
    bare = ahead | {"phase": "P1_PREPARATION"}
    story.refused_move(w.enterprise, 422, "product_missing", "complete-phase", **bare)
    story.audit()
    _measures(w, place, story)
    story.report()
    found = w.callers["institution"].get(place)
    assert found["state"] == "report_submitted"
    done = {o["code"]: o["status"] for o in found["obligations"]}
    assert done["FIRST_DISCLOSURE"] == done["START"] == done["REPORT"] == "done"
    _read(w, place)


def _measures(w: World, place: str, story: DoubtedRound) -> None:
    path, one = f"{place}/measures", {"name": "更换泵", "aspect": "A2", "cost_cny": "1000.00"}
    measure = f"{path}/{story.measures[0]}"
    w.refused(w.city, 403, "forbidden", "POST", path, json=one)
    w.refused(w.enterprise, 422, "invalid", "POST", path, json=one | {"cost_cny": "-1"})
    w.refused(w.enterprise, 400, "idempotency_key_required", "POST", path, json=one, headers={"Idempotency-Key": ""})
    w.refused(w.enterprise, 428, "if_match_required", "PATCH", measure, json={"economic_ok": True})
    stale = {"If-Match": '"99"'}
    w.refused(w.enterprise, 412, "version_stale", "PATCH", measure, json={"economic_ok": True}, headers=stale)
    w.refused(w.enterprise, 422, "invalid", "PATCH", measure, json={"status": "verified"}, headers=stale)
    w.missing(w.other_city, f"GET {path}", f"POST {path}", f"GET {measure}", f"PATCH {measure}")
    assert [m["id"] for m in w.city.get(path)["items"]] == story.measures


def _read(w: World, place: str) -> None:
    assert [s["to"] for s in w.city.get(f"{place}/history")["items"]][-1] == "report_submitted"
    phases = w.auditor.get(f"{place}/phases")["items"]
    assert [p["phase"][:2] for p in phases] == ["P1", "P2", "P3", "P4", "P5"]
    w.missing(w.other_city, f"GET {place}", f"GET {place}/history", f"GET {place}/phases")
    found = w.city.get(PATH, uscc=w.firm.uscc, state="report_submitted", track="mandatory", division="4302")["items"]
    assert [r["id"] for r in found] == [w.round_id]
    w.forbidden(w.bank, f"GET {PATH}")
    w.refused(w.city, 422, "invalid", "GET", PATH, params={"state": "lost"})
    files = "/audits/v1/files"
    made = w.enterprise.upload(files, "证明.pdf", PDF)
    back = w.enterprise.request("GET", f"{files}/{made['id']}")
    assert back.content == PDF and made["media_type"] == back.headers["content-type"] == "application/pdf"
    w.missing(w.other_city, f"GET {files}/{made['id']}")
    w.refused(w.enterprise, 422, "file_kind_not_allowed", "POST", files, files={"file": ("x.pdf", b"MZ\x90")})
    w.refused(w.enterprise, 422, "file_empty", "POST", files, files={"file": ("x.pdf", b"")})
    w.refused(w.bank, 403, "forbidden", "POST", files, files={"file": ("x.pdf", PDF)})


def evaluate(w: World) -> None:
    story = w.story
    assert isinstance(story, DoubtedRound)
    story._move("apply-evaluation", applied_on=story._next())
    for panel, code in ((w.experts[:2], "panel_too_small"), (w.experts[1:4], "expert_conflict")):
        story.refused_move(w.city, 422, code, "accept-application", panel=panel)
    story._decide("accept-application", panel=w.experts[:3])
    full = {item: str(points) for item, points in SHEET.items()}
    sheets = [{"expert": e, "scores": full} for e in w.experts[:3]]
    body = {"sheets": sheets, "vetoes": [], "opinion": "好", "decided_on": story._next()}
    over = body | {"sheets": [sheets[0] | {"scores": full | {"A1": "3.1"}}, *sheets[1:]]}
    twice = body | {"sheets": [sheets[0], sheets[0], sheets[2]]}
    story.refused_move(w.city, 422, "score_above_points", "record-evaluation", **over)
    story.refused_move(w.city, 422, "sheet_duplicate", "record-evaluation", **twice)
    fee = body | {"fee_charged_to_enterprise": "5000"}
    story.refused_move(w.city, 422, "fee_forbidden", "record-evaluation", **fee)
    assert story._decide("record-evaluation", **body)["state"] == "eval_passed"


def accept(w: World) -> None:
    story = w.story
    assert isinstance(story, DoubtedRound)
    story.helper = w.callers["institution"]
    story.implement()
    verdict = {"scores": ACCEPTANCE, "vetoes": [], "accepted_on": story.day.isoformat(), "document_no": "示例"}
    done = story.acceptance("株环验示例", "I")
    assert done["state"] == "accepted"
    story.refused_move(w.city, 409, "move_not_allowed", "record-acceptance", **verdict)


def long_way(w: World) -> None:
    """Suspended, returned, supplemented twice, failed, audited anew, returned again, failed twice, cancelled."""
    story = _story(w, w.owner(w.slow), entries_of(w)[w.slow.uscc]["round"])
    story.disclose_and_start()
    for phase in ("P1_PREPARATION", "P2_PRE_AUDIT"):
        story._phase(phase)
    story.refused_move(w.city, 422, "reason_required", "suspend", reason="")
    story._decide("suspend", reason="停产检修")
    story._decide("resume", reason="复产")
    story._phase("P3_AUDIT")
    _plan_and_report(story)
    story._move("apply-evaluation", applied_on=story._next())
    story._decide("return-application", reason="材料不全")
    _supplemented(story)
    story._move("submit-supplement", report=story._file("supplement"), submitted_on=story._next())
    story.refused_move(w.city, 422, "supplement_rounds_left", "recheck", result="fail", decided_on=story.day.isoformat())
    story._decide("recheck", result="return", decided_on=story._next())
    story._move("submit-supplement", report=story._file("supplement"), submitted_on=story._next())
    story.refused_move(w.city, 422, "supplement_rounds_exhausted", "recheck", result="return", decided_on=story.day.isoformat())
    assert story._decide("recheck", result="fail", decided_on=story._next())["state"] == "eval_failed"
    assert story._move("reaudit")["attempt"] == 2
    story.audit_again()
    story.report()
    _supplemented(story)
    story._move("submit-supplement", report=story._file("supplement"), submitted_on=story._next())
    assert story._decide("recheck", result="ok", decided_on=story._next())["state"] == "eval_passed"
    _failed_acceptance(w, story)
    # On the mandatory track the province alone ends a round, because the entry is gone.
    told = story.by(w.province, "cancel", reason="REMOVED")
    assert told["state"] == "cancelled" and {o["status"] for o in told["obligations"]} <= {"waived", "done", "done_late"}


def _plan_and_report(story: DoubtedRound) -> None:
    cheap, large = story._measure("更换喷嘴", "A3", "20000.00"), story._measure("余热回收", "A2", "1800000.00")
    story._change(cheap, screen_result="candidate", status="done")
    story._change(large, screen_result="candidate")
    story._phase("P4_GENERATION")
    today = story.day.isoformat()
    late = {"phase": "P5_DETERMINATION", "products": [], "completed_on": today}
    story.refused_move(story.enterprise, 422, "measure_not_assessed", "complete-phase", **late)
    story._change(large, technical_ok=True, environmental_ok=True, economic_ok=True)
    story._phase("P5_DETERMINATION")
    story.report()


def _supplemented(story: DoubtedRound) -> None:
    story.evaluation(share="0.8")
    found = story.officer.get(f"{PATH}/{story.round_id}")
    assert found["state"] == "supplement_required", found["state"]


def _failed_acceptance(w: World, story: DoubtedRound) -> None:
    story.implement()
    story._decide("return-application", reason="监测数据不全")
    story._move("apply-acceptance", **story.papers(), applied_on=story._next())
    assert story.acceptance("株环验示例2", "II", POOR)["state"] == "accept_failed"
    story.refused_move(w.city, 422, "reaudit_not_due", "order-reaudit", reason="太早")
    due = (w.today + timedelta(days=30)).isoformat()
    story._decide("order-rectification", due_on=due, reason="整改")
    story._move("reapply", applied_on=story._next())
    assert story.acceptance("株环验示例3", "II", POOR)["state"] == "accept_failed"
    story.refused_move(w.city, 422, "attempts_exhausted", "order-rectification", due_on=due, reason="再整改")
    assert story._decide("order-reaudit", reason="次数用尽")["attempt"] == 3
    failed = until(lambda: w.receiver.of("audits.acceptance.recorded.v1", w.slow.uscc)[1:], what="the second failure")
    assert failed[0].json["data"]["result"] == "accept_failed" and failed[0].json["data"]["level"] is None


def failed_evaluation(w: World) -> None:
    """A veto fails whatever the points are."""
    story = _story(w, w.owner(w.erring), entries_of(w)[w.erring.uscc]["round"])
    story.disclose_and_start()
    story.audit()
    story.report()
    story._move("apply-evaluation", applied_on=story._next())
    story._decide("accept-application", panel=story.experts)
    full = {item: str(Decimal(points)) for item, points in SHEET.items()}
    body = {"sheets": [{"expert": e, "scores": full} for e in story.experts], "opinion": "数据失实", "decided_on": story._next()}
    story.refused_move(w.city, 422, "veto_unknown", "record-evaluation", **body, vetoes=["EV9_MOOD"])
    assert story._decide("record-evaluation", **body, vetoes=["EV2_DATA_ERROR"])["state"] == "eval_failed"


def volunteer(w: World) -> None:
    """Opened by the city's industry office, withdrawn by the enterprise, opened again by itself, ended by the office."""
    office, owner = w.callers["city_industry_4302"], w.owner(w.willing)
    body = {"uscc": w.willing.uscc, "track": "voluntary"}
    w.refused(w.city, 403, "forbidden", "POST", PATH, json=body)
    w.refused(office, 422, "invalid", "POST", PATH, json=body | {"track": "mandatory"})
    w.refused(office, 404, "not_found", "POST", PATH, json=body | {"uscc": w.other.uscc})
    w.refused(office, 400, "idempotency_key_required", "POST", PATH, json=body, headers={"Idempotency-Key": ""})
    opened = office.post(PATH, body)
    assert opened["track"] == "voluntary" and opened["obligations"] == [] and "disclose" not in opened["allowed"]
    assert w.refused(owner, 409, "round_open", "POST", PATH, json=body)
    assert owner.move(opened["id"], "cancel")["state"] == "cancelled"
    again = owner.post(PATH, body)
    story = _story(w, owner, again["id"], office)
    story._move("start", service_mode="self", ability_proof=story._file("ability"), leader="厂长", started_on=story._next())
    assert story.by(office, "suspend", reason="停产")["state"] == "suspended"
    assert story.by(office, "cancel", reason="注销")["state"] == "cancelled"


def every_move_was_made(w: World) -> None:
    """M01–M26 and M30–M32, as the histories of the rounds tell them."""
    steps = {
        (step["move"], step["from"], step["to"])
        for round in w.province.get(PATH, limit=500)["items"]
        for step in w.province.get(f"{PATH}/{round['id']}/history")["items"]
    }
    assert {number for number, move in MOVES.items() if move not in steps} == set()


def score(w: World) -> None:
    path = "/audits/v1/score"
    body = {"index_system": "ELECTROPLATING_2015_T1", "params": {"metals": ["e06", "e08"]}, "indicators": {"e05": "20", "e01": "II"}}
    scored = w.bank.post(path, body)
    assert scored["level"] == "BELOW" and scored["trace"]
    w.refused(w.bank, 422, "index_system_unknown", "POST", path, json=body | {"index_system": "PAPER_1900"})
    w.refused(w.narrow("bank"), 403, "forbidden", "POST", path, json=body)
    w.refused(w.bank, 422, "unknown_field", "POST", path, json=body | {"opinion": "good"})


