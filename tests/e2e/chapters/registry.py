"""The register: enterprises by hand and by file, their past, facts and corrections, experts, institutions, consents."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from infra import fiction
from infra.client import until
from infra.credentials import uscc_of
from infra.fiction import Firm
from tests.e2e.chapters.world import NOBODY, World

PATH = "/registry/v1/enterprises"


def register(w: World) -> None:
    body = {"uscc": w.firm.uscc, "name": w.firm.name, "division": w.firm.division, "industry": w.firm.industry}
    w.refused(w.province, 400, "idempotency_key_required", "POST", PATH, json=body, headers={"Idempotency-Key": ""})
    w.refused(w.bank, 403, "forbidden", "POST", PATH, json=body)
    w.refused(w.other_city, 403, "forbidden", "POST", PATH, json=body)
    w.refused(w.province, 422, "uscc_check_digit", "POST", PATH, json=body | {"uscc": spoiled(w.firm.uscc)})
    w.refused(w.province, 422, "permit_check_digit", "POST", PATH, json=body | {"permit_no": f"{spoiled(w.firm.uscc)}001P"})
    w.refused(w.province, 422, "division_unknown", "POST", PATH, json=body | {"division": "430299"})
    w.refused(w.province, 422, "industry_unknown", "POST", PATH, json=body | {"industry": "9999"})
    w.refused(w.province, 422, "unknown_field", "POST", PATH, json=body | {"secret": 1})
    w.missing(w.province, f"GET {PATH}/{w.firm.uscc}")
    key = {"Idempotency-Key": uuid4().hex}
    first = w.province.request("POST", PATH, json=body, headers=key)
    again = w.province.request("POST", PATH, json=body, headers=key)
    assert first.status_code == again.status_code == 201 and first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    w.refused(w.province, 422, "idempotency_key_reused", "POST", PATH, json=body | {"name": "另一家"}, headers=key)
    exists = w.refused(w.province, 409, "already_exists", "POST", PATH, json=body)
    assert exists["resource"]["uscc"] == w.firm.uscc
    w.province.post(PATH, {"uscc": w.other.uscc, "name": w.other.name, "division": w.other.division, "industry": w.other.industry})
    found = w.bank.get(PATH, division="4302", industry="32", q=w.firm.name[:6])["items"]
    assert [f["uscc"] for f in found] == [w.firm.uscc] and "address" not in found[0]
    w.refused(w.bank, 422, "invalid", "GET", PATH, params={"division": "株洲"})
    w.refused(w.bank, 422, "cursor_invalid", "GET", PATH, params={"after": "mine"})
    w.refused(w.bank, 422, "unknown_field", "GET", PATH, params={"city": "4302"})


def spoiled(uscc: str) -> str:
    """The code with another check digit than its own."""
    return uscc[:-1] + ("0" if uscc[-1] != "0" else "1")


def register_by_file(w: World) -> None:
    path, good = "/registry/v1/imports", [w.slow, w.willing, w.closing, w.erring]
    wrong = Firm(spoiled(w.firm.uscc), w.firm.name, w.firm.division, w.firm.industry)
    file = {"file": ("企业.xlsx", fiction.register_file(good))}
    w.refused(w.bank, 403, "forbidden", "POST", path, data={"kind": "enterprises"}, files=file)
    w.refused(w.city, 422, "kind_unknown", "POST", path, data={"kind": "records"}, files=file)
    pdf = {"file": ("企业.xlsx", b"%PDF-1.4 no sheet")}
    w.refused(w.city, 422, "file_unreadable", "POST", path, data={"kind": "enterprises"}, files=pdf)
    dry = w.city.job(path, "企业.xlsx", fiction.register_file([*good, wrong]), kind="enterprises", dry_run="true")
    place = f"/registry/v1/imports/{dry['result']['import']}"
    rows = w.city.get(f"{place}/rows", severity="error")["items"]
    wanted = [(6, "B", "uscc_check_digit"), (6, "I", "permit_check_digit")]
    assert [(r["row"], r["column"], r["code"]) for r in rows] == wanted and rows[0]["suggestion"] == w.firm.uscc
    w.missing(w.province, f"GET {place}/rows", f"GET {place}/workbook", f"GET /registry/v1/jobs/{NOBODY}")
    w.forbidden(w.bank, "GET /registry/v1/templates/enterprises.xlsx")
    assert w.city.request("GET", f"{place}/workbook").content[:2] == b"PK"
    assert w.city.request("GET", "/registry/v1/templates/enterprises.xlsx").content[:2] == b"PK"
    assert w.city.request("GET", f"{PATH}/{w.slow.uscc}").status_code == 404, "a dry run wrote something"
    job = w.city.job(path, "企业.xlsx", fiction.register_file(good), kind="enterprises")
    assert job["state"] == "succeeded" and job["result"]["created"] == 4, job
    again = w.city.job(path, "企业.xlsx", fiction.register_file(good), kind="enterprises")
    assert again["result"]["unchanged"] == 4, again


def record_facts(w: World) -> None:
    path = f"{PATH}/{w.firm.uscc}/facts"
    facts = {"al_kwh_per_t": "13999", "al_production_kwh": "1000000000", "renewable_share_pct": "8", "grid_account": w.account}
    facts |= {f"GF_V{n}": "absent" for n in range(1, 7)} | {"plan_in_catalogue": "true", "provincial_green_factory": "false"}
    since = {"valid_from": f"{w.start.year - 1}-01-01", "source": "核定"}
    fact = since | {"code": "al_kwh_per_t", "value": "13371"}
    w.refused(w.other_city, 404, "not_found", "POST", path, json=fact)
    w.refused(w.enterprise, 403, "forbidden", "POST", path, json=fact)
    w.refused(w.province, 400, "idempotency_key_required", "POST", path, json=fact, headers={"Idempotency-Key": ""})
    w.refused(w.province, 422, "fact_unknown", "POST", path, json=fact | {"code": "mood"})
    w.refused(w.province, 422, "fact_value", "POST", path, json=fact | {"value": "much"})
    for code, value in facts.items():
        w.province.post(path, since | {"code": code, "value": value})
    w.city.post(path, fact)
    both = w.enterprise.get(path, code="al_kwh_per_t")["items"]
    assert [(f["value"], f["corrected_at"] is None) for f in both] == [("13999", False), ("13371", True)]
    in_force = w.auditor.get(path, code="al_kwh_per_t", as_of=w.start.isoformat())["items"]
    assert [f["value"] for f in in_force] == ["13371"]
    w.missing(w.other_city, f"GET {path}")
    w.forbidden(w.bank, f"GET {path}")


def name_actors(w: World) -> None:
    path = "/registry/v1/institutions"
    institution = {"uscc": uscc_of("institution"), "name": "麓山示例服务公司", "division": "430104"}
    w.refused(w.city, 403, "forbidden", "POST", path, json=institution)
    w.refused(w.province, 422, "division_unknown", "POST", path, json=institution | {"division": "430000"})
    w.province.post(path, institution)
    w.refused(w.province, 409, "already_exists", "POST", path, json=institution)
    assert uscc_of("institution") in {i["uscc"] for i in w.city.get(path)["items"]}
    experts = "/registry/v1/experts"
    one = {"name": "甲", "employer_uscc": uscc_of("bank"), "specialities": ["有色"], "advised": []}
    w.refused(w.city, 403, "forbidden", "POST", experts, json=one)
    w.refused(w.province, 422, "uscc_check_digit", "POST", experts, json=one | {"employer_uscc": spoiled(uscc_of("bank"))})
    for name, employer in (("甲", uscc_of("bank")), ("乙", uscc_of("bank")), ("丙", uscc_of("bank")), ("丁", w.firm.uscc)):
        w.experts.append(w.province.post(experts, one | {"name": name, "employer_uscc": employer})["id"])
    assert set(w.experts) <= {e["id"] for e in w.city.get(experts, limit=500)["items"]}
    w.forbidden(w.bank, f"GET {experts}", f"GET {path}")


def consent(w: World) -> None:
    status = f"/audits/v1/enterprises/{w.firm.uscc}/status"
    before = w.bank.get(status)
    assert before["consent_required"] is True and "stage" not in before
    path = "/registry/v1/consents"
    body = {"uscc": w.firm.uscc, "bank": uscc_of("bank"), "purpose": "pre_loan", "scope": ["audit", "credit", "decisions"]}
    term = {"valid_to": w.day(300).isoformat()}
    w.refused(w.bank, 403, "forbidden", "POST", path, json=body | term)
    w.refused(w.enterprise, 404, "not_found", "POST", path, json=body | term | {"uscc": w.other.uscc})
    w.refused(w.enterprise, 422, "consent_too_long", "POST", path, json=body | {"valid_to": w.day(400).isoformat()})
    w.refused(w.enterprise, 422, "invalid", "POST", path, json=body | term | {"purpose": "curiosity"})
    made = w.enterprise.post(path, body | term)
    assert made["state"] == "active"
    w.consent_id = made["id"]
    assert [c["id"] for c in w.bank.get(path)["items"]] == [made["id"]]
    assert w.bank.get(f"{path}/{made['id']}") == made
    w.forbidden(w.city, f"GET {path}")
    w.missing(w.enterprise, f"GET {path}/{NOBODY}", f"POST {path}/{NOBODY}/revoke")
    w.forbidden(w.bank, f"POST {path}/{made['id']}/revoke")
    seen = until(lambda: (found := w.bank.get(status)) and "stage" in found and found, what="the consent")
    assert seen["stage"] == "listed" and len(seen["obligations"]) == 4
    ledger = f"{PATH}/{w.firm.uscc}/access-log"
    log = until(lambda: w.enterprise.get(ledger)["items"], what="the ledger")
    assert log[0]["purpose"] == "pre_loan" and log[0]["hash"]
    w.missing(w.other_city, f"GET {ledger}")
    w.forbidden(w.bank, f"GET {ledger}")


def revoke(w: World) -> None:
    ledger = f"{PATH}/{w.firm.uscc}/access-log"
    log = w.enterprise.get(ledger, limit=500)["items"]
    assert len(log) > 3 and len({entry["hash"] for entry in log}) == len(log)
    place, status = f"/registry/v1/consents/{w.consent_id}", f"/audits/v1/enterprises/{w.firm.uscc}/status"
    assert w.enterprise.post(f"{place}/revoke")["state"] == "revoked"
    w.refused(w.enterprise, 409, "move_not_allowed", "POST", f"{place}/revoke")
    until(lambda: w.bank.get(status).get("consent_required"), what="the end of the consent")
    assert "stage" not in w.bank.get(status)
    decisions = f"/incentives/v1/enterprises/{w.firm.uscc}/decisions"
    until(lambda: w.bank.request("GET", decisions).status_code == 404, what="the end of the consent in incentives")
    assert w.enterprise.get(ledger, limit=500)["items"][: len(log)] == log, "the ledger lost what was read"


def change_the_register(w: World) -> None:
    place = f"{PATH}/{w.firm.uscc}"
    found, then = w.enterprise.get(place), datetime.now(UTC).isoformat()
    change = {"address": f"石峰区示例路{w.chance.randrange(1, 900)}号"}
    w.refused(w.other_city, 404, "not_found", "PATCH", place, json=change)
    w.refused(w.bank, 403, "forbidden", "PATCH", place, json=change)
    w.refused(w.enterprise, 403, "forbidden", "PATCH", place, json={"name": "另名"})
    w.refused(w.enterprise, 428, "if_match_required", "PATCH", place, json=change)
    w.refused(w.enterprise, 412, "version_stale", "PATCH", place, json=change, headers={"If-Match": '"99"'})
    changed = w.enterprise.patch(place, change, found["version"])
    assert changed["address"] == change["address"] and changed["version"] == found["version"] + 1
    assert w.enterprise.get(place, known_at=then)["address"] == found["address"]
    closing = f"{PATH}/{w.closing.uscc}"
    version = w.city.get(closing)["version"]
    last = {"status": "deregistered", "deregistered_on": (w.today - timedelta(days=1)).isoformat()}
    late = last | {"deregistered_on": (w.today + timedelta(days=1)).isoformat()}
    at = {"If-Match": f'"{version}"'}
    w.refused(w.city, 422, "date_out_of_order", "PATCH", closing, json=late, headers=at)
    assert w.city.patch(closing, last, version)["status"] == "deregistered"
    assert w.city.get(closing, as_of=w.day(1).isoformat())["status"] == "active"
    completed = {"uscc": w.newcomer.uscc, "name": w.newcomer.name, "division": w.newcomer.division, "industry": "3212"}
    assert w.city.post(PATH, completed)["status"] == "active"

