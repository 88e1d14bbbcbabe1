"""Enterprises from a file: what a row may say, all or none, what changes and what does not."""

import io
from typing import Any

import sqlalchemy as sa
import xlsxwriter

from infra.system import System
from services.registry.service import service
from shared.codes import make_uscc
from shared.jobs import run_one
from tests.conftest import Api, As, shown
from tests.integration.registry.conftest import FIRM, PLACE
from tests.integration.registry.test_enterprises import change, events

HEADERS = [
    "企业名称",
    "统一社会信用代码",
    "所在市州",
    "所在县市区",
    "行业代码",
    "法定代表人",
    "地址",
    "规模以上",
    "排污许可证编号",
]
KNOWN = ["株洲示例冶炼有限公司", FIRM, "株洲市", "荷塘区", "3212", "张示例", "株洲市示例路1号", "是", f"{FIRM}001P"]


def row(n: int, **changes: str) -> list[str]:
    uscc = make_uscc(n, division="430200")
    given = dict(zip(HEADERS, [f"示例第{n}厂", uscc, "株洲市", "荷塘区", "3212", "", "", "", ""], strict=True))
    return list((given | changes).values())


def workbook(rows: list[list[str]]) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet("企业")
    for n, values in enumerate([HEADERS, *rows]):
        sheet.write_row(n, 0, values)
    book.close()
    return buffer.getvalue()


def imported(api: Api, system: System, rows: list[list[str]], **form: str) -> dict[str, Any]:
    answer = api.post(
        "/registry/v1/imports",
        data={"kind": "enterprises"} | form,
        files={"file": ("企业.xlsx", workbook(rows), "application/octet-stream")},
    )
    assert answer.status_code == 202, shown(answer)
    system.run_until_quiet()
    job: dict[str, Any] = api.get(answer.headers["location"]).json()
    return job


def problems(api: Api, job: dict[str, Any]) -> list[tuple[int, str, str, str | None]]:
    found = api.get(f"/registry/v1/imports/{job['result']['import']}/rows").json()["items"]
    return [(item["row"], item["column"], item["code"], item["suggestion"]) for item in found]


def counts(job: dict[str, Any]) -> tuple[int, ...]:
    result = job["result"]
    return tuple(result[name] for name in ("created", "updated", "unchanged", "rejected", "warnings"))


def test_new_changed_and_unchanged_firms(registered: dict[str, Any], city: Api, system: System) -> None:
    job = imported(city, system, [KNOWN, row(1), row(2)])
    assert (job["state"], counts(job)) == ("succeeded", (2, 0, 1, 0, 0)), job
    again = imported(city, system, [[*KNOWN[:6], "新地址", "", ""], row(1)])
    assert counts(again) == (0, 1, 1, 0, 0)
    firm = city.get(f"{PLACE}/{FIRM}").json()
    assert (firm["address"], firm["version"], firm["permit_no"]) == ("新地址", 2, f"{FIRM}001P")
    assert city.get(f"{PLACE}/{FIRM}", params={"known_at": registered["recorded_at"]}).json()["version"] == 1
    assert len(events(system, "registry.enterprise.registered.v1")) == 3
    assert [event["version"] for event in events(system, "registry.enterprise.changed.v1")] == [2]
    assert change(city, 2, name="之后的更改").json()["version"] == 3


def test_each_wrong_cell_is_told_and_nothing_is_written(registered: dict[str, Any], city: Api, system: System) -> None:
    first = row(1)
    rows = [
        first,
        row(2, 统一社会信用代码="123"),
        [KNOWN[0], FIRM[:17] + "B", *KNOWN[2:]],
        [*first],
        row(3, 所在县市区="荷花区"),
        row(4, 所在县市区="岳阳楼区", 所在市州="岳阳市"),
        row(5, 行业代码="9999"),
        row(6, 规模以上="也许"),
        row(7, 排污许可证编号="P1"),
        row(8, 企业名称=""),
    ]
    job = imported(city, system, rows)
    assert (job["state"], job["error"]["code"]) == ("failed", "import_has_errors")
    assert counts(job) == (0, 0, 0, 9, 0)
    assert problems(city, job) == [
        (3, "B", "uscc_malformed", None),
        (4, "B", "uscc_check_digit", FIRM),
        (5, "B", "duplicate_in_file", None),
        (6, "D", "division_unknown", None),
        (7, "D", "enterprise_unknown", None),
        (8, "E", "industry_unknown", None),
        (9, "H", "choice_unknown", None),
        (10, "I", "permit_malformed", None),
        (11, "A", "value_missing", None),
    ]
    assert len(city.get(PLACE).json()["items"]) == 1
    skipped = imported(city, system, rows, on_error="skip")
    assert (skipped["state"], counts(skipped)) == ("succeeded", (1, 0, 0, 9, 0))


def test_a_dry_run_says_what_would_happen_and_changes_nothing(city: Api, system: System) -> None:
    job = imported(city, system, [row(1), row(2, 行业代码="0000")], dry_run="true")
    assert (job["state"], counts(job)) == ("succeeded", (1, 0, 0, 1, 0))
    assert city.get(PLACE).json()["items"] == []
    assert events(system, "registry.enterprise.registered.v1") == []


def test_a_deregistered_firm_is_refused_and_another_name_is_a_warning(
    registered: dict[str, Any], city: Api, system: System
) -> None:
    renamed = imported(city, system, [["改名后的公司", *KNOWN[1:]]])
    assert counts(renamed) == (0, 1, 0, 0, 1)
    assert [problem[2] for problem in problems(city, renamed)] == ["name_mismatch"]
    change(city, 2, status="deregistered", deregistered_on="2026-11-20")
    job = imported(city, system, [["改名后的公司", *KNOWN[1:]]])
    assert [problem[:3] for problem in problems(city, job)] == [(2, "B", "enterprise_deregistered")]


def test_a_file_of_another_kind_and_another_role_are_refused(city: Api, as_role: As) -> None:
    files = {"file": ("企业.xlsx", workbook([row(1)]), "application/octet-stream")}
    other = city.post("/registry/v1/imports", data={"kind": "cats"}, files=files)
    assert (other.status_code, other.json()["code"]) == (422, "kind_unknown")
    itself = as_role("enterprise", uscc=FIRM)
    assert itself.post("/registry/v1/imports", data={"kind": "enterprises"}, files=files).status_code == 403
    template = city.get("/registry/v1/templates/enterprises.xlsx")
    assert template.status_code == 200 and template.content[:2] == b"PK"


def test_a_misspelt_form_field_is_told_and_nothing_is_imported(city: Api, system: System) -> None:
    files = {"file": ("企业.xlsx", workbook([row(1)]), "application/octet-stream")}
    answer = city.post("/registry/v1/imports", data={"kind": "enterprises", "dryRun": "true"}, files=files)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/dryRun")
    system.run_until_quiet()
    assert city.get(PLACE).json()["items"] == []


def test_a_file_with_other_columns_fails_with_a_whole_result(city: Api, system: System) -> None:
    files = {"file": ("企业.csv", f"企业名称,统一社会信用代码,备注\n甲,{FIRM},x\n".encode(), "text/csv")}
    accepted = city.post("/registry/v1/imports", data={"kind": "enterprises"}, files=files)
    system.run_until_quiet()
    job = city.get(accepted.headers["location"]).json()
    assert (job["state"], job["error"]["code"], counts(job)) == ("failed", "column_missing", (0, 0, 0, 0, 0))


def test_twenty_thousand_firms_are_in_the_register_with_their_history_and_events(city: Api, system: System) -> None:
    files = {"file": ("企业.xlsx", workbook([row(n) for n in range(20_000)]), "application/octet-stream")}
    accepted = city.post("/registry/v1/imports", data={"kind": "enterprises"}, files=files)
    context = system.contexts["registry"]
    assert run_one(service.jobs, context.db, context.clock)
    job = city.get(accepted.headers["location"]).json()
    assert (job["state"], job["rows_done"], counts(job)) == ("succeeded", 20_000, (20_000, 0, 0, 0, 0))
    with context.db.read() as tx:
        for table in ("enterprise", "enterprise_version", "outbox"):
            assert tx.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 20_000
