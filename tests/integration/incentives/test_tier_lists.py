"""A month's tier list: frozen, the same in every format, moved by measured use and by nothing else."""

import base64
import csv
import hashlib
import io
import json
from decimal import Decimal

import pytest

from tests.conftest import As

SMELTER, SECOND, THIRD = "91430600MA4QA0037R", "91430200MA4QA0029A", "91430100MA4QA00108"
LIST = "/incentives/v1/tier-lists/2026-11"
FORMATS = ("application/json", "application/x-ndjson", "text/csv")
NOTICE = {"document_no": "湘发改价〔2026〕7号", "settlement_mode": "PROSPECTIVE", "effective_from": "2026-12-01"}


@pytest.fixture
def office(as_role: As):  # type: ignore[no-untyped-def]
    return as_role("provincial_industry")


@pytest.fixture
def grid(as_role: As):  # type: ignore[no-untyped-def]
    return as_role("utility", uscc="91430000MA4QA00531")


def publish(office, **change):  # type: ignore[no-untyped-def]
    answer = office.post(f"{LIST}/publish", NOTICE | change)
    assert answer.status_code == 201, answer.text
    return answer.json()


def digest(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def test_there_is_no_list_before_the_first_publication(province, grid) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    assert grid.get(LIST).status_code == 404
    assert grid.get(f"{LIST}/unresolved").status_code == 404
    assert grid.get(LIST, headers={"Accept": "application/x-ndjson"}).status_code == 404


def test_a_published_row_says_what_the_grid_company_needs(province, office, grid) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    made = publish(office)
    assert (made["period"], made["version"], made["rows"]) == ("2026-11", 1, 1)
    (row,) = grid.get(LIST).json()["items"]
    del row["entry_id"]
    assert row == {
        "list_version": 1, "account_no": "0730-000001", "uscc": SMELTER, "name": "岳阳铝业",
        "instrument": "tariff.al", "price_year": 2026, "data_year": 2025, "metric_value": "13481", "threshold": "13300",
        "rate_yuan_per_kwh": "0.10", "effective_from": "2026-12-01", "effective_to": None, "supersedes": None,
        "legal_basis": "P1239",
    }  # fmt: skip
    (event,) = province.said("incentives.tier_list.published.v1")
    assert (event["period"], event["version"], event["rows"]) == ("2026-11", 1, 1)
    assert event["control_totals"] == made["control_totals"]


def test_every_format_holds_the_same_rows_with_matching_digest_and_totals(province, office, grid) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    province.register(SECOND, "3216", "430202", '株洲铝业, "二"厂')
    province.fact("al_kwh_per_t", "13301", SECOND, "2025-01-01", "2025-12-31")
    province.fact("renewable_share_pct", "8", SECOND)
    province.fact("grid_account", "0731-000002", SECOND)
    publish(office)
    page = grid.get(LIST)
    rows = page.json()["items"]
    assert page.headers["content-digest"] == digest(page.content)
    lines = grid.get(LIST, headers={"Accept": "application/x-ndjson"})
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in lines.text.splitlines()] == rows
    table = grid.get(LIST, headers={"Accept": "text/csv"})
    assert table.content.startswith(b"\xef\xbb\xbf") and table.headers["content-type"] == "text/csv; charset=utf-8"
    read = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert read == [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    chinese = grid.get(LIST, params={"headers": "zh"}, headers={"Accept": "text/csv"})
    assert chinese.content.decode("utf-8-sig").splitlines()[0].startswith("条目编号,名单版本,用电户号")
    assert chinese.content.split(b"\r\n", 1)[1] == table.content.split(b"\r\n", 1)[1]
    for answer in (page, lines, table, chinese):
        totals = json.loads(answer.headers["x-control-totals"])
        assert totals["rows"] == len(rows) == 2
        assert Decimal(totals["rate_yuan_per_kwh"]) == sum(Decimal(r["rate_yuan_per_kwh"]) for r in rows)
        assert totals["by_rate"] == {"0.01": 1, "0.10": 1}
        assert answer.headers["content-digest"] == digest(answer.content)
        assert answer.headers["content-length"] == str(len(answer.content))


def test_who_has_the_version_already_is_told_so(province, office, grid) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    publish(office)
    tags = {accept: grid.get(LIST, headers={"Accept": accept}).headers["etag"] for accept in FORMATS}
    for accept, tag in tags.items():
        again = grid.get(LIST, headers={"Accept": accept, "If-None-Match": tag})
        assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == tag
    publish(office)
    for accept, tag in tags.items():
        assert grid.get(LIST, headers={"Accept": accept, "If-None-Match": tag}).status_code == 200


def test_what_cannot_be_decided_is_told_apart_and_never_listed(province, office, grid) -> None:  # type: ignore[no-untyped-def]
    province.smelter(account=None)
    province.register(SECOND, "3216", "430202", "株洲铝业")
    province.fact("grid_account", "0731-000002", SECOND)
    province.smelter(THIRD, "13300", None, "长沙铝业")
    assert publish(office)["rows"] == 0
    items = {i["uscc"]: i for i in grid.get(f"{LIST}/unresolved").json()["items"]}
    assert set(items) == {SMELTER, SECOND}
    assert items[SMELTER]["missing"] == [{"fact": "grid_account", "code": "FACT_MISSING"}]
    assert {m["fact"] for m in items[SECOND]["missing"]} == {"al_kwh_per_t", "renewable_share_pct"}
    assert items[SECOND]["name"] == "株洲铝业"
    assert grid.get(LIST, headers={"Accept": "application/x-ndjson"}).content == b""


def test_an_account_that_two_smelters_name_charges_neither(province, office, grid) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    province.smelter(SECOND, "13400", "0730-000001", "株洲铝业")
    assert publish(office)["rows"] == 0
    codes = [i["missing"] for i in grid.get(f"{LIST}/unresolved").json()["items"]]
    assert codes == [[{"fact": "grid_account", "code": "ACCOUNT_SHARED"}]] * 2


def test_the_next_version_supersedes_and_the_one_before_stays_as_it_was(province, office, grid) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    publish(office)
    first = grid.get(LIST, params={"version": 1}, headers={"Accept": "text/csv"})
    province.fact("al_kwh_per_t", "13301", SMELTER, "2025-01-01", "2025-12-31")
    assert publish(office, settlement_mode="retro_previous_year")["version"] == 2
    (row,) = grid.get(LIST).json()["items"]
    assert (row["rate_yuan_per_kwh"], row["list_version"]) == ("0.01", 2)
    (old,) = grid.get(LIST, params={"version": 1}).json()["items"]
    assert row["supersedes"] == old["entry_id"] and old["rate_yuan_per_kwh"] == "0.10"
    again = grid.get(LIST, params={"version": 1}, headers={"Accept": "text/csv"})
    assert again.content == first.content and again.headers["etag"] == first.headers["etag"]
    assert grid.get(LIST, params={"version": 3}).status_code == 404


def test_an_audit_never_moves_a_row(province, office, grid) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    publish(office)
    before = grid.get(LIST).json()["items"][0]
    province.move("started", SMELTER)
    province.accept(SMELTER, result="accept_failed", fraud=True)
    province.accept(SMELTER)
    publish(office)
    after = grid.get(LIST).json()["items"][0]
    moved = {name for name in before if before[name] != after[name]}
    assert moved == {"entry_id", "list_version", "supersedes"}


def test_only_the_configured_office_publishes(province, as_role: As) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    for role, place in (("provincial_ecology", ""), ("city_industry", "4306"), ("utility", ""), ("enterprise", "")):
        answer = as_role(role, jurisdiction=place, uscc=SMELTER).post(f"{LIST}/publish", NOTICE)
        assert answer.status_code == 403 and answer.json()["code"] == "forbidden"
    office = as_role("provincial_industry")
    assert office.post(f"{LIST}/publish", NOTICE, headers={"Idempotency-Key": ""}).status_code == 400
    assert office.post("/incentives/v1/tier-lists/2026-13/publish", NOTICE).status_code == 422
    assert office.post(f"{LIST}/publish", NOTICE | {"settlement_mode": "SOMETIMES"}).status_code == 422


def test_the_same_key_publishes_once(province, office) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    key = {"Idempotency-Key": "publish-once"}
    first, second = (office.post(f"{LIST}/publish", NOTICE, headers=key) for _ in range(2))
    assert first.json() == second.json() and second.headers["idempotency-replayed"] == "true"
    assert province.count("tier_list") == 1


def test_firms_banks_and_the_public_do_not_read_lists(province, office, as_role: As) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    publish(office)
    for role in ("enterprise", "bank", "public", "institution"):
        assert as_role(role, uscc=SMELTER).get(LIST).status_code == 403


def test_a_city_sees_its_own_part_with_a_digest_of_it(province, office, as_role: As) -> None:  # type: ignore[no-untyped-def]
    province.smelter()
    publish(office)
    for accept in FORMATS:
        own = as_role("city_industry", jurisdiction="4306").get(LIST, headers={"Accept": accept})
        other = as_role("city_industry", jurisdiction="4302").get(LIST, headers={"Accept": accept})
        assert "岳阳铝业" in own.text and json.loads(own.headers["x-control-totals"])["rows"] == 1
        assert "岳阳铝业" not in other.text and json.loads(other.headers["x-control-totals"])["rows"] == 0
        assert own.headers["content-digest"] == digest(own.content)


def test_pages_follow_one_another_without_a_gap(province, office, grid) -> None:  # type: ignore[no-untyped-def]
    firms = {SMELTER: "A1", SECOND: "A2", THIRD: "A3"}
    for uscc, account in firms.items():
        province.smelter(uscc, "13400", account, f"铝业{account}")
    publish(office)
    seen, after = [], None
    while True:
        page = grid.get(LIST, params={"limit": 1} | ({"after": after} if after else {})).json()
        seen += [row["uscc"] for row in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == sorted(firms)
