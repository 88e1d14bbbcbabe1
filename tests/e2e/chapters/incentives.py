"""Incentives: decisions with their reasons, replay, trying facts, and the month's tier list."""

import hashlib
from base64 import b64encode
from typing import Any

from infra.client import until
from tests.e2e.chapters.world import NOBODY, World

GREEN = "green_factory.province"


def decide(w: World) -> None:
    path = f"/incentives/v1/enterprises/{w.firm.uscc}/decisions"
    until(lambda: w.bank.get(path, programme=GREEN)["items"][0]["outcome"] == "preferential", what="the decision")
    found = w.bank.get(path, programme=GREEN)["items"][0]
    assert any("HN-2024-CP" in r["clause"] for r in found["reasons"]), found["reasons"]
    place = f"/incentives/v1/decisions/{found['id']}"
    for lang in ("zh", "en"):
        told = w.bank.get(f"{place}/explanation", lang=lang)
        assert told["outcome"] == "preferential"
        assert all({"rule", "fact", "text", "value", "threshold", "result", "clause"} <= set(c) for c in told["conditions"])
    for mode in ("as_known_then", "as_known_now"):
        replay = w.auditor.post(f"{place}/replay", {"mode": mode})
        assert replay["outcome"] == "preferential" and (replay["identical"] is True or mode == "as_known_now"), replay
    w.refused(w.auditor, 422, "invalid", "POST", f"{place}/replay", json={"mode": "as_i_like"})
    w.refused(w.bank, 422, "invalid", "GET", f"{place}/explanation", params={"lang": "fr"})
    w.missing(w.subscriber, f"GET {path}", f"GET {place}/explanation", f"POST {place}/replay")
    w.missing(w.other_city, f"GET {path}", f"GET /incentives/v1/decisions/{NOBODY}/explanation")
    w.refused(w.bank, 422, "programme_unknown", "GET", path, params={"programme": "gift"})
    assert not any(i["programme"].startswith("tariff") for i in w.bank.get(path)["items"])
    assert {i["programme"] for i in w.utility.get(path)["items"]} == {"tariff.al"}
    before = w.enterprise.get(path, programme=GREEN, as_of=w.day(10).isoformat())["items"]
    assert before[0]["outcome"] != "preferential"


def try_facts(w: World) -> None:
    path = "/incentives/v1/decisions/evaluate"
    body = {"programme": GREEN, "as_of": w.start.isoformat(), "facts": {"audit": {"type": "none"}}}
    unknown = w.bank.post(path, body)
    assert unknown["outcome"] == "manual_review" and unknown["missing"]
    w.refused(w.bank, 422, "programme_unknown", "POST", path, json=body | {"programme": "gift"})
    w.refused(w.bank, 422, "facts_invalid", "POST", path, json=body | {"facts": {"audit": {"type": "secret"}}})
    w.refused(w.narrow("bank"), 403, "forbidden", "POST", path, json=body)


def read_rules(w: World) -> None:
    programmes = w.subscriber.get("/incentives/v1/programmes")["items"]
    assert {GREEN, "green_factory.national", "finance.recommend", "tariff.al"} <= {p["id"] for p in programmes}
    for programme in programmes:
        named = programme["rule_set"]
        place = f"/incentives/v1/rule-sets/{named['id']}/versions/{named['version']}"
        assert w.subscriber.get(place)["hash"] == named["hash"]
        page = w.subscriber.request("GET", place, headers={"Accept": "text/html"})
        assert "<table" in page.text
        w.missing(w.subscriber, f"GET {place}99", f"GET {place}x")
    w.refused(w.narrow("bank"), 403, "forbidden", "GET", "/incentives/v1/programmes")


def tier_list(w: World) -> None:
    period = f"{w.start.year}-07"
    path = f"/incentives/v1/tier-lists/{period}"
    w.missing(w.utility, f"GET {path}", f"GET {path}/unresolved")
    body = {"document_no": "湘工信示例", "settlement_mode": "PROSPECTIVE", "effective_from": f"{period}-01"}
    w.refused(w.utility, 403, "forbidden", "POST", f"{path}/publish", json=body)
    w.refused(w.industry, 400, "idempotency_key_required", "POST", f"{path}/publish", json=body, headers={"Idempotency-Key": ""})
    w.refused(w.industry, 422, "invalid", "POST", f"{path}/publish", json=body | {"settlement_mode": "BARTER"})
    w.refused(w.industry, 422, "invalid", "POST", "/incentives/v1/tier-lists/2026-13/publish", json=body)
    assert w.industry.post(f"{path}/publish", body)["version"] == 1
    mine = _mine(w, w.utility.get(path)["items"])
    assert mine["threshold"] == "13300" and mine["rate_yuan_per_kwh"] == "0.04" and mine["account_no"] == w.account
    undecided = w.utility.get(f"{path}/unresolved")["items"]
    assert w.erring.uscc in {u["uscc"] for u in undecided} and all(u["missing"] for u in undecided)
    _files(w, path)
    fact = {"code": "al_kwh_per_t", "value": "13471", "valid_from": f"{w.start.year - 1}-01-01", "source": "复核"}
    w.province.post(f"/registry/v1/enterprises/{w.firm.uscc}/facts", fact)
    again = until(lambda: _corrected(w, path, body), what="the corrected consumption in the list")
    assert again["supersedes"] == mine["entry_id"] and again["list_version"] > 1
    assert _mine(w, w.utility.get(path, version=1)["items"]) == mine, "a frozen version changed"
    w.refused(w.utility, 404, "not_found", "GET", path, params={"version": 999})
    w.forbidden(w.bank, f"GET {path}", f"GET {path}/unresolved")


def _corrected(w: World, path: str, body: dict[str, str]) -> dict[str, Any] | None:
    """The firm's row in a new version, once the correction has come to incentives."""
    known = w.utility.get(f"/incentives/v1/enterprises/{w.firm.uscc}/decisions", programme="tariff.al")["items"][0]
    told = w.utility.get(f"/incentives/v1/decisions/{known['id']}/explanation")
    if not any(c["fact"] == "al_excess" and c["value"] == "171" for c in told["conditions"]):
        return None
    w.industry.post(f"{path}/publish", body)
    row = _mine(w, w.utility.get(path)["items"])
    assert row["metric_value"] == "13471"
    return row


def _mine(w: World, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return next(row for row in rows if row["uscc"] == w.firm.uscc)


def _files(w: World, path: str) -> None:
    csv = w.utility.request("GET", f"{path}?headers=zh", headers={"Accept": "text/csv"})
    assert csv.content[:3] == b"\xef\xbb\xbf"
    lines = w.utility.request("GET", path, headers={"Accept": "application/x-ndjson"})
    assert len(lines.text.splitlines()) == len(w.utility.get(path)["items"]) and lines.headers["X-Control-Totals"]
    for answer in (csv, lines):
        digest = b64encode(hashlib.sha256(answer.content).digest()).decode()
        assert answer.headers["Content-Digest"] == f"sha-256=:{digest}:"
    same = {"Accept": "application/x-ndjson", "If-None-Match": lines.headers["ETag"]}
    assert w.utility.request("GET", path, headers=same).status_code == 304
