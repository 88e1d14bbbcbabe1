"""The year's list: imported, published, read, followed by its deadlines, and two entries withdrawn."""

from datetime import date
from functools import partial
from typing import Any

from infra import fiction
from infra.client import Caller, until
from infra.fiction import Firm
from tests.e2e.chapters.registry import spoiled
from tests.e2e.chapters.world import NOBODY, World

PATH = "/audits/v1/lists"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def publish_list(w: World) -> None:
    body = {"kind": "mandatory", "year": w.start.year, "document_no": "湘环示例", "title": "名单"}
    w.refused(w.city, 403, "forbidden", "POST", PATH, json=body)
    w.refused(w.province, 422, "unknown_field", "POST", PATH, json=body | {"entries": []})
    made = w.province.post(PATH, body)
    w.list_id, place = made["id"], f"{PATH}/{made['id']}"
    assert made["state"] == "draft" and [i["id"] for i in w.city.get(PATH)["items"]] == [w.list_id]
    _import(w, place)
    late = {"published_on": w.day(1).isoformat()}
    today = {"published_on": w.start.isoformat()}
    w.refused(w.province, 422, "date_out_of_order", "POST", f"{place}/publish", json=late)
    w.refused(w.city, 403, "forbidden", "POST", f"{place}/publish", json=today)
    w.refused(w.province, 412, "version_stale", "POST", f"{place}/publish", json=today, headers={"If-Match": '"99"'})
    w.province.post(f"{place}/publish", today)
    again = w.refused(w.province, 409, "move_not_allowed", "POST", f"{place}/publish", json=today)
    assert again["state"] == "published"
    assert w.city.get(place)["state"] == "published" and w.city.get(place)["entries"] == 6
    w.missing(w.province, f"GET {PATH}/{NOBODY}", f"POST {PATH}/{NOBODY}/publish", f"POST {PATH}/{NOBODY}/imports")
    w.forbidden(w.bank, f"GET {PATH}", f"GET {place}")
    _entries(w, place)
    newcomer = f"/registry/v1/enterprises/{w.newcomer.uscc}"
    until(lambda: w.province.request("GET", newcomer).json().get("status") == "pending", what="the unknown firm")
    assert until(lambda: w.receiver.of("audits.list_entry.published.v1", w.firm.uscc), what="the list entry's webhook")


def _import(w: World, place: str) -> None:
    imports, wrong = f"{place}/imports", Firm(spoiled(w.other.uscc), w.other.name, w.other.division, "2611")
    dry = w.province.job(imports, "名单.xlsx", fiction.list_file([w.firm, wrong, w.firm]), dry_run="true")
    found = f"/audits/v1/imports/{dry['result']['import']}"
    rows = w.province.get(f"{found}/rows", severity="error")["items"]
    assert [(r["row"], r["column"], r["code"]) for r in rows] == [(3, "B", "uscc_check_digit"), (4, "B", "duplicate_in_file")]
    assert rows[0]["suggestion"] == w.other.uscc and rows[1]["first_row"] == 2
    failed = w.province.job(imports, "名单.xlsx", fiction.list_file([w.firm, wrong]))
    assert failed["state"] == "failed" and failed["error"]["code"] == "import_has_errors"
    for content, code in ((b"%PDF-1.4 not a sheet", "file_unreadable"), (b"", "file_empty")):
        w.refused(w.province, 422, code, "POST", imports, files={"file": ("名单.xlsx", content)})
    w.refused(w.city, 403, "forbidden", "POST", imports, files={"file": ("名单.xlsx", b"x")})
    assert w.province.request("GET", f"{found}/workbook").content[:2] == b"PK"
    assert w.province.request("GET", "/audits/v1/templates/list.xlsx").content[:2] == b"PK"
    w.missing(w.city, f"GET {found}/rows", f"GET {found}/workbook", f"GET /audits/v1/jobs/{dry['id']}")
    w.missing(w.city, "GET /audits/v1/templates/menu.xlsx")
    listed = [w.firm, w.other, w.newcomer, w.slow, w.closing, w.erring]
    job = w.province.job(imports, "名单.xlsx", fiction.list_file(listed))
    assert job["state"] == "succeeded" and job["result"]["created"] == 6 and job["result"]["warnings"] >= 1, job


def _entries(w: World, place: str) -> None:
    entries = entries_of(w)
    assert entries[w.firm.uscc]["categories"] == ["EXCESS_EMISSION"]
    assert {e["uscc"] for e in w.other_city.get(f"{place}/entries")["items"]} == {w.other.uscc}
    one, elsewhere = (f"/audits/v1/entries/{entries[firm.uscc]['id']}" for firm in (w.firm, w.other))
    assert w.city.get(one) == entries[w.firm.uscc]
    for answer in (
        w.city.request("GET", f"{place}/entries.xlsx"),
        w.city.request("GET", f"{place}/entries", headers={"Accept": XLSX}),
    ):
        assert answer.content[:2] == b"PK" and answer.headers["content-type"] == XLSX
    w.missing(w.city, f"GET {elsewhere}", f"POST {elsewhere}/withdraw", f"GET {PATH}/{NOBODY}/entries")
    w.forbidden(w.bank, f"GET {place}/entries", f"GET {place}/entries.xlsx")
    w.round_id = entries[w.firm.uscc]["round"]
    found = w.enterprise.get(f"/audits/v1/rounds/{w.round_id}")
    codes = {o["code"]: o for o in found["obligations"]}
    assert set(codes) == {"FIRST_DISCLOSURE", "START", "REPORT", "ANNUAL_DISCLOSURE"} and found["state"] == "listed"
    assert codes["REPORT"]["provisional"] and codes["REPORT"]["due_on"] == codes["REPORT"]["nominal_on"]


def entries_of(w: World) -> dict[str, Any]:
    """The entries of the list by enterprise."""
    return {e["uscc"]: e for e in w.province.get(f"{PATH}/{w.list_id}/entries", limit=500)["items"]}


def overdue(w: World) -> None:
    w.province.post("/sandbox/clock", {"today": w.day(200).isoformat()})
    path, other_city = "/audits/v1/deadlines", w.other_city
    late = other_city.get(path, state="overdue,due_30d")["items"]
    assert {d["uscc"] for d in late} == {w.other.uscc}
    assert {d["code"] for d in late if d["status"] == "overdue"} >= {"FIRST_DISCLOSURE", "START"}
    assert {d["code"] for d in other_city.get(path, code="START", division="430603")["items"]} == {"START"}
    for suffix, accept, start in ((".xlsx", XLSX, b"PK"), (".ics", "text/calendar", b"BEGIN:VCALENDAR")):
        assert other_city.request("GET", path + suffix).content.startswith(start)
        assert other_city.request("GET", path, headers={"Accept": accept}).content.startswith(start)
        w.refused(other_city, 422, "invalid", "GET", path + suffix, params={"state": "soon"})
        w.forbidden(w.bank, f"GET {path}{suffix}")
    w.refused(other_city, 422, "invalid", "GET", path, params={"code": "PARTY"})
    w.forbidden(w.bank, f"GET {path}")
    status = w.province.get(f"/audits/v1/enterprises/{w.other.uscc}/status")
    assert status["result"] == "none" and status["overdue"]


def report_duties(w: World) -> None:
    """The enterprise's own word that it made its yearly disclosure."""
    path, today = f"/audits/v1/rounds/{w.round_id}/obligations", w.today
    met = {"done_on": today.isoformat(), "url": "https://firm.example/2026"}
    yearly = f"{path}/ANNUAL_DISCLOSURE/fulfil"
    w.missing(w.other_city, f"POST {yearly}")
    w.forbidden(w.city, f"POST {yearly}")
    future = met | {"done_on": date(today.year + 1, 1, 1).isoformat()}
    w.refused(w.enterprise, 422, "date_out_of_order", "POST", yearly, json=future)
    done = w.enterprise.post(yearly, met)
    assert (done["code"], done["status"], done["done_on"]) == ("ANNUAL_DISCLOSURE", "done_late", today.isoformat())
    w.refused(w.enterprise, 409, "obligation_not_open", "POST", f"{path}/RESULT_PUBLICATION/fulfil", json=met)
    w.refused(w.enterprise, 422, "invalid", "POST", f"{path}/REPORT/fulfil", json=met)


def withdraw(w: World) -> None:
    entries = entries_of(w)
    other, closing = entries[w.other.uscc], entries[w.closing.uscc]
    ways = ((f"{PATH}/{w.list_id}/entries/{other['id']}/withdraw", other), (f"/audits/v1/entries/{closing['id']}/withdraw", closing))
    for path, entry in ways:
        w.refused(w.province, 422, "invalid", "POST", path, json={"reason": ""})
        w.forbidden(_of(w, entry), f"POST {path}")
        w.province.post(path, {"reason": "LISTED_BY_ERROR"})
        w.refused(w.province, 409, "move_not_allowed", "POST", path, json={"reason": "LISTED_BY_ERROR"})
        found = w.province.get(f"/audits/v1/rounds/{entry['round']}")
        assert found["state"] == "cancelled" and {o["status"] for o in found["obligations"]} <= {"waived", "done", "done_late"}
    for firm in (w.other, w.closing):
        told = until(partial(w.receiver.of, "audits.list_entry.withdrawn.v1", firm.uscc), what="the withdrawal's webhook")
        assert told[0].json["data"]["reason"] == "LISTED_BY_ERROR"
    w.missing(w.province, f"POST {PATH}/{NOBODY}/entries/{other['id']}/withdraw")


def _of(w: World, entry: dict[str, Any]) -> Caller:
    return w.other_city if entry["division"].startswith("4306") else w.city
