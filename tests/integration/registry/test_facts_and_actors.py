"""Facts on two clocks, experts, institutions."""

from typing import Any

import pytest

from infra.system import System
from tests.conftest import Api, As, shown
from tests.integration.registry.conftest import BANK, FIRM, OTHER, PLACE
from tests.integration.registry.test_enterprises import events, faults

FACTS = f"{PLACE}/{FIRM}/facts"


def fact(**changes: Any) -> dict[str, Any]:
    given = {
        "code": "al_kwh_per_t",
        "value": "13350",
        "valid_from": "2025-01-01",
        "valid_to": "2025-12-31",
        "source": "节能监察报告",
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


def added(api: Api, **changes: Any) -> dict[str, Any]:
    answer = api.post(FACTS, fact(**changes))
    assert answer.status_code == 201, shown(answer)
    found: dict[str, Any] = answer.json()
    return found


def values(api: Api, **query: str) -> list[str]:
    answer = api.get(FACTS, params=query)
    assert answer.status_code == 200, shown(answer)
    return [item["value"] for item in answer.json()["items"]]


@pytest.fixture(autouse=True)
def known(registered: dict[str, Any]) -> None:
    return None


def test_a_correction_keeps_both_with_their_recorded_time(city: Api) -> None:
    first, second = added(city), added(city, value="13300")
    items = city.get(FACTS).json()["items"]
    assert [item["value"] for item in items] == ["13350", "13300"]
    assert [item["corrected_at"] for item in items] == [second["recorded_at"], None]
    assert values(city, as_of="2025-06-30") == ["13300"]
    assert values(city, as_of="2025-06-30", known_at=first["recorded_at"]) == ["13350"]
    then = city.get(FACTS, params={"known_at": first["recorded_at"]}).json()["items"]
    assert [(item["value"], item["corrected_at"]) for item in then] == [("13350", None)]
    assert values(city, as_of="2026-01-01") == []


def test_the_next_year_and_another_code_correct_nothing(city: Api) -> None:
    added(city)
    added(city, valid_from="2026-01-01", valid_to=None, value="13200")
    added(city, code="renewable_share_pct", value=15.5)
    assert {item["corrected_at"] for item in city.get(FACTS).json()["items"]} == {None}
    assert values(city, code="renewable_share_pct") == ["15.5"]
    assert values(city, code="al_kwh_per_t,renewable_share_pct", as_of="2025-12-31") == ["13350", "15.5"]


def test_a_successor_of_a_fact_without_an_end_is_in_force_from_its_day(city: Api) -> None:
    added(city, code="grid_account", value="A-1", valid_to=None)
    added(city, code="grid_account", value="A-2", valid_from="2026-05-01", valid_to=None)
    assert values(city, as_of="2026-04-30") == ["A-1"]
    assert values(city, as_of="2026-05-01") == ["A-2"]
    assert {item["corrected_at"] for item in city.get(FACTS).json()["items"]} == {None}


def test_two_emergencies_on_two_days_are_two_facts(city: Api) -> None:
    added(city, code="env_event", value="较大", valid_from="2025-09-01", valid_to=None)
    added(city, code="env_event", value="一般", valid_from="2024-09-01", valid_to=None)
    assert values(city, as_of="2026-01-01") == ["较大", "一般"]
    added(city, code="env_event", value="重大", valid_from="2025-09-01", valid_to=None)
    assert values(city, as_of="2026-01-01") == ["一般", "重大"]


WRONG_FACTS: list[tuple[dict[str, Any], str, str]] = [
    ({"code": "colour"}, "/code", "fact_unknown"),
    ({"value": "-1"}, "/value", "fact_value"),
    ({"value": "many"}, "/value", "fact_value"),
    ({"value": True}, "/value", "fact_value"),
    ({"code": "renewable_share_pct", "value": "100.01"}, "/value", "fact_value"),
    ({"code": "GF_V1", "value": "maybe"}, "/value", "fact_value"),
    ({"code": "plan_in_catalogue", "value": "yes"}, "/value", "fact_value"),
    ({"code": "env_event", "value": "巨大"}, "/value", "fact_value"),
    ({"code": "grid_account", "value": 12}, "/value", "fact_value"),
    ({"valid_from": "2026-11-21", "valid_to": "2026-12-31"}, "/valid_from", "date_out_of_order"),
    ({"valid_to": "2024-12-31"}, "/valid_to", "date_out_of_order"),
    ({"source": None}, "/source", "required"),
]


def test_a_wrong_fact_is_refused(city: Api) -> None:
    found = [faults(city.post(FACTS, fact(**changes))) for changes, _, _ in WRONG_FACTS]
    assert found == [[(pointer, code)] for _, pointer, code in WRONG_FACTS]
    assert city.get(FACTS).json()["items"] == []


VALUES: list[tuple[str, Any, str]] = [
    ("al_kwh_per_t", 13350.50, "13350.5"),
    ("al_kwh_per_t", "13350.50", "13350.50"),
    ("al_production_kwh", 1000000000, "1000000000"),
    ("provincial_green_factory", True, "true"),
    ("plan_in_catalogue", "false", "false"),
    ("GF_V6", "absent", "absent"),
]


def test_a_value_may_come_as_text_number_or_flag(city: Api, system: System) -> None:
    answers = [added(city, code=code, value=given) for code, given, _ in VALUES]
    assert [answer["value"] for answer in answers] == [stored for _, _, stored in VALUES]
    told = events(system, "registry.fact.recorded.v1")
    assert [(event["code"], event["value"]) for event in told] == [(code, stored) for code, _, stored in VALUES]
    assert {event["valid_from"] for event in told} == {"2025-01-01"}


def test_who_reads_and_who_records(city: Api, as_role: As) -> None:
    added(city)
    itself = as_role("enterprise", uscc=FIRM)
    assert values(itself) == ["13350"] == values(as_role("auditor"))
    assert itself.post(FACTS, fact()).status_code == 403
    neighbour = as_role("city_ecology", jurisdiction="4306")
    assert neighbour.get(FACTS).status_code == neighbour.post(FACTS, fact()).status_code == 404
    assert as_role("enterprise", uscc=OTHER).get(FACTS).status_code == 404
    assert as_role("bank", uscc=BANK).get(FACTS).status_code == 403
    assert city.post(FACTS, fact(), headers={"Idempotency-Key": ""}).status_code == 400
    assert city.post(f"{PLACE}/{OTHER}/facts", fact()).status_code == 404


def test_facts_come_in_pages(city: Api) -> None:
    for value in ("1", "2", "3"):
        added(city, value=value)
    first = city.get(FACTS, params={"limit": "2"}).json()
    rest = city.get(FACTS, params={"limit": "2", "after": first["next"]}).json()
    assert [item["value"] for item in first["items"] + rest["items"]] == ["1", "2", "3"]
    assert rest["next"] is None


EXPERT = {
    "name": "王示例",
    "employer_uscc": BANK,
    "specialities": ["有色冶炼"],
    "advised": [{"uscc": FIRM, "until": "2025-06-30"}],
}


def test_an_expert_joins_the_pool(as_role: As, city: Api, system: System) -> None:
    province = as_role("provincial_ecology")
    answer = province.post("/registry/v1/experts", EXPERT)
    assert answer.status_code == 201, shown(answer)
    (event,) = events(system, "registry.expert.registered.v1")
    assert (event["expert"], event["advised"]) == (answer.json()["id"], EXPERT["advised"])
    assert [item["name"] for item in city.get("/registry/v1/experts").json()["items"]] == ["王示例"]
    assert city.post("/registry/v1/experts", EXPERT).status_code == 403
    assert as_role("bank", uscc=BANK).get("/registry/v1/experts").status_code == 403
    wrong = province.post("/registry/v1/experts", EXPERT | {"advised": [{"uscc": "1", "until": "2025-06-30"}]})
    assert wrong.json()["errors"][0]["pointer"] == "/advised/0/uscc"


def test_an_institution_is_known_once(as_role: As, city: Api, system: System) -> None:
    province, given = as_role("provincial_industry"), {"uscc": BANK, "name": "示例技术服务公司", "division": "430104"}
    answer = province.post("/registry/v1/institutions", given)
    assert answer.status_code == 201, shown(answer)
    again = province.post("/registry/v1/institutions", given)
    assert (again.status_code, again.json()["code"], again.json()["resource"]["id"]) == (
        409,
        "already_exists",
        answer.json()["id"],
    )
    assert len(events(system, "registry.institution.registered.v1")) == 1
    assert [item["uscc"] for item in city.get("/registry/v1/institutions").json()["items"]] == [BANK]
    assert province.post("/registry/v1/institutions", given | {"division": "430100"}).status_code == 422
