"""The main job from outside, over HTTP alone: random firms and dates, refusals included, on both ways to run."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from infra import fiction
from infra.audit_story import RoundStory
from infra.client import Caller, Callers, until
from infra.credentials import uscc_of
from infra.fiction import Firm
from infra.receiver import Receiver
from shared.codes import county_codes, make_uscc
from tests.instances import Instance

CHANCE = random.Random()
SEED = CHANCE.randrange(10**6)


@pytest.fixture(scope="module", params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def instance(request: pytest.FixtureRequest) -> Iterator[Instance]:
    CHANCE.seed(SEED)
    start = date(2026, 1, 5) + timedelta(days=CHANCE.randrange(60))
    settings = {"CLEANPROD_CLOCK": start.isoformat()}
    if request.param == "kafka":
        settings |= {"CLEANPROD_BUS": "kafka", "CLEANPROD_KAFKA": request.getfixturevalue("broker").servers}
    folder = Path(tempfile.mkdtemp(prefix="cleanprod-e2e-"))
    started = Instance(folder, settings)
    try:
        yield started.start()
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver().start()
    yield started
    started.stop()


class World:
    """What the steps of the journey share."""

    def __init__(self, callers: Callers, receiver: Receiver, start: date) -> None:
        self.callers, self.receiver, self.start = callers, receiver, start
        self.province, self.bank = callers["provincial_ecology"], callers["bank"]
        self.city = callers["city_ecology_4302"]
        number = CHANCE.randrange(20_000)
        zhuzhou = [c for c in county_codes() if c.startswith("4302")]
        self.firm = Firm(uscc_of("enterprise"), f"株洲示例铝业{number}有限公司", CHANCE.choice(zhuzhou), "3216")
        self.other = Firm(make_uscc(number, division="430600"), f"岳阳示例化工{number}有限公司", "430603", "2611")
        self.newcomer = Firm(make_uscc(number + 1, division="430200"), f"株洲示例新厂{number}有限公司", zhuzhou[0], "3212")
        self.enterprise: Caller = callers["enterprise"]
        self.experts: list[str] = []
        self.list_id = self.round_id = self.subscription = self.secret = ""
        self.story: RoundStory | None = None


def refused(caller: Caller, status: int, code: str, method: str, path: str, **options: Any) -> dict[str, Any]:
    """The call is refused with this status and code, as a problem document."""
    answer = caller.request(method, path, **options)
    assert answer.status_code == status, (method, path, answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status and problem["request_id"] == answer.headers["x-request-id"]
    assert code in (problem["code"], *(e["code"] for e in problem.get("errors", []))), problem
    return problem


def test_the_journey_ends_well(instance: Instance, receiver: Receiver) -> None:
    start = date.fromisoformat(instance.settings["CLEANPROD_CLOCK"])
    world = World(instance.callers, receiver, start)
    for step in (
        sign_in, register, subscribe, publish_list, consent, audit, evaluate, accept, bank_sees, decide, tier_list, feed, overdue, withdraw,
    ):  # fmt: skip
        try:
            step(world)
        except Exception as error:
            error.add_note(f"step {step.__name__}, seed {SEED}\n{instance.log()}")
            raise


def sign_in(w: World) -> None:
    import httpx

    base = w.callers.base
    assert httpx.get(f"{base}/registry/v1/.well-known/jwks.json").json()["keys"][0]["alg"] == "ES256"
    assert httpx.get(f"{base}/registry/v1/enterprises").status_code == 401
    wrong = httpx.post(f"{base}/registry/v1/oauth/token", data={"grant_type": "client_credentials"}, auth=("a", "b"))
    assert wrong.status_code == 401
    assert httpx.get(f"{base}/livez").status_code == 200 and "http_requests_total" in httpx.get(f"{base}/metrics").text
    assert "/audits/v1/lists" in httpx.get(f"{base}/openapi.json").json()["paths"]
    assert refused(w.bank, 404, "not_found", "GET", "/registry/v1/nothing")["title"]
    english = w.bank.request("GET", "/registry/v1/nothing", headers={"Accept-Language": "en"}).json()
    assert english["title"] == "Not found"
    county = w.callers.made("county_ecology", "示例县局", jurisdiction=w.firm.division)
    assert county.get("/registry/v1/enterprises")["items"] == []
    refused(w.bank, 403, "forbidden", "POST", "/registry/v1/clients", json={"role": "bank", "name": "x", "uscc": w.firm.uscc})


def register(w: World) -> None:
    body = {"uscc": w.firm.uscc, "name": w.firm.name, "division": w.firm.division, "industry": w.firm.industry}
    path = "/registry/v1/enterprises"
    refused(w.province, 400, "idempotency_key_required", "POST", path, json=body, headers={"Idempotency-Key": ""})
    refused(w.bank, 403, "forbidden", "POST", path, json=body)
    bad = body["uscc"][:-1] + ("0" if body["uscc"][-1] != "0" else "1")
    refused(w.province, 422, "uscc_check_digit", "POST", path, json=body | {"uscc": bad})
    refused(w.province, 422, "division_unknown", "POST", path, json=body | {"division": "430299"})
    refused(w.province, 422, "unknown_field", "POST", path, json=body | {"secret": 1})
    key = {"Idempotency-Key": uuid4().hex}
    first = w.province.request("POST", path, json=body, headers=key)
    again = w.province.request("POST", path, json=body, headers=key)
    assert first.status_code == again.status_code == 201 and first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    refused(w.province, 422, "idempotency_key_reused", "POST", path, json=body | {"name": "另一家"}, headers=key)
    refused(w.province, 409, "already_exists", "POST", path, json=body)
    w.province.post(path, {"uscc": w.other.uscc, "name": w.other.name, "division": w.other.division, "industry": w.other.industry})
    facts = {"al_kwh_per_t": "13371", "al_production_kwh": "1000000000", "renewable_share_pct": "8", "grid_account": "0731-EX-9"}
    facts |= {f"GF_V{n}": "absent" for n in range(1, 7)} | {"plan_in_catalogue": "true", "provincial_green_factory": "false"}
    for code, value in facts.items():
        fact = {"code": code, "value": value, "valid_from": f"{w.start.year - 1}-01-01", "source": "核定"}
        w.province.post(f"{path}/{w.firm.uscc}/facts", fact)
    institution = {"uscc": uscc_of("institution"), "name": "麓山示例服务公司", "division": "430104"}
    w.province.post("/registry/v1/institutions", institution)
    for name, employer in (("甲", uscc_of("bank")), ("乙", uscc_of("bank")), ("丙", uscc_of("bank")), ("丁", w.firm.uscc)):
        expert = {"name": name, "employer_uscc": employer, "specialities": ["有色"], "advised": []}
        w.experts.append(w.province.post("/registry/v1/experts", expert)["id"])
    until(lambda: w.city.request("GET", f"/audits/v1/enterprises/{w.firm.uscc}/status").status_code == 200, what="audits")
    record = {"uscc": w.firm.uscc, "evaluation_year": w.start.year - 2, "grade": "蓝牌", "level": "province"}
    until(lambda: w.province.request("GET", f"/credit/v1/enterprises/{w.firm.uscc}").status_code == 200, what="credit")
    w.province.post("/credit/v1/records", record | {"published_on": f"{w.start.year - 1}-06-05", "document_no": "示例"})


def subscribe(w: World) -> None:
    subscriber, path = w.callers["subscriber"], "/notifications/v1/subscriptions"
    for url in ("https://10.0.0.1/x", "https://169.254.169.254/", "http://example.org/", "https://[::ffff:10.0.0.1]/"):
        refused(subscriber, 422, "target_not_allowed", "POST", path, json={"url": url, "types": ["audits.*"]})
    made = subscriber.post(path, {"url": w.receiver.url, "types": ["audits.acceptance.recorded.v1", "audits.list_entry.*"]})
    w.subscription, w.secret = made["id"], made["secret"]
    assert made["state"] == "pending" and w.secret.startswith("whsec_")
    assert subscriber.post(f"{path}/{w.subscription}/verify")["state"] == "active"
    assert "secret" not in subscriber.get(f"{path}/{w.subscription}")
    refused(w.bank, 404, "not_found", "GET", f"{path}/{w.subscription}")


def publish_list(w: World) -> None:
    path = "/audits/v1/lists"
    body = {"kind": "mandatory", "year": w.start.year, "document_no": "湘环示例", "title": "名单"}
    refused(w.city, 403, "forbidden", "POST", path, json=body)
    w.list_id = w.province.post(path, body)["id"]
    imports = f"{path}/{w.list_id}/imports"
    spoiled = Firm(w.other.uscc[:-1] + ("0" if w.other.uscc[-1] != "0" else "1"), w.other.name, w.other.division, "2611")
    dry = w.province.job(imports, "名单.xlsx", fiction.list_file([w.firm, spoiled, w.firm]), dry_run="true")
    rows = w.province.get(f"/audits/v1/imports/{dry['result']['import']}/rows", severity="error")["items"]
    assert [(r["row"], r["column"], r["code"]) for r in rows] == [(3, "B", "uscc_check_digit"), (4, "B", "duplicate_in_file")]
    assert rows[0]["suggestion"] == w.other.uscc and rows[1]["first_row"] == 2
    failed = w.province.job(imports, "名单.xlsx", fiction.list_file([w.firm, spoiled]))
    assert failed["state"] == "failed" and failed["error"]["code"] == "import_has_errors"
    for content, code in ((b"%PDF-1.4 not a sheet", "file_unreadable"), (b"", "file_empty")):
        refused(w.province, 422, code, "POST", imports, files={"file": ("名单.xlsx", content)})
    assert w.province.request("GET", f"/audits/v1/imports/{dry['result']['import']}/workbook").content[:2] == b"PK"
    job = w.province.job(imports, "名单.xlsx", fiction.list_file([w.firm, w.other, w.newcomer]))
    assert job["state"] == "succeeded" and job["result"]["created"] == 3 and job["result"]["warnings"] >= 1, job
    late = {"published_on": (w.start + timedelta(days=1)).isoformat()}
    refused(w.province, 422, "date_out_of_order", "POST", f"{path}/{w.list_id}/publish", json=late)
    w.province.post(f"{path}/{w.list_id}/publish", {"published_on": w.start.isoformat()})
    entries = {e["uscc"]: e for e in w.province.get(f"{path}/{w.list_id}/entries")["items"]}
    assert entries[w.firm.uscc]["categories"] == ["EXCESS_EMISSION"]
    w.round_id = entries[w.firm.uscc]["round"]
    found = w.enterprise.get(f"/audits/v1/rounds/{w.round_id}")
    codes = {o["code"]: o for o in found["obligations"]}
    assert set(codes) == {"FIRST_DISCLOSURE", "START", "REPORT", "ANNUAL_DISCLOSURE"} and found["state"] == "listed"
    assert codes["REPORT"]["provisional"] and codes["REPORT"]["due_on"] == codes["REPORT"]["nominal_on"]
    refused(w.callers["city_ecology_4306"], 404, "not_found", "GET", f"/audits/v1/rounds/{w.round_id}")
    newcomer = f"/registry/v1/enterprises/{w.newcomer.uscc}"
    until(lambda: w.province.request("GET", newcomer).json().get("status") == "pending", what="the unknown firm")
    assert until(lambda: w.receiver.of("audits.list_entry.published.v1", w.firm.uscc), what="the list entry's webhook")


def consent(w: World) -> None:
    status = f"/audits/v1/enterprises/{w.firm.uscc}/status"
    before = w.bank.get(status)
    assert before["consent_required"] is True and "stage" not in before
    decisions = f"/incentives/v1/enterprises/{w.firm.uscc}/decisions"
    refused(w.bank, 404, "not_found", "GET", decisions)
    body = {"uscc": w.firm.uscc, "bank": uscc_of("bank"), "purpose": "pre_loan", "scope": ["audit", "credit", "decisions"]}
    long = (w.start + timedelta(days=400)).isoformat()
    assert w.enterprise.request("POST", "/registry/v1/consents", json=body | {"valid_to": long}).status_code == 422
    made = w.enterprise.post("/registry/v1/consents", body | {"valid_to": (w.start + timedelta(days=300)).isoformat()})
    assert made["state"] == "active"
    seen = until(lambda: (found := w.bank.get(status)) and "stage" in found and found, what="the consent")
    assert seen["stage"] == "listed" and len(seen["obligations"]) == 4
    log = until(lambda: w.enterprise.get(f"/registry/v1/enterprises/{w.firm.uscc}/access-log")["items"], what="the ledger")
    assert log[0]["purpose"] == "pre_loan" and log[0]["hash"]


def audit(w: World) -> None:
    w.province.post("/sandbox/clock", {"today": (w.start + timedelta(days=150)).isoformat()})
    assert w.province.request("POST", "/sandbox/clock", json={"today": w.start.isoformat()}).status_code == 422
    today = w.start + timedelta(days=150)
    story = w.story = RoundStory(w.enterprise, w.city, w.round_id, w.experts[:3], w.start, today, pace=3)
    place = f"/audits/v1/rounds/{w.round_id}"
    body = {"channel": "官网", "url": "https://firm.example", "disclosed_on": w.start.isoformat()}
    refused(w.enterprise, 428, "if_match_required", "POST", f"{place}/disclose", json=body)
    refused(w.enterprise, 412, "version_stale", "POST", f"{place}/disclose", json=body, headers={"If-Match": '"99"'})
    refused(w.bank, 404, "not_found", "POST", f"{place}/disclose", json=body, headers={"If-Match": '"1"'})
    report = {"report": str(uuid4()), "submitted_on": w.start.isoformat(), "summary": "x"}
    version = {"If-Match": f'"{w.enterprise.get(place)["version"]}"'}
    problem = refused(w.enterprise, 409, "move_not_allowed", "POST", f"{place}/submit-report", json=report, headers=version)
    assert problem["state"] == "listed" and "start" in problem["allowed"]
    start = {"service_mode": "self", "leader": "总经理", "started_on": w.start.isoformat()}
    missing = refused(w.enterprise, 422, "precondition_missing", "POST", f"{place}/start", json=start, headers=version)
    assert missing["errors"][0]["pointer"] and missing["errors"][0]["clause"]
    story.disclose_and_start(uscc_of("institution"))
    version = {"If-Match": f'"{w.enterprise.get(place)["version"]}"'}
    early = {"phase": "P3_AUDIT", "products": [], "completed_on": w.start.isoformat()}
    refused(w.enterprise, 409, "move_not_allowed", "POST", f"{place}/complete-phase", json=early, headers=version)
    story.audit()
    story.report()
    found = w.city.get(place)
    assert found["state"] == "report_submitted"
    done = {o["code"]: o["status"] for o in found["obligations"]}
    assert done["FIRST_DISCLOSURE"] == done["START"] == done["REPORT"] == "done"
    assert w.callers["institution"].get(place)["state"] == "report_submitted"
    assert [s["to"] for s in w.city.get(f"{place}/history")["items"]][-1] == "report_submitted"


def evaluate(w: World) -> None:
    assert w.story is not None
    place = f"/audits/v1/rounds/{w.round_id}"
    w.story._move("apply-evaluation", applied_on=w.story._next())
    for panel, code in ((w.experts[:2], "panel_too_small"), (w.experts[1:4], "expert_conflict")):
        version = {"If-Match": f'"{w.city.get(place)["version"]}"'}
        refused(w.city, 422, code, "POST", f"{place}/accept-application", json={"panel": panel}, headers=version)
    w.story._decide("accept-application", panel=w.experts[:3])
    from infra.audit_story import SHEET

    full = {item: str(points) for item, points in SHEET.items()}
    sheets = [{"expert": e, "scores": full} for e in w.experts[:3]]
    body = {"sheets": sheets, "vetoes": [], "opinion": "好", "decided_on": w.story._next()}
    over = body | {"sheets": [sheets[0] | {"scores": full | {"A1": "3.1"}}, *sheets[1:]]}
    twice = body | {"sheets": [sheets[0], sheets[0], sheets[2]]}
    version = {"If-Match": f'"{w.city.get(place)["version"]}"'}
    refused(w.city, 422, "score_above_points", "POST", f"{place}/record-evaluation", json=over, headers=version)
    refused(w.city, 422, "sheet_duplicate", "POST", f"{place}/record-evaluation", json=twice, headers=version)
    fee = body | {"fee_charged_to_enterprise": "5000"}
    refused(w.city, 422, "fee_forbidden", "POST", f"{place}/record-evaluation", json=fee, headers=version)
    answer = w.city.move(w.round_id, "record-evaluation", **body)
    assert answer["state"] == "eval_passed"


def accept(w: World) -> None:
    assert w.story is not None
    w.story.implement()
    scored = w.bank.post(
        "/audits/v1/score",
        {"index_system": "ELECTROPLATING_2015_T1", "params": {"metals": ["e06", "e08"]}, "indicators": {"e05": "20", "e01": "II"}},
    )
    assert scored["level"] == "BELOW" and scored["trace"]
    done = w.story.acceptance("株环验示例", "I")
    assert done["state"] == "accepted"
    got = until(lambda: w.receiver.of("audits.acceptance.recorded.v1", w.firm.uscc), what="the acceptance's webhook")[0]
    assert Webhook(w.secret).verify(got.body, got.headers)["data"]["level"] == "I"
    assert got.json["specversion"] == "1.0" and got.id == got.json["id"]
    deliveries = until(
        lambda: w.callers["subscriber"].get(f"/notifications/v1/subscriptions/{w.subscription}/deliveries", state="delivered")["items"]
    )
    attempts = f"/notifications/v1/subscriptions/{w.subscription}/deliveries/{deliveries[0]['id']}/attempts"
    assert w.callers["subscriber"].get(attempts)["items"][0]["http_status"] == 204


def bank_sees(w: World) -> None:
    status = w.bank.get(f"/audits/v1/enterprises/{w.firm.uscc}/status")
    assert (status["result"], status["level"], status["stage"]) == ("accepted", "I", "accepted")
    accepted = date.fromisoformat(status["accepted_on"])
    assert status["valid_until"] == accepted.replace(year=accepted.year + 5).isoformat() or accepted.day > 28
    path = f"/audits/v1/enterprises/{w.firm.uscc}/status"
    earlier = w.bank.get(path, as_of=(accepted - timedelta(days=1)).isoformat())
    assert earlier["result"] == "none"
    credit = until(lambda: (c := w.enterprise.get(f"/credit/v1/enterprises/{w.firm.uscc}")) and c.get("inputs") and c)
    assert credit["grade"] == "蓝牌" and credit["inputs"][0]["effect"] == "none" and credit["inputs"][0]["points"] is None


def decide(w: World) -> None:
    path = f"/incentives/v1/enterprises/{w.firm.uscc}/decisions"
    until(lambda: w.bank.get(path, programme="green_factory.province")["items"][0]["outcome"] == "preferential", what="the decision")
    found = w.bank.get(path, programme="green_factory.province")["items"][0]
    assert any("HN-2024-CP" in r["clause"] for r in found["reasons"]), found["reasons"]
    told = w.bank.get(f"/incentives/v1/decisions/{found['id']}/explanation", lang="en")
    assert all({"rule", "fact", "value", "threshold", "result", "clause"} <= set(c) for c in told["conditions"])
    replay = w.callers["auditor"].post(f"/incentives/v1/decisions/{found['id']}/replay", {"mode": "as_known_then"})
    assert replay["identical"] is True and replay["outcome"] == "preferential"
    assert not any(i["programme"].startswith("tariff") for i in w.bank.get(path)["items"])
    refused(w.callers["subscriber"], 404, "not_found", "GET", path)
    body = {"programme": "green_factory.province", "as_of": w.start.isoformat(), "facts": {"audit": {"type": "none"}}}
    unknown = w.bank.post("/incentives/v1/decisions/evaluate", body)
    assert unknown["outcome"] == "manual_review" and unknown["missing"]


def tier_list(w: World) -> None:
    period, industry, utility = f"{w.start.year}-07", w.callers["provincial_industry"], w.callers["utility"]
    path = f"/incentives/v1/tier-lists/{period}"
    refused(utility, 404, "not_found", "GET", path)
    body = {"document_no": "湘工信示例", "settlement_mode": "PROSPECTIVE", "effective_from": f"{period}-01"}
    refused(utility, 403, "forbidden", "POST", f"{path}/publish", json=body)
    industry.post(f"{path}/publish", body)
    rows = utility.get(path)["items"]
    mine = next(r for r in rows if r["uscc"] == w.firm.uscc)
    assert mine["threshold"] == "13300" and mine["rate_yuan_per_kwh"] == "0.04" and mine["account_no"] == "0731-EX-9"
    csv = utility.request("GET", f"{path}?headers=zh", headers={"Accept": "text/csv"})
    assert csv.content[:3] == b"\xef\xbb\xbf" and csv.headers["Content-Digest"].startswith("sha-256=")
    lines = utility.request("GET", path, headers={"Accept": "application/x-ndjson"})
    assert len(lines.text.splitlines()) == len(rows) and lines.headers["X-Control-Totals"]
    again = utility.request("GET", path, headers={"Accept": "application/x-ndjson", "If-None-Match": lines.headers["ETag"]})
    assert again.status_code == 304
    refused(w.bank, 403, "forbidden", "GET", path)


def feed(w: World) -> None:
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = w.callers["subscriber"].get("/notifications/v1/events", after=cursor, limit=50)
        seen += answer["events"]
        cursor = answer["cursor"]
        if not answer["has_more"]:
            break
    pushed = {r.id for r in w.receiver.received}
    wanted = ("audits.acceptance.recorded.v1", "audits.list_entry.published.v1", "audits.list_entry.withdrawn.v1")
    assert {e["id"] for e in seen if e["type"] in wanted} == pushed
    assert not any(e["type"].startswith(("audits.round", "audits.obligation", "incentives.decision")) for e in seen)
    assert any(t["type"] == "audits.acceptance.recorded.v1" for t in w.bank.get("/notifications/v1/event-types")["items"])


def overdue(w: World) -> None:
    w.province.post("/sandbox/clock", {"today": (w.start + timedelta(days=200)).isoformat()})
    late = w.callers["city_ecology_4306"].get("/audits/v1/deadlines", state="overdue")["items"]
    assert {d["code"] for d in late if d["uscc"] == w.other.uscc} >= {"FIRST_DISCLOSURE", "START"}
    assert w.callers["city_ecology_4306"].request("GET", "/audits/v1/deadlines.ics").text.startswith("BEGIN:VCALENDAR")
    assert w.callers["city_ecology_4306"].request("GET", "/audits/v1/deadlines.xlsx").content[:2] == b"PK"
    status = w.province.get(f"/audits/v1/enterprises/{w.other.uscc}/status")
    assert status["result"] == "none" and status["overdue"]


def withdraw(w: World) -> None:
    entries = w.province.get(f"/audits/v1/lists/{w.list_id}/entries")["items"]
    entry = next(e for e in entries if e["uscc"] == w.other.uscc)
    w.province.post(f"/audits/v1/lists/{w.list_id}/entries/{entry['id']}/withdraw", {"reason": "LISTED_BY_ERROR"})
    found = w.province.get(f"/audits/v1/rounds/{entry['round']}")
    assert found["state"] == "cancelled" and {o["status"] for o in found["obligations"]} <= {"waived", "done", "done_late"}
    assert until(lambda: w.receiver.of("audits.list_entry.withdrawn.v1", w.other.uscc), what="the withdrawal's webhook")
