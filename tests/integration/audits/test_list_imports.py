"""Importing a list: every row checked, the good rows replace the draft, or nothing is written."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.system import System
from tests.conftest import As, shown
from tests.data.list_rows import planted_list
from tests.lists import HEADERS, XLSX, Firm, firm, imported, know, list_file, made_list, publish

DATA = Path(__file__).parents[2] / "data" / "list"
EXPECTED = json.loads((DATA / "list_expected.json").read_text())


def register_of_the_province(system: System) -> None:
    """The firms that the made list expects the register to hold, one of them deregistered."""
    from datetime import date

    from tests.data.firms import firms

    gone = EXPECTED["deregister_first"]
    for made in firms(EXPECTED["register_rows_needed"]):
        known = Firm(made.uscc, made.name, made.city, made.county, made.division)
        day = date.fromisoformat(gone["deregistered_on"]) if made.uscc == gone["uscc"] else None
        know(system, known, status="deregistered" if day else "active", deregistered_on=day)


def problems(api: Any, job: dict[str, Any], severity: str) -> list[dict[str, Any]]:
    """Every problem of a severity, page by page."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        path = f"/audits/v1/imports/{job['result']['import']}/rows?severity={severity}&limit=5{after}"
        page = api.get(path).json()
        found += page["items"]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


def agrees(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Each expected problem is there with all that is said of it, and no other."""
    by_place = {(f["row"], f["column"], f["code"]): f for f in found}
    assert sorted(by_place) == sorted((e["row"], e["column"], e["code"]) for e in expected)
    for want in expected:
        told = by_place[want["row"], want["column"], want["code"]]
        assert {key: told[key] for key in want} == want


@pytest.mark.parametrize("suffix", ["xlsx", "xls", "csv"])
def test_the_list_of_a_province_is_checked_cell_by_cell(system: System, as_role: As, suffix: str) -> None:
    register_of_the_province(system)
    api = as_role("provincial_ecology")
    list_id = made_list(api)
    job = imported(system, api, list_id, (DATA / f"list_2026.{suffix}").read_bytes(), f"list.{suffix}")
    assert (job["state"], job["error"]["code"]) == ("failed", "import_has_errors")
    assert job["rows_total"] == EXPECTED["rows_total"] == 412
    assert job["result"]["rejected"] == len(EXPECTED["errors"]) and job["result"]["created"] == 0
    agrees(problems(api, job, "error"), EXPECTED["errors"])
    agrees(problems(api, job, "warning"), EXPECTED["warnings"])
    assert api.get(f"/audits/v1/lists/{list_id}").json()["entries"] == 0


def test_the_corrected_list_is_imported_and_published_whole(system: System, as_role: As) -> None:
    register_of_the_province(system)
    api = as_role("provincial_ecology")
    list_id = made_list(api)
    job = imported(system, api, list_id, (DATA / "list_2026_corrected.xlsx").read_bytes())
    assert job["state"] == "succeeded", job
    assert job["result"]["created"] == EXPECTED["corrected"]["rows_total"]
    agrees(problems(api, job, "warning"), EXPECTED["corrected"]["warnings"])
    assert publish(api, list_id, "2026-03-10").json()["entries"] == EXPECTED["corrected"]["rows_total"]
    untidy = planted_list().entries[12].meant
    assert api.get(f"/audits/v1/enterprises/{untidy.uscc}/status").json()["stage"] == "listed"


def test_skipping_takes_the_good_rows_and_a_dry_run_takes_none(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    know(system, firm(1), firm(2))
    rows = list_file([firm(1).row(), firm(2).row("双好"), firm(3).row()])
    list_id = made_list(api)
    dry = imported(system, api, list_id, rows, dry_run="true", on_error="skip")["result"]
    assert (dry["created"], dry["rejected"], dry["warnings"]) == (2, 1, 1)
    assert api.get(f"/audits/v1/lists/{list_id}").json()["entries"] == 0
    real = imported(system, api, list_id, rows, on_error="skip")["result"]
    assert (real["created"], real["rejected"]) == (2, 1)
    assert api.get(f"/audits/v1/lists/{list_id}").json()["entries"] == 2


def test_a_second_import_replaces_the_draft_and_keeps_who_stays(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    know(system, firm(1), firm(2), firm(3), firm(4))
    list_id = made_list(api)
    imported(system, api, list_id, list_file([firm(1).row(), firm(2).row(), firm(3).row()]))
    before = {e["uscc"]: e["id"] for e in api.get(f"/audits/v1/lists/{list_id}/entries").json()["items"]}
    job = imported(system, api, list_id, list_file([firm(4).row(), firm(2).row("双超"), firm(1).row()]))
    assert {k: job["result"][k] for k in ("created", "updated", "unchanged")} == {
        "created": 1, "updated": 1, "unchanged": 1
    }  # fmt: skip
    entries = api.get(f"/audits/v1/lists/{list_id}/entries").json()["items"]
    assert [e["uscc"] for e in entries] == [firm(n).uscc for n in (4, 2, 1)]
    assert {e["uscc"]: e["id"] for e in entries if e["uscc"] in before}.items() <= before.items()
    assert entries[1]["categories"] == ["EXCESS_EMISSION"]


CELLS = [
    ({"统一社会信用代码": ""}, ("统一社会信用代码", "value_missing")),
    ({"统一社会信用代码": "91430200MA4QA0029"}, ("统一社会信用代码", "uscc_malformed")),
    ({"企业名称": ""}, ("企业名称", "value_missing")),
    ({"企业名称": "长" * 201}, ("企业名称", "value_too_long")),
    ({"所在县市区": "云溪区"}, ("所在县市区", "division_unknown")),
    ({"所在市州": "广州市"}, ("所在县市区", "division_unknown")),
    ({"所在市州": "岳阳市", "所在县市区": ""}, ("所在市州", "division_unknown")),
    ({"行业": "炼金术"}, ("行业", "industry_unknown")),
    ({"纳入原因": "双超、双好"}, ("纳入原因", "reason_unknown")),
    ({"纳入原因": ""}, ("纳入原因", "value_missing")),
]


@pytest.mark.parametrize(("cells", "expected"), CELLS, ids=lambda value: str(value)[:40])
def test_a_wrong_cell_is_named(system: System, as_role: As, cells: dict[str, str], expected: tuple[str, str]) -> None:
    api = as_role("provincial_ecology")
    know(system, firm(1))
    job = imported(system, api, made_list(api), list_file([firm(1).row(**cells)]))
    found = problems(api, job, "error")
    assert [(p["header"], p["code"]) for p in found] == [expected]
    assert found[0]["row"] == 2 and set(found[0]["message"]) == {"zh", "en"}


def test_a_firm_that_the_register_knows_needs_no_place_and_no_industry(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    know(system, firm(1), firm(2))
    list_id = made_list(api)
    rows = [firm(1).row(所在市州="", 所在县市区=""), firm(2).row(所在县市区="", 行业="电镀")]
    assert imported(system, api, list_id, list_file(rows))["state"] == "succeeded"
    entries = api.get(f"/audits/v1/lists/{list_id}/entries").json()["items"]
    assert [(e["division"], e["industry"]) for e in entries] == [("430204", "3360"), ("430204", "3360")]


def test_an_unknown_firm_needs_its_place(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    job = imported(system, api, made_list(api), list_file([firm(1).row(所在市州="", 所在县市区="")]))
    assert [p["code"] for p in problems(api, job, "error")] == ["division_unknown"]


def test_a_formula_is_no_value(system: System, as_role: As) -> None:
    from io import BytesIO

    from openpyxl import Workbook

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(HEADERS)
    row = firm(1).row()
    row[0] = '="株洲"&"示例"'
    sheet.append(row)
    content = BytesIO()
    book.save(content)
    api = as_role("provincial_ecology")
    job = imported(system, api, made_list(api), content.getvalue())
    assert [(p["column"], p["code"]) for p in problems(api, job, "error")] == [("A", "formula_cell")]


def test_a_header_without_rows_is_refused_at_once_and_leaves_the_draft(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    list_id = made_list(api)
    files = {"file": ("list.xlsx", list_file([]), XLSX)}
    answer = api.request("POST", f"/audits/v1/lists/{list_id}/imports", files=files)
    assert (answer.status_code, answer.json()["code"]) == (422, "file_empty")


def test_every_fault_of_a_row_is_told_at_once(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    row = ["示例企业", "91430200MA4QA0029", "株洲市", "云溪区", "炼金术", "双好", ""]
    job = imported(system, api, made_list(api), list_file([row]))
    assert {f["code"] for f in problems(api, job, "error")} == {
        "uscc_malformed", "division_unknown", "industry_unknown", "reason_unknown",
    }  # fmt: skip


def test_a_published_list_takes_no_import(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    list_id = made_list(api)
    imported(system, api, list_id, list_file([firm(1).row()]))
    publish(api, list_id, "2026-03-10")
    files = {"file": ("list.xlsx", list_file([firm(2).row()]))}
    refused = api.request("POST", f"/audits/v1/lists/{list_id}/imports", files=files)
    assert (refused.status_code, refused.json()["code"]) == (409, "list_published"), shown(refused)


def test_only_the_province_makes_lists_and_a_creating_post_needs_a_key(system: System, as_role: As) -> None:
    province, city = as_role("provincial_ecology"), as_role("city_ecology", jurisdiction="4302")
    body = {"kind": "mandatory", "year": 2026, "document_no": "x", "title": "y"}
    assert city.post("/audits/v1/lists", body).status_code == 403
    assert as_role("provincial_industry").post("/audits/v1/lists", body).status_code == 403
    keyless = province.post("/audits/v1/lists", body, headers={"Idempotency-Key": ""})
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency_key_required")
    assert province.post("/audits/v1/lists", body | {"colour": "red"}).status_code == 422
    list_id = made_list(province)
    files = {"file": ("list.xlsx", list_file([firm(1).row()]))}
    assert city.request("POST", f"/audits/v1/lists/{list_id}/imports", files=files).status_code == 403
    missing = "/audits/v1/lists/00000000-0000-0000-0000-000000000000"
    assert city.request("POST", f"{missing}/imports", files=files).status_code == 404


def test_lists_come_newest_first_page_by_page(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    made = [made_list(api, year=2020 + n) for n in range(5)]
    seen: list[str] = []
    path: str | None = "/audits/v1/lists?limit=2"
    while path:
        page = api.get(path).json()
        seen += [item["id"] for item in page["items"]]
        path = f"/audits/v1/lists?limit=2&after={page['next']}" if page["next"] else None
    assert seen == made[::-1]
    one = api.get(f"/audits/v1/lists/{made[0]}")
    assert one.headers["ETag"] == '"1"'
    assert api.get(f"/audits/v1/lists/{made[0]}", headers={"If-None-Match": '"1"'}).status_code == 304
