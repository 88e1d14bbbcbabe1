"""Enterprises: registration, field sets, refusals in the contract's order, versions and both clocks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from infra.system import System
from shared.events.audits import ListEntryPublished
from shared.messaging.outbox import emit
from shared.messaging.tables import OutboxRow
from tests.conftest import Api, As, shown
from tests.integration.registry.conftest import BANK, FIRM, OTHER, PLACE, firm

WRONG_CHECK = FIRM[:17] + "B"
INNER_WRONG = "91430200MA4QA0021H"


def events(system: System, type: str) -> list[dict[str, Any]]:
    with system.contexts["registry"].db.read() as tx:
        rows = tx.exec(select(OutboxRow).order_by(OutboxRow.position)).all()  # type: ignore[arg-type]
    return [row.envelope["data"] for row in rows if row.envelope["type"] == type]


def test_a_firm_is_registered_with_its_version_and_its_event(
    registered: dict[str, Any], city: Api, system: System
) -> None:
    assert (registered["status"], registered["version"], registered["warnings"]) == ("active", 1, [])
    answer = city.get(f"{PLACE}/{FIRM}")
    assert answer.headers["etag"] == '"1"'
    assert answer.json() | {"warnings": []} == registered
    assert city.get(f"{PLACE}/{FIRM}", headers={"If-None-Match": '"1"'}).status_code == 304
    assert [e["uscc"] for e in events(system, "registry.enterprise.registered.v1")] == [FIRM]


def test_what_is_not_public_is_for_the_place_and_the_firm_itself(registered: dict[str, Any], as_role: As) -> None:
    insiders = [
        as_role("city_industry", jurisdiction="4302"),
        as_role("provincial_ecology"),
        as_role("auditor"),
        as_role("enterprise", uscc=FIRM),
    ]
    outsiders = [
        as_role("city_ecology", jurisdiction="4306"),
        as_role("bank", uscc=BANK),
        as_role("enterprise", uscc=OTHER),
        as_role("subscriber"),
    ]
    for api in insiders:
        found = api.get(f"{PLACE}/{FIRM}").json()
        assert (found["legal_representative"], found["permit_no"]) == ("张示例", f"{FIRM}001P")
    for api in outsiders:
        found = api.get(f"{PLACE}/{FIRM}").json()
        assert found["name"] == "株洲示例冶炼有限公司"
        assert not {"legal_representative", "address", "permit_no"} & found.keys()
        (listed,) = api.get(PLACE).json()["items"]
        assert "address" not in listed


WRONG_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"uscc": WRONG_CHECK}, "/uscc", "uscc_check_digit"),
    ({"uscc": "9143020"}, "/uscc", "uscc_malformed"),
    ({"permit_no": f"{WRONG_CHECK}001P"}, "/permit_no", "permit_check_digit"),
    ({"permit_no": "P1"}, "/permit_no", "permit_malformed"),
    ({"industry": "9999"}, "/industry", "industry_unknown"),
    ({"division": "430299"}, "/division", "division_unknown"),
    ({"division": "430200"}, "/division", "division_unknown"),
    ({"name": ""}, "/name", "invalid"),
    ({"name": "a\x00b"}, "/name", "invalid"),
    ({"colour": "red"}, "/colour", "unknown_field"),
    ({"above_scale": "maybe"}, "/above_scale", "invalid"),
]


def faults(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 422, shown(answer)
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


def test_a_wrong_field_is_told_at_its_place(city: Api) -> None:
    found = [faults(city.post(PLACE, firm(**changes))) for changes, _, _ in WRONG_FIELDS]
    assert found == [[(pointer, code)] for _, pointer, code in WRONG_FIELDS]
    assert city.get(PLACE).json()["items"] == []


def test_every_wrong_field_is_told_at_once(city: Api) -> None:
    answer = city.post(PLACE, firm(uscc=WRONG_CHECK, industry="0000", permit_no="x"))
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/uscc", "/industry", "/permit_no"]


def test_a_wrong_inner_digit_is_a_warning(city: Api) -> None:
    answer = city.post(PLACE, firm(uscc=INNER_WRONG, permit_no=None))
    assert answer.status_code == 201, shown(answer)
    assert [warning["code"] for warning in answer.json()["warnings"]] == ["uscc_inner_check"]


def test_a_code_is_taken_as_people_type_it(city: Api) -> None:
    answer = city.post(PLACE, firm(uscc=f" {FIRM.lower()} "))
    assert (answer.status_code, answer.json()["uscc"]) == (201, FIRM)


def test_a_second_registration_shows_what_is_there(registered: dict[str, Any], city: Api, as_role: As) -> None:
    answer = city.post(PLACE, firm(name="另一个名字"))
    assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")
    assert answer.json()["resource"] == {k: v for k, v in registered.items() if k != "warnings"}
    stranger = as_role("city_ecology", jurisdiction="4306").post(PLACE, firm(division="430602"))
    assert stranger.status_code == 409
    assert "address" not in stranger.json()["resource"]


def test_who_may_register_and_where(as_role: As, city: Api) -> None:
    assert as_role("bank", uscc=BANK).post(PLACE, firm()).status_code == 403
    assert as_role("enterprise", uscc=FIRM).post(PLACE, firm()).status_code == 403
    assert as_role("city_ecology", jurisdiction="4306").post(PLACE, firm()).json()["code"] == "forbidden"
    assert as_role("county_industry", jurisdiction="430202").post(PLACE, firm()).status_code == 201
    keyless = city.post(PLACE, {}, headers={"Idempotency-Key": ""})
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency_key_required")


def test_an_unknown_firm_and_an_odd_path_are_404(city: Api) -> None:
    for uscc in (OTHER, "x", "%00", "a%27b"):
        for answer in (city.get(f"{PLACE}/{uscc}"), city.patch(f"{PLACE}/{uscc}", {"name": "x"})):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_parallel_twins_have_one_effect(city: Api, system: System) -> None:
    key = {"Idempotency-Key": "twins"}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: city.post(PLACE, firm(), headers=key), range(4)))
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.content for answer in answers}) == 1
    assert sorted(answer.headers.get("idempotency-replayed", "") for answer in answers) == ["", "true", "true", "true"]
    assert len(events(system, "registry.enterprise.registered.v1")) == 1


def test_parallel_registrations_with_their_own_keys_make_one_firm(city: Api, system: System) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: city.post(PLACE, firm()), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len(events(system, "registry.enterprise.registered.v1")) == 1


def change(api: Api, version: int, **given: Any) -> Any:
    return api.patch(f"{PLACE}/{FIRM}", given, headers={"If-Match": f'"{version}"'})


def test_a_change_is_a_new_version_with_its_event(registered: dict[str, Any], city: Api, system: System) -> None:
    answer = change(city, 1, name="株洲新名冶炼有限公司")
    assert (answer.status_code, answer.headers["etag"], answer.json()["version"]) == (200, '"2"', 2), shown(answer)
    assert answer.json()["address"] == registered["address"]
    (event,) = events(system, "registry.enterprise.changed.v1")
    assert (event["name"], event["version"]) == ("株洲新名冶炼有限公司", 2)


def test_null_removes_and_the_same_again_changes_nothing(registered: dict[str, Any], city: Api) -> None:
    assert change(city, 1, permit_no=None).json()["permit_no"] is None
    same = change(city, 2, permit_no=None)
    assert (same.status_code, same.json()["version"]) == (200, 2)


def test_the_order_of_a_changes_refusals(registered: dict[str, Any], city: Api, as_role: As, nobody: Api) -> None:
    path = f"{PLACE}/{FIRM}"
    assert nobody.patch(path, {}).status_code == 401
    assert as_role("city_ecology", jurisdiction="4306").patch(path, {"bad": 1}).status_code == 404
    assert as_role("enterprise", uscc=OTHER).patch(path, {"address": "x"}).status_code == 404
    assert as_role("bank", uscc=BANK).patch(path, {"bad": 1}).status_code == 403
    assert city.patch(path, {"bad": 1}).json()["errors"][0]["code"] == "unknown_field"
    assert city.patch(path, {"name": None}, headers={"If-Match": '"1"'}).status_code == 422
    assert city.patch(path, {"division": "1"}).json()["code"] == "division_unknown"
    assert city.patch(path, {"name": "x"}).json()["code"] == "if_match_required"
    assert change(city, 9, status="active").json()["code"] == "version_stale"


def test_of_two_who_change_the_same_version_one_wins(registered: dict[str, Any], city: Api) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: change(city, 1, name=f"名{n}"), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    assert city.get(f"{PLACE}/{FIRM}").json()["version"] == 2


def test_a_firm_changes_its_contact_fields_only(registered: dict[str, Any], as_role: As) -> None:
    itself = as_role("enterprise", uscc=FIRM)
    assert change(itself, 1, address="新地址", legal_representative="李示例").json()["address"] == "新地址"
    answer = change(itself, 2, address="再改", name="自改名")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_city_cannot_move_a_firm_to_another_city_and_the_province_can(
    registered: dict[str, Any], city: Api, as_role: As
) -> None:
    assert change(city, 1, division="430602").status_code == 403
    assert change(as_role("provincial_ecology"), 1, division="430602").status_code == 200
    assert city.patch(f"{PLACE}/{FIRM}", {"name": "x"}).status_code == 404
    assert as_role("city_ecology", jurisdiction="4306").get(f"{PLACE}/{FIRM}").json()["address"]


def test_a_deregistration_has_its_day_and_no_way_back(registered: dict[str, Any], city: Api) -> None:
    dayless = change(city, 1, status="deregistered")
    assert (dayless.status_code, dayless.json()["code"]) == (422, "precondition_missing")
    future = change(city, 1, status="deregistered", deregistered_on="2026-11-21")
    assert (future.status_code, future.json()["code"]) == (422, "date_out_of_order")
    ended = change(city, 1, status="deregistered", deregistered_on="2026-11-20").json()
    assert (ended["status"], ended["deregistered_on"]) == ("deregistered", "2026-11-20")
    back = change(city, 2, status="active")
    assert (back.status_code, back.json()["state"], back.json()["allowed"]) == (409, "deregistered", [])
    day = change(city, 2, deregistered_on=None)
    assert (day.status_code, day.json()["errors"][0]["pointer"]) == (422, "/deregistered_on")


def test_the_past_is_readable_on_both_clocks(registered: dict[str, Any], city: Api, system: System) -> None:
    clock = system.contexts["registry"].clock
    first = registered["recorded_at"]
    clock.move_to(date(2027, 3, 1))
    second = change(city, 1, name="二").json()["recorded_at"]
    clock.move_to(date(2027, 6, 1))
    third = change(city, 2, address="搬迁地址", valid_from="2027-01-15").json()

    def seen(as_of: str = "2027-06-01", **query: str) -> tuple[str, str]:
        answer = city.get(f"{PLACE}/{FIRM}", params={"as_of": as_of} | query)
        assert answer.status_code == 200, shown(answer)
        return answer.json()["name"], answer.json()["address"]

    old, new = (registered["name"], registered["address"]), "搬迁地址"
    assert (third["name"], third["address"], third["version"]) == ("二", new, 3)
    assert seen("2026-11-20") == old
    assert seen("2027-01-14") == old
    assert seen("2027-01-15") == (old[0], new)
    assert seen("2027-02-28") == (old[0], new)
    assert seen("2027-03-01") == ("二", new)
    assert seen("2027-03-01", known_at=second) == ("二", old[1])
    assert seen("2027-02-01", known_at=second) == old
    assert seen(known_at=first) == old
    assert city.get(f"{PLACE}/{FIRM}", params={"as_of": "2026-11-19"}).status_code == 404
    assert city.get(f"{PLACE}/{FIRM}?known_at={first}").json()["version"] == 1, "pasted as it is shown"
    before = (datetime.fromisoformat(first) - timedelta(seconds=1)).astimezone(UTC).isoformat()
    assert city.get(f"{PLACE}/{FIRM}", params={"known_at": before}).status_code == 404
    early = change(city, 3, name="x", valid_from="2026-11-19")
    assert (early.status_code, early.json()["code"]) == (422, "date_out_of_order")
    late = change(city, 3, name="x", valid_from="2027-06-02")
    assert (late.status_code, late.json()["code"]) == (422, "date_out_of_order")


def test_a_list_is_found_by_place_trade_and_words_page_by_page(city: Api, as_role: As) -> None:
    from shared.codes import make_uscc

    province = as_role("provincial_industry")
    codes = [make_uscc(n, division="430200") for n in range(5)]
    for n, uscc in enumerate(codes):
        place, trade = ("430202", "3212") if n % 2 else ("430602", "3120")
        given = firm(uscc=uscc, name=f"示例第{n}厂 100%_", division=place, industry=trade, permit_no=None)
        assert province.post(PLACE, given).status_code == 201

    def found(**query: str) -> set[str]:
        answer = city.get(PLACE, params=query)
        assert answer.status_code == 200, shown(answer)
        return {item["uscc"] for item in answer.json()["items"]}

    assert found(division="4302") == found(division="430202") == set(codes[1::2])
    assert found(industry="31") == set(codes[0::2])
    assert found(q="第3厂") == found(q=codes[3]) == {codes[3]}
    assert found(q="100%_") == set(codes) and not found(q="100_")
    assert found(status="pending") == set()
    walked, after = [], None
    for _ in range(3):
        query = {"limit": "2"} | ({"after": after} if after else {})
        answer = city.get(PLACE, params=query)
        walked += [item["uscc"] for item in answer.json()["items"]]
        after = answer.json()["next"]
    assert (walked, after) == (sorted(codes), None)
    assert city.get(PLACE, params={"after": "x"}).json()["code"] == "cursor_invalid"
    assert city.get(PLACE, params={"offset": "1"}).status_code == 422
    assert city.get(PLACE, params={"q": "\x00"}).status_code == 422


def listed(system: System, uscc: str = FIRM) -> None:
    entry = ListEntryPublished(
        uscc=uscc,
        name="名单上的名字",
        division="430202",
        categories=["TOXIC"],
        published_on=date(2026, 3, 1),
        document_no="湘环函〔2026〕1号",
        industry="3212",
    )
    with system.contexts["audits"].db.begin() as tx:
        emit(tx, entry)
    system.run_until_quiet()


def test_a_firm_that_a_list_names_first_is_pending_until_it_is_registered(system: System, city: Api) -> None:
    listed(system)
    pending = city.get(f"{PLACE}/{FIRM}").json()
    assert (pending["status"], pending["name"], pending["version"]) == ("pending", "名单上的名字", 1)
    assert events(system, "registry.enterprise.registered.v1")[0]["status"] == "pending"
    answer = city.post(PLACE, firm())
    assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (201, "active", 2), shown(answer)
    assert city.post(PLACE, firm()).status_code == 409
    assert city.get(f"{PLACE}/{FIRM}", params={"as_of": "2026-10-01"}).json()["status"] == "pending"
    assert events(system, "registry.enterprise.changed.v1")[0]["status"] == "active"


def test_a_list_says_nothing_new_of_a_registered_firm(registered: dict[str, Any], system: System, city: Api) -> None:
    listed(system)
    assert city.get(f"{PLACE}/{FIRM}").json()["name"] == registered["name"]


def test_the_service_itself_cannot_rewrite_history(registered: dict[str, Any], system: System) -> None:
    import sqlalchemy as sa

    for table in ("enterprise_version", "fact", "access_entry"):
        with (
            pytest.raises(sa.exc.ProgrammingError, match="permission denied"),
            system.contexts["registry"].db.begin() as tx,
        ):
            tx.execute(sa.text(f"DELETE FROM {table}"))
