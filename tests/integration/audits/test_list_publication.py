"""Publishing a list: rounds, dated duties, what is open already, and taking an entry off again."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from sqlmodel import select

from infra.system import System
from services.audits.models import AuditRound, Obligation, RoundState, Track
from tests.conftest import As, shown
from tests.lists import firm, imported, know, list_file, made_list, publish, published_list, told, yueyang

GOLDEN = yaml.safe_load((Path(__file__).parents[2] / "unit" / "audits" / "golden" / "deadlines.yaml").read_text())
FOUR = {"FIRST_DISCLOSURE", "START", "REPORT", "ANNUAL_DISCLOSURE"}


@pytest.mark.parametrize("case", GOLDEN["publications"], ids=lambda case: str(case["published"]))
def test_a_publication_dates_the_four_duties(system: System, as_role: As, case: dict[str, Any]) -> None:
    api = as_role("provincial_ecology")
    published_list(system, api, case["published"].isoformat(), firm(1).row())
    duties = {d["code"]: d for d in api.get("/audits/v1/deadlines").json()["items"]}
    assert set(duties) == FOUR
    for code in FOUR:
        want = case[code]
        assert duties[code]["due_on"] == want["due"].isoformat(), code
        assert duties[code]["nominal_on"] == want["nominal"].isoformat(), code
        assert duties[code]["provisional"] is want["provisional"], code


def test_a_duty_cites_the_statute_of_the_day_of_publication(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    published_list(system, api, "2026-08-14", firm(1).row())
    published_list(system, api, "2026-08-15", firm(2).row())
    cited = {d["uscc"]: d["legal_basis"] for d in api.get("/audits/v1/deadlines?code=REPORT").json()["items"]}
    assert "清洁生产促进法" in cited[firm(1).uscc] and "生态环境法典" in cited[firm(2).uscc]


def test_high_energy_alone_is_uncertain_from_the_code_on(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    before = published_list(system, api, "2026-08-14", firm(1).row("高耗能"))
    after = published_list(system, api, "2026-10-01", firm(2).row("高耗能"), firm(3).row("双超、高耗能"))
    assert [e["legal_basis_status"] for e in (*before, *after)] == ["confirmed", "uncertain", "confirmed"]


def test_publication_tells_the_list_each_entry_and_each_duty(system: System, as_role: As) -> None:
    entries = published_list(
        system, as_role("provincial_ecology"), "2026-03-10", firm(1).row("双超双有"), firm(2).row()
    )
    assert [e["entries"] for e in told(system, "list.published")] == [2]
    first = told(system, "list_entry.published")[0]
    assert first["uscc"] == firm(1).uscc and first["categories"] == ["EXCESS_EMISSION", "TOXIC"]
    assert [e["round"] for e in told(system, "list_entry.published")] == [e["round"] for e in entries]
    assert [e["state"] for e in told(system, "round.moved")] == ["listed", "listed"]
    assert len(told(system, "obligation.created")) == 8


def test_an_open_mandatory_round_is_kept_not_doubled(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    [first] = published_list(system, api, "2025-03-10", firm(1).row())
    second_list = made_list(api, year=2027)
    job = imported(system, api, second_list, list_file([firm(1).row(), firm(2).row()]))
    assert job["result"]["warnings"] == 2  # the open round, and the firm that nobody knows yet
    assert publish(api, second_list, "2026-03-10").status_code == 200
    kept, new = api.get(f"/audits/v1/lists/{second_list}/entries").json()["items"]
    assert kept["round"] == first["round"] != new["round"]
    assert len(api.get("/audits/v1/deadlines?state=pending").json()["items"]) == 8


def voluntary(system: System, number: int, state: RoundState, **fields: Any) -> AuditRound:
    one = firm(number)
    round = AuditRound(
        uscc=one.uscc, name=one.name, division=one.division, track=Track.VOLUNTARY, state=state, **fields
    )
    with system.contexts["audits"].db.begin() as tx:
        tx.add(round)
    return round


def test_a_running_voluntary_round_becomes_mandatory_and_its_start_counts(system: System, as_role: As) -> None:
    round = voluntary(system, 1, RoundState.AUDITING)
    api = as_role("provincial_ecology")
    [entry] = published_list(system, api, "2026-03-10", firm(1).row("双超"))
    assert entry["round"] == str(round.id)
    duties = {d["code"]: d for d in api.get("/audits/v1/deadlines").json()["items"]}
    assert duties["START"]["status"] == "done" and duties["START"]["done_on"] == "2026-03-10"
    assert {code: d["status"] for code, d in duties.items() if code != "START"} == dict.fromkeys(
        FOUR - {"START"}, "pending"
    )
    with system.contexts["audits"].db.read() as tx:
        now = tx.get_one(AuditRound, round.id)
    assert (now.track, now.state, now.categories) == (Track.MANDATORY, RoundState.AUDITING, ["EXCESS_EMISSION"])
    assert now.version == round.version + 1
    moved = told(system, "round.moved")[-1]
    assert (moved["track"], moved["state"], moved["previous"]) == ("mandatory", "auditing", "auditing")


def test_a_voluntary_round_that_has_not_started_still_has_to_start(system: System, as_role: As) -> None:
    voluntary(system, 1, RoundState.LISTED)
    api = as_role("provincial_ecology")
    published_list(system, api, "2026-03-10", firm(1).row())
    assert {d["status"] for d in api.get("/audits/v1/deadlines").json()["items"]} == {"pending"}


def test_a_suspended_voluntary_round_counts_by_the_state_it_resumes_to(system: System, as_role: As) -> None:
    voluntary(system, 1, RoundState.SUSPENDED, resumes_to=RoundState.REPORT_SUBMITTED)
    api = as_role("provincial_ecology")
    published_list(system, api, "2026-03-10", firm(1).row())
    done = api.get("/audits/v1/deadlines?state=done").json()["items"]
    assert {d["code"] for d in done} == {"START", "REPORT"}


def test_a_list_is_published_once_and_not_before_its_day(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    empty = made_list(api)
    refused = publish(api, empty, "2026-03-10")
    assert (refused.status_code, refused.json()["code"]) == (422, "list_empty")
    imported(system, api, empty, list_file([firm(1).row()]))
    for day in ("2026-11-21", "2012-06-30"):
        refused = publish(api, empty, day)
        assert (refused.status_code, refused.json()["code"]) == (422, "date_out_of_order"), shown(refused)
    path = f"/audits/v1/lists/{empty}/publish"
    stale = api.post(path, {"published_on": "2026-03-10"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    fresh = api.post(path, {"published_on": "2026-03-10"}, headers={"If-Match": '"2"'})
    assert fresh.status_code == 200 and fresh.headers["ETag"] == '"3"' and fresh.json()["state"] == "published"
    again = publish(api, empty, "2026-03-10")
    assert (again.status_code, again.json()["code"]) == (409, "move_not_allowed")
    assert again.json()["state"] == "published" and again.json()["allowed"] == []


def test_a_withdrawn_entry_cancels_its_round_and_waives_its_duties(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    one, other = published_list(system, api, "2026-03-10", firm(1).row(), firm(2).row())
    answer = api.post(f"/audits/v1/lists/{one['list']}/entries/{one['id']}/withdraw", {"reason": "LISTED_BY_ERROR"})
    assert answer.status_code == 200 and answer.json()["state"] == "withdrawn", shown(answer)
    duties = api.get("/audits/v1/deadlines").json()["items"]
    assert {d["status"] for d in duties if d["uscc"] == firm(1).uscc} == {"waived"}
    assert {d["status"] for d in duties if d["uscc"] == firm(2).uscc} == {"pending"}
    [event] = told(system, "list_entry.withdrawn")
    assert event["reason"] == "LISTED_BY_ERROR" and event["round"] == one["round"]
    assert told(system, "round.moved")[-1]["state"] == "cancelled"
    again = api.post(f"/audits/v1/entries/{one['id']}/withdraw", {"reason": "again"})
    assert (again.status_code, again.json()["code"]) == (409, "move_not_allowed")
    assert api.post(f"/audits/v1/entries/{other['id']}/withdraw", {"reason": "关停"}).status_code == 200


def test_a_withdrawal_needs_a_reason_and_an_unended_round(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    [entry] = published_list(system, api, "2026-03-10", firm(1).row())
    path = f"/audits/v1/entries/{entry['id']}/withdraw"
    assert api.post(path, {"reason": "  "}).status_code == 422
    with system.contexts["audits"].db.begin() as tx:
        tx.exec(select(AuditRound)).one().state = RoundState.ACCEPTED
    refused = api.post(path, {"reason": "CLOSED"})
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (
        409,
        "move_not_allowed",
        "accepted",
    )
    assert api.get(f"/audits/v1/entries/{entry['id']}").json()["state"] == "published"


def test_withdrawing_a_later_listing_leaves_the_round_of_the_earlier_one(system: System, as_role: As) -> None:
    api = as_role("provincial_ecology")
    [first] = published_list(system, api, "2025-03-10", firm(1).row())
    [second] = published_list(system, api, "2026-03-10", firm(1).row())
    assert api.post(f"/audits/v1/entries/{second['id']}/withdraw", {"reason": "重复"}).status_code == 200
    assert told(system, "obligation.waived") == []
    assert api.post(f"/audits/v1/entries/{first['id']}/withdraw", {"reason": "重复"}).status_code == 200
    assert len(told(system, "obligation.waived")) == 4


def test_a_city_sees_and_decides_only_what_is_its_own(system: System, as_role: As) -> None:
    province, city = as_role("provincial_ecology"), as_role("city_ecology", jurisdiction="4302")
    mine, theirs = published_list(system, province, "2026-03-10", firm(1).row(), yueyang(2).row())
    items = city.get(f"/audits/v1/lists/{mine['list']}/entries").json()["items"]
    assert [e["uscc"] for e in items] == [firm(1).uscc]
    assert city.get(f"/audits/v1/entries/{theirs['id']}").status_code == 404
    assert city.post(f"/audits/v1/entries/{theirs['id']}/withdraw", {"reason": "x"}).status_code == 404
    assert city.post(f"/audits/v1/entries/{mine['id']}/withdraw", {"reason": "x"}).status_code == 403
    assert publish(city, mine["list"], "2026-03-10").status_code == 403


def test_four_hundred_entries_are_published_in_as_many_statements_as_forty(system: System, as_role: As) -> None:
    api, db = as_role("provincial_ecology"), system.contexts["audits"].db
    told: list[str] = []
    sa.event.listen(db.engine, "before_cursor_execute", lambda _, __, statement, *___: told.append(statement))
    statements = []
    for numbers in (range(40), range(40, 440)):
        list_id = made_list(api)
        content = list_file([firm(n).row() for n in numbers])
        assert imported(system, api, list_id, content)["result"]["created"] == len(numbers)
        told.clear()
        assert publish(api, list_id, "2026-03-10").status_code == 200
        statements.append(len(told))
    assert statements[1] < statements[0] + 20, "what goes to the database in portions has more of them, and nothing else"
    with db.read() as tx:
        assert len(tx.exec(select(Obligation)).all()) == 1760
        assert {d.due_on for d in tx.exec(select(Obligation).where(Obligation.code == "START"))} == {date(2026, 5, 11)}


def test_the_entries_as_a_workbook_hold_the_duties(system: System, as_role: As) -> None:
    from io import BytesIO

    from openpyxl import load_workbook

    api = as_role("provincial_ecology")
    know(system, firm(1))
    [entry] = published_list(system, api, "2026-03-10", firm(1).row("双超；双有"))
    path = f"/audits/v1/lists/{entry['list']}/entries"
    by_query = api.get(f"{path}?format=xlsx")
    accept = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    for answer in (by_query, api.get(f"{path}.xlsx"), api.get(path, headers={"Accept": accept})):
        rows = list(load_workbook(BytesIO(answer.content)).worksheets[0].iter_rows(values_only=True))
        told_of: dict[Any, Any] = dict(zip(rows[0], rows[1], strict=True))
        assert told_of["企业名称"] == firm(1).name and told_of["所在县市区"] == "石峰区"
        assert told_of["启动审核期限"].date() == date(2026, 5, 11) and told_of["纳入原因"] == "双超、双有"
