"""Deadlines across rounds: filters, pages, jurisdiction, and the same as a workbook and as a calendar."""

from datetime import date
from io import BytesIO
from typing import Any

import pytest

from infra.system import System
from tests.conftest import Api, As
from tests.lists import daily_on, firm, published_list, yueyang

PATH = "/audits/v1/deadlines"


@pytest.fixture
def province(system: System, as_role: As) -> Api:
    """Three firms listed on 2026-03-10, seen on 2026-04-20: two disclosures of each are overdue."""
    api = as_role("provincial_ecology")
    system.contexts["audits"].clock.move_to(date(2026, 3, 10))
    published_list(system, api, "2026-03-10", firm(1).row(), firm(2).row(), yueyang(3).row())
    daily_on(system, date(2026, 4, 20))
    return api


def items(api: Api, query: str = "") -> list[dict[str, Any]]:
    answer = api.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_deadlines_come_by_day_with_how_late_they_are(province: Api) -> None:
    found = items(province)
    assert [d["due_on"] for d in found] == sorted(d["due_on"] for d in found) and len(found) == 15
    late = {d["code"]: d["days_late"] for d in found if d["uscc"] == firm(1).uscc and d["status"] == "overdue"}
    assert late == {"ANNUAL_DISCLOSURE": 36, "FIRST_DISCLOSURE": 10}
    report = next(d for d in found if d["code"] == "REPORT")
    assert (report["provisional"], report["days_late"], report["name"]) == (True, 0, report["name"])


FILTERED = {
    "state=overdue": 6,
    "state=pending": 9,
    "state=due_30d": 3,  # START on 2026-05-11 is 21 days on
    "state=due_7d": 0,
    "state=overdue,due_30d": 9,
    "state=done,done_late,waived": 0,
    "code=START": 3,
    "code=START,REPORT&division=4302": 4,
    "division=430603": 5,
    "division=4301": 0,
}


def test_deadlines_are_filtered(province: Api) -> None:
    assert {query: len(items(province, query)) for query in FILTERED} == FILTERED


def test_a_filter_that_is_not_known_is_refused(province: Api) -> None:
    unknown = ("state=late", "code=NOTHING", "division=43x", "colour=red", "limit=501")
    assert {query: province.get(f"{PATH}?{query}").status_code for query in unknown} == dict.fromkeys(unknown, 422)


def test_pages_hold_every_deadline_once(province: Api) -> None:
    seen: list[str] = []
    path: str | None = f"{PATH}?limit=4"
    while path:
        answer = province.get(path)
        seen += [d["id"] for d in answer.json()["items"]]
        path = answer.links["next"]["url"] if "next" in answer.links else None
    assert len(seen) == len(set(seen)) == 15
    forged = province.get(f"{PATH}?limit=4&after=x")
    assert (forged.status_code, forged.json()["code"]) == (422, "cursor_invalid")


def test_everybody_sees_only_their_own(province: Api, as_role: As) -> None:
    assert len(items(as_role("city_ecology", jurisdiction="4302"))) == 10
    assert items(as_role("city_ecology", jurisdiction="4302"), "division=4306") == []
    assert len(items(as_role("city_industry", jurisdiction="4306"))) == 5
    assert {d["uscc"] for d in items(as_role("enterprise", uscc=firm(2).uscc))} == {firm(2).uscc}
    assert len(items(as_role("auditor"))) == 15
    for role in ("bank", "utility", "institution"):
        assert as_role(role, uscc=firm(9).uscc).get(PATH).status_code == 403


@pytest.mark.parametrize("by_header", [False, True])
def test_deadlines_as_a_workbook(province: Api, by_header: bool) -> None:
    from openpyxl import load_workbook

    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    answer = (
        province.get(f"{PATH}?code=START", headers={"Accept": kind})
        if by_header
        else province.get(f"{PATH}.xlsx?code=START")
    )
    assert answer.headers["Content-Type"] == kind
    rows = list(load_workbook(BytesIO(answer.content)).worksheets[0].iter_rows(values_only=True))
    assert len(rows) == 4
    first: dict[Any, Any] = dict(zip(rows[0], rows[1], strict=True))
    assert first["期限"].date() == date(2026, 5, 11) and first["名义期限"].date() == date(2026, 5, 10)
    assert first["事项"] == "启动审核"


@pytest.mark.parametrize("by_header", [False, True])
def test_deadlines_as_a_calendar(province: Api, by_header: bool) -> None:
    answer = province.get(PATH, headers={"Accept": "text/calendar"}) if by_header else province.get(f"{PATH}.ics")
    assert answer.headers["Content-Type"].startswith("text/calendar")
    lines = answer.content.decode().split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR" and lines[-2:] == ["END:VCALENDAR", ""]
    assert all(len(line.encode()) <= 75 for line in lines)
    whole = answer.content.decode().replace("\r\n ", "").split("\r\n")
    assert whole.count("BEGIN:VEVENT") == whole.count("END:VEVENT") == 15
    assert whole.count("DTSTART;VALUE=DATE:20260511") == whole.count("DTEND;VALUE=DATE:20260512") == 3
    assert f"SUMMARY:启动审核：{firm(1).name}" in whole
    assert whole.count("STATUS:TENTATIVE") == 3
    assert len({line for line in whole if line.startswith("UID:")}) == 15
