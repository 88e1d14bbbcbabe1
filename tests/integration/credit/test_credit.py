"""Credit keeps its word: published grades on two clocks, inputs without effect, imports all or none."""

import io
from datetime import UTC, date, datetime
from uuid import uuid4

import psycopg
import pytest
import xlsxwriter

from infra.system import System
from shared.events.audits import AcceptanceRecorded, ObligationOverdue
from shared.events.registry import EnterpriseRegistered
from shared.messaging.outbox import emit
from tests.conftest import Api, As, shown

FIRM, OTHER = "91430200MA4QA0029A", "91430600MA4QA0037R"


@pytest.fixture
def firms(system: System) -> None:
    with system.contexts["registry"].db.begin() as tx:
        for uscc, division in ((FIRM, "430202"), (OTHER, "430602")):
            emit(tx, EnterpriseRegistered(uscc=uscc, name=f"示例{uscc}", division=division, industry="3212", status="active", version=1))
    system.run_until_quiet()


def record(uscc: str = FIRM, **changes: object) -> dict[str, object]:
    given: dict[str, object] = {
        "uscc": uscc,
        "evaluation_year": 2024,
        "grade": "蓝牌",
        "level": "city",
        "published_on": "2025-06-05",
        "document_no": "株环示例〔2025〕1号",
    }
    return given | changes


@pytest.fixture
def city(as_role: As, firms: None) -> Api:
    return as_role("city_ecology", jurisdiction="4302")


def grade(api: Api, uscc: str = FIRM, **query: str) -> dict[str, object]:
    answer = api.get(f"/credit/v1/enterprises/{uscc}", params=query)
    assert answer.status_code == 200, shown(answer)
    found: dict[str, object] = answer.json()
    return found


def test_a_published_grade_is_public_and_holds_from_its_day(city: Api, as_role: As) -> None:
    bank = as_role("bank", uscc="91430100MA4QA00108")
    assert grade(bank)["grade"] is None
    assert city.post("/credit/v1/records", record()).status_code == 201
    found = grade(bank)
    assert (found["grade"], found["norm"], found["regime"], found["level"]) == ("蓝牌", 2, "HN_2023", "city")
    assert "inputs" not in found
    assert grade(bank, as_of="2025-06-04")["grade"] is None


def test_a_correction_leaves_what_was_known_before(city: Api) -> None:
    city.post("/credit/v1/records", record())
    between = datetime.now(UTC).isoformat()
    city.post("/credit/v1/records", record(grade="红牌"))
    assert grade(city)["grade"] == "红牌"
    assert grade(city, known_at=between)["grade"] == "蓝牌"


def test_a_grade_published_on_a_later_day_holds_from_that_day_and_leaves_the_days_before(city: Api) -> None:
    city.post("/credit/v1/records", record())
    city.post("/credit/v1/records", record(grade="黄牌", published_on="2025-09-01"))
    assert (grade(city)["grade"], grade(city, as_of="2025-08-31")["grade"]) == ("黄牌", "蓝牌")
    city.post("/credit/v1/records", record(grade="绿牌"))
    assert (grade(city)["grade"], grade(city, as_of="2025-08-31")["grade"]) == ("黄牌", "绿牌")


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"])
def test_an_instant_at_the_end_of_the_calendar_is_refused(city: Api, instant: str) -> None:
    places = (f"/credit/v1/enterprises/{FIRM}", f"/audits/v1/enterprises/{FIRM}/status")
    for place in (*places, f"/incentives/v1/enterprises/{FIRM}/decisions"):
        assert city.get(place, params={"known_at": instant}).status_code == 422


@pytest.mark.parametrize("place", ["/credit/v1/jobs/x", "/credit/v1/imports/x/rows", "/credit/v1/imports/x/workbook"])
def test_what_is_no_id_names_nothing(city: Api, place: str) -> None:
    assert city.get(place).status_code == 404


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"grade": "诚信"}, "grade_unknown", "/grade"),
        ({"evaluation_year": 2022}, "grade_unknown", "/grade"),
        ({"evaluation_year": 2011, "published_on": "2012-01-01"}, "regime_unknown", "/evaluation_year"),
        ({"published_on": "2026-11-21"}, "date_out_of_order", "/published_on"),
        ({"unknown": 1}, "unknown_field", "/unknown"),
    ],
)
def test_a_wrong_record_is_refused_with_its_place(city: Api, changes: dict[str, object], code: str, pointer: str) -> None:
    answer = city.post("/credit/v1/records", record(**changes))
    assert answer.status_code == 422, shown(answer)
    assert (answer.json()["errors"][0]["code"], answer.json()["errors"][0]["pointer"]) == (code, pointer)
    assert grade(city)["grade"] is None


def test_checks_come_in_the_order_of_the_contract(city: Api, as_role: As, nobody: Api) -> None:
    assert nobody.post("/credit/v1/records", record()).status_code == 401
    assert as_role("bank", uscc=OTHER).post("/credit/v1/records", record()).status_code == 403
    assert city.post("/credit/v1/records", record(), headers={"Idempotency-Key": ""}).json()["code"] == "idempotency_key_required"
    assert city.post("/credit/v1/records", record(OTHER)).status_code == 404
    assert city.post("/credit/v1/records", record(level="province")).status_code == 403
    assert city.get("/credit/v1/enterprises/91430100MA4QA00108").status_code == 404
    assert city.get(f"/credit/v1/enterprises/{FIRM}?nonsense=1").status_code == 422


def test_audit_outcomes_are_recorded_without_effect_and_only_the_parties_see_them(
    system: System, city: Api, as_role: As
) -> None:
    with system.contexts["audits"].db.begin() as tx:
        emit(tx, AcceptanceRecorded(uscc=FIRM, round=uuid4(), result="accept_failed", accepted_on=date(2026, 5, 1), document_no="示例"))
        emit(tx, AcceptanceRecorded(uscc=FIRM, round=uuid4(), result="accepted", level="I", accepted_on=date(2026, 6, 1), document_no="示例"))
        emit(tx, ObligationOverdue(uscc=FIRM, round=uuid4(), code="REPORT", due_on=date(2026, 7, 1), track="mandatory"))
    system.run_until_quiet()
    inputs = grade(city)["inputs"]
    assert isinstance(inputs, list)
    assert [(i["kind"], i["points"], i["effect"], i["why"]) for i in inputs] == [
        ("ACCEPTANCE_FAILED", None, "none", "PARAM_UNCONFIRMED"),
        ("AUDIT_ACCEPTED", None, "none", "PARAM_UNCONFIRMED"),
        ("OVERDUE_WARNING", None, "none", "NO_LEGAL_DOCUMENT"),
    ]
    assert grade(as_role("enterprise", uscc=FIRM))["inputs"] == inputs
    for stranger in (as_role("enterprise", uscc=OTHER), as_role("city_ecology", jurisdiction="4306"), as_role("bank", uscc=OTHER)):
        assert "inputs" not in grade(stranger)
    assert grade(city)["grade"] is None


def workbook(rows: list[list[object]]) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet("评价结果")
    for at, row in enumerate([["统一社会信用代码", "评价年度", "等级", "评价层级", "发布日期", "文号"], *rows]):
        for column, value in enumerate(row):
            sheet.write(at, column, value)
    book.close()
    return file.getvalue()


def import_records(api: Api, system: System, rows: list[list[object]], **form: str) -> dict[str, object]:
    answer = api.request(
        "POST", "/credit/v1/imports", data={"kind": "records", **form}, files={"file": ("等级.xlsx", workbook(rows))}
    )
    assert answer.status_code == 202, shown(answer)
    system.run_until_quiet()
    job: dict[str, object] = api.get(answer.headers["Location"]).json()
    return job


GOOD = [FIRM, 2024, "绿牌", "市级", date(2025, 6, 5), "示例1号"]


def test_an_import_writes_all_good_rows_or_none(system: System, city: Api) -> None:
    bad = [[FIRM, 2024, "诚信", "市级", date(2025, 6, 5), "示例"], ["91430200MA4QA0029B", 2023, "绿牌", "市级", "2025-06-05", "示例"]]
    failed = import_records(city, system, [GOOD, *bad])
    assert failed["state"] == "failed" and failed["error"]["code"] == "import_has_errors"  # type: ignore[index]
    rows = city.get(f"/credit/v1/imports/{failed['result']['import']}/rows").json()["items"]  # type: ignore[index]
    assert [(r["row"], r["column"], r["code"]) for r in rows] == [
        (3, "C", "grade_unknown"),
        (4, "A", "uscc_check_digit"),
        (4, "E", "date_as_text"),
    ]
    assert grade(city)["grade"] is None
    done = import_records(city, system, [GOOD, *bad], on_error="skip")
    assert done["state"] == "succeeded" and (done["result"]["created"], done["result"]["rejected"]) == (1, 2)  # type: ignore[index]
    assert grade(city)["grade"] == "绿牌"
    again = import_records(city, system, [GOOD])
    assert again["result"]["unchanged"] == 1  # type: ignore[index]


def test_a_dry_run_changes_nothing_and_says_what_would_happen(system: System, city: Api) -> None:
    job = import_records(city, system, [GOOD], dry_run="true")
    assert job["state"] == "succeeded" and job["result"]["created"] == 1  # type: ignore[index]
    assert grade(city)["grade"] is None


def test_the_template_is_one_that_the_import_reads(city: Api) -> None:
    answer = city.get("/credit/v1/templates/records.xlsx")
    assert answer.status_code == 200 and answer.content[:2] == b"PK"


def test_a_reader_of_the_place_hears_of_a_grade_before_notifications_knows_the_firm(system: System, city: Api) -> None:
    with psycopg.connect(system.contexts["notifications"].db.url, autocommit=True) as there:
        there.execute("DELETE FROM enterprise_copy")  # as if the register's topic were behind the others
    assert city.post("/credit/v1/records", record()).status_code == 201
    import_records(city, system, [[FIRM, 2024, "绿牌", "市级", date(2026, 6, 5), "株环示例〔2026〕1号"]])
    with psycopg.connect(system.contexts["notifications"].db.url) as there:
        places = there.execute("SELECT division FROM event_log WHERE type = 'credit.record.published.v1'").fetchall()
    assert places == [("430202",), ("430202",)]
