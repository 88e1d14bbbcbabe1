"""Environmental credit: grades one by one and by file, the grade that holds, inputs without effect; and what a bank reads."""

from datetime import date, timedelta

from infra import fiction
from infra.client import until
from tests.e2e.chapters.world import NOBODY, World

RECORDS = "/credit/v1/records"


def publish_grades(w: World) -> None:
    until(lambda: w.province.request("GET", f"/credit/v1/enterprises/{w.firm.uscc}").status_code == 200, what="credit")
    record = {"uscc": w.firm.uscc, "evaluation_year": w.start.year - 2, "grade": "蓝牌", "level": "province"}
    record |= {"published_on": f"{w.start.year - 1}-06-05", "document_no": "示例"}
    w.refused(w.industry, 403, "forbidden", "POST", RECORDS, json=record)
    w.refused(w.province, 400, "idempotency_key_required", "POST", RECORDS, json=record, headers={"Idempotency-Key": ""})
    w.refused(w.province, 422, "grade_unknown", "POST", RECORDS, json=record | {"grade": "金牌"})
    w.refused(w.province, 422, "date_out_of_order", "POST", RECORDS, json=record | {"published_on": w.day(400).isoformat()})
    w.refused(w.other_city, 404, "not_found", "POST", RECORDS, json=record | {"level": "city"})
    made = w.province.post(RECORDS, record)
    regimes = {r["id"]: r for r in w.bank.get("/credit/v1/regimes")}
    assert regimes[made["regime"]]["grades"]["蓝牌"] == made["norm"]
    w.refused(w.narrow("bank"), 403, "forbidden", "GET", "/credit/v1/regimes")


def grades_by_file(w: World) -> None:
    path, year = "/credit/v1/imports", w.start.year - 2
    good = fiction.grades_file([w.slow, w.willing], year)
    w.refused(w.industry, 403, "forbidden", "POST", path, data={"kind": "records"}, files={"file": ("x.xlsx", good)})
    w.refused(w.province, 422, "kind_unknown", "POST", path, data={"kind": "grades"}, files={"file": ("x.xlsx", good)})
    w.refused(w.province, 422, "file_empty", "POST", path, data={"kind": "records"}, files={"file": ("x.xlsx", b"")})
    wrong = fiction.grades_file([w.slow, w.unknown], year)
    dry = w.province.job(path, "等级.xlsx", wrong, kind="records", dry_run="true")
    place = f"/credit/v1/imports/{dry['result']['import']}"
    rows = w.province.get(f"{place}/rows", severity="error")["items"]
    assert [(r["row"], r["code"]) for r in rows] == [(3, "enterprise_unknown")]
    assert w.province.request("GET", f"{place}/workbook").content[:2] == b"PK"
    assert w.province.request("GET", "/credit/v1/templates/records.xlsx").content[:2] == b"PK"
    w.missing(w.city, f"GET {place}/rows", f"GET {place}/workbook", f"GET /credit/v1/jobs/{NOBODY}")
    w.forbidden(w.bank, "GET /credit/v1/templates/records.xlsx")
    job = w.province.job(path, "等级.xlsx", good, kind="records")
    assert job["state"] == "succeeded" and job["result"]["created"] == 2, job
    held = w.bank.get(f"/credit/v1/enterprises/{w.slow.uscc}")
    assert held["grade"] and held["evaluation_year"] == year
    before = w.bank.get(f"/credit/v1/enterprises/{w.slow.uscc}", as_of=f"{year + 1}-06-04")
    assert before["grade"] is None


def bank_sees(w: World) -> None:
    path = f"/audits/v1/enterprises/{w.firm.uscc}/status"
    status = w.bank.get(path)
    assert (status["result"], status["level"], status["stage"]) == ("accepted", "I", "accepted")
    accepted = date.fromisoformat(status["accepted_on"])
    assert status["valid_until"] == accepted.replace(year=accepted.year + 5).isoformat() or accepted.day > 28
    earlier = w.bank.get(path, as_of=(accepted - timedelta(days=1)).isoformat())
    assert earlier["result"] == "none"
    w.missing(w.bank, f"GET /audits/v1/enterprises/{w.unknown.uscc}/status")
    w.refused(w.narrow("bank"), 403, "forbidden", "GET", path)


def inputs_without_effect(w: World) -> None:
    path = f"/credit/v1/enterprises/{w.firm.uscc}"
    credit = until(lambda: (c := w.enterprise.get(path)) and c.get("inputs") and c, what="the input")
    assert credit["grade"] == "蓝牌" and "AUDIT_ACCEPTED" in {i["kind"] for i in credit["inputs"]}
    slow = f"/credit/v1/enterprises/{w.slow.uscc}"
    failed = until(lambda: len(found := w.province.get(slow)["inputs"]) >= 2 and found, what="the failures' inputs")
    assert {i["kind"] for i in failed} >= {"ACCEPTANCE_FAILED"}
    for found in [*credit["inputs"], *failed]:
        assert found["effect"] == "none" and found["points"] is None
        assert found["why"] in ("PARAM_UNCONFIRMED", "NO_LEGAL_DOCUMENT") and found["source_event"]
    assert "inputs" not in w.subscriber.get(path)
    w.missing(w.bank, f"GET /credit/v1/enterprises/{w.unknown.uscc}")
