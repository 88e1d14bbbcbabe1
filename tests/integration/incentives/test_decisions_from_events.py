"""A decision follows from what was told, names its grounds, and changes when they do."""

from datetime import UTC, date, datetime

import pytest

from shared.events.audits import ListEntryPublished, ListEntryWithdrawn, ObligationDone, ObligationOverdue
from shared.events.registry import EnterpriseChanged
from tests.conftest import As

UNASKED_OF_AN_AUDIT = ["finance.recommend", "green_factory.national", "green_factory.province"]

FIRM, SMELTER = "91430200MA4QA0029A", "91430600MA4QA0037R"
CHANGED = "incentives.decision.changed.v1"
PATH = f"/incentives/v1/enterprises/{FIRM}/decisions"


def outcome(api, programme="green_factory.province", uscc=FIRM, **query):  # type: ignore[no-untyped-def]
    answer = api.get(f"/incentives/v1/enterprises/{uscc}/decisions", params={"programme": programme, **query})
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()["items"]
    return item


@pytest.fixture
def officer(as_role: As):  # type: ignore[no-untyped-def]
    return as_role("city_ecology", jurisdiction="4302")


def test_an_acceptance_turns_the_provincial_green_factory_to_preferential_with_its_clause(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    assert outcome(officer)["outcome"] == "eligible"
    province.accept()
    item = outcome(officer)
    assert item["outcome"] == "preferential"
    assert [reason["clause"] for reason in item["reasons"]] == ["HN-2024-CP#四(二)-d"]
    last = [said for said in province.said(CHANGED) if said["programme"] == "green_factory.province"][-1]
    assert (last["outcome"], last["previous"], last["decision"]) == ("preferential", "eligible", item["id"])
    assert last["division"] == "430202"


def test_the_change_is_told_without_anybody_asking_and_only_once(province) -> None:  # type: ignore[no-untyped-def]
    province.register()
    assert province.said(CHANGED) == []
    province.clean()
    province.accept()
    mine = [s["outcome"] for s in province.said(CHANGED) if s["programme"] == "finance.recommend"]
    assert mine == ["manual_review", "eligible", "preferential"]
    before = province.count("decision")
    province.fact("GF_V1", "absent")
    assert province.count("decision") == before


def test_registration_alone_decides_nothing_until_somebody_asks(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    assert province.count("decision") == 0
    items = officer.get(PATH).json()["items"]
    assert {item["programme"] for item in items} == {
        "green_factory.province", "green_factory.national", "finance.recommend", "tariff.al"
    }  # fmt: skip
    assert province.count("decision") == 4
    assert officer.get(PATH).json()["items"] == items
    assert province.count("decision") == 4


def test_a_missing_fact_is_a_manual_review_that_names_it(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    for veto in ("GF_V1", "GF_V2", "GF_V3", "GF_V4", "GF_V6"):
        province.fact(veto, "absent")
    province.credit(2)
    item = outcome(officer)
    assert item["outcome"] == "manual_review"
    assert item["missing"] == [{"fact": "vetoes.GF_V5", "code": "FACT_MISSING"}]


def test_a_firm_without_a_credit_record_is_unknown_not_good(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.accept()
    assert {"fact": "credit.norm", "code": "FACT_MISSING"} in outcome(officer, "finance.recommend")["missing"]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([(5, 2024, "province"), (2, 2025, "province")], "preferential"),
        ([(2, 2025, "province"), (5, 2024, "province")], "preferential"),
        ([(5, 2025, "city"), (2, 2025, "province")], "preferential"),
        ([(2, 2025, "province"), (5, 2025, "province")], "ineligible"),
    ],
)
def test_the_grade_is_of_the_latest_year_and_the_province_before_the_city(province, officer, records, expected) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.fact("plan_in_catalogue", "true")
    province.accept()
    for norm, year, level in records:
        province.credit(norm, year=year, level=level)
    assert outcome(officer, "finance.recommend")["outcome"] == expected


def test_an_overdue_mandatory_audit_is_reviewed_until_the_duty_is_met(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    province.move("started")
    assert outcome(officer)["outcome"] == "eligible"
    told = {"uscc": FIRM, "round": province.rounds[FIRM], "code": "REPORT"}
    province.tell(ObligationOverdue(due_on=date(2026, 11, 1), track="mandatory", **told))
    assert outcome(officer)["reasons"][0]["rule"] == "G06"
    assert outcome(officer, as_of="2026-11-01")["outcome"] == "eligible"
    assert outcome(officer, as_of="2026-11-02")["outcome"] == "manual_review"
    province.tell(ObligationDone(due_on=date(2026, 11, 1), done_on=date(2026, 11, 19), late=True, **told))
    assert outcome(officer)["outcome"] == "eligible"


def test_a_voluntary_round_that_became_mandatory_can_be_overdue(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    province.move("auditing", track="voluntary")
    province.move("auditing", track="mandatory")
    told = {"uscc": FIRM, "round": province.rounds[FIRM], "code": "REPORT"}
    province.tell(ObligationOverdue(due_on=date(2026, 11, 1), track="mandatory", **told))
    assert outcome(officer)["reasons"][0]["rule"] == "G06"


def test_a_withdrawn_entry_leaves_no_audit(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    entry = {
        "uscc": FIRM, "name": "株洲一厂", "division": "430202", "categories": ["TOXIC"],
        "published_on": date(2026, 3, 10), "document_no": "湘环函〔2026〕8号",
    }  # fmt: skip
    province.tell(ListEntryPublished(**entry))
    facts = officer.get(f"/incentives/v1/decisions/{outcome(officer)['id']}/explanation").json()
    assert _value(facts, "audit.type") == "mandatory"
    province.tell(ListEntryWithdrawn(reason="误列", **entry))
    facts = officer.get(f"/incentives/v1/decisions/{outcome(officer)['id']}/explanation").json()
    assert _value(facts, "audit.type") == "none"


def _value(explanation, fact):  # type: ignore[no-untyped-def]
    return next(c["value"] for c in explanation["conditions"] if c["fact"] == fact)


def test_facts_told_before_the_firm_is_registered_count_when_it_is(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.clean()
    province.accept()
    assert province.count("decision") == 0
    province.register()
    assert [s["outcome"] for s in province.said(CHANGED) if s["programme"] == "green_factory.province"] == [
        "preferential"
    ]


@pytest.mark.parametrize("first", ["registered", "moved"])
def test_which_came_first_the_firm_or_its_audit_changes_no_decision(province, first) -> None:  # type: ignore[no-untyped-def]
    tell = [lambda: province.register(industry="3216"), lambda: province.move("listed")]
    for told in tell if first == "registered" else tell[::-1]:
        told()
    assert sorted(d["programme"] for d in province.said("incentives.decision.changed.v1")) == UNASKED_OF_AN_AUDIT


def test_confirmed_fraud_excludes(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    province.accept(result="accept_failed", fraud=True)
    assert outcome(officer)["outcome"] == "ineligible"


def test_a_deregistered_firm_does_not_operate_normally(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    assert outcome(officer)["outcome"] == "eligible"
    gone = EnterpriseChanged(
        uscc=FIRM, name="株洲一厂", division="430202", industry="2614", status="deregistered",
        deregistered_on=date(2026, 11, 1), version=2,
    )  # fmt: skip
    province.tell(gone)
    assert outcome(officer)["outcome"] == "ineligible"


def test_a_correction_is_a_new_decision_and_the_past_still_answers_the_old(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    old = outcome(officer)
    then = datetime.now(UTC).isoformat()
    province.fact("GF_V3", "present")
    new = outcome(officer)
    assert (old["outcome"], new["outcome"]) == ("eligible", "ineligible")
    assert outcome(officer, known_at=then)["id"] == old["id"]
    assert outcome(officer, known_at=datetime.now(UTC).isoformat())["id"] == new["id"]
    assert officer.get(f"/incentives/v1/decisions/{old['id']}/explanation").json()["outcome"] == "eligible"


def test_an_answer_for_another_day_is_kept_and_has_one_identity(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    province.accept(on="2022-06-11")
    assert outcome(officer, as_of="2027-06-11")["outcome"] == "preferential"
    later = outcome(officer, as_of="2027-06-12")
    assert outcome(officer, as_of="2027-06-12")["id"] == later["id"]
    assert later["outcome"] == "eligible"
    assert outcome(officer)["outcome"] == "preferential"
    assert later["id"] not in {said["decision"] for said in province.said(CHANGED)}


def test_the_day_on_which_an_audit_ceases_to_be_valid_is_told_by_the_daily_job(province, system) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    province.accept(on="2021-12-01")
    system.contexts["incentives"].clock.move_to(date(2026, 12, 1))
    system.daily()
    assert _last(province) == "preferential"
    system.contexts["incentives"].clock.move_to(date(2026, 12, 2))
    system.daily()
    system.run_until_quiet()
    assert _last(province) == "eligible"


def _last(province):  # type: ignore[no-untyped-def]
    return [s["outcome"] for s in province.said(CHANGED) if s["programme"] == "green_factory.province"][-1]


def test_an_environmental_event_counts_for_three_years_from_its_day(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    province.fact("env_event", "较大", since="2024-05-01")
    assert outcome(officer)["outcome"] == "ineligible"
    assert outcome(officer, as_of="2027-05-01")["outcome"] == "ineligible"
    assert outcome(officer, as_of="2027-05-02")["outcome"] == "eligible"


def test_only_last_years_measured_use_decides_a_price(province, as_role) -> None:  # type: ignore[no-untyped-def]
    grid = as_role("utility", uscc="91430000MA4QA00531")
    province.register(SMELTER, "3216", "430602", "岳阳铝业")
    province.fact("renewable_share_pct", "8", SMELTER)
    province.fact("al_kwh_per_t", "13481", SMELTER, "2024-01-01", "2024-12-31")
    item = outcome(grid, "tariff.al", SMELTER)
    assert (item["outcome"], item["missing"]) == ("manual_review", [{"fact": "al_kwh_per_t", "code": "FACT_MISSING"}])
    province.fact("al_kwh_per_t", "13481", SMELTER, "2025-01-01", "2025-12-31")
    item = outcome(grid, "tariff.al", SMELTER)
    assert item["outcome"] == "surcharge"
    assert item["amounts"]["rate_yuan_per_kwh"] == "0.10" and item["amounts"]["steps"] == 10
    assert outcome(grid, "tariff.al", SMELTER, as_of="2025-06-01")["amounts"]["threshold"] == "13300"


def test_a_price_is_decided_unasked_only_for_smelters(province) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.fact("al_kwh_per_t", "13481", since="2025-01-01", until="2025-12-31")
    assert province.count("decision") == 0


def test_an_unreadable_value_is_unknown_and_does_not_stop_the_stream(province, officer) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    province.fact("GF_V2", "perhaps")
    assert outcome(officer)["missing"] == [{"fact": "vetoes.GF_V2", "code": "FACT_MISSING"}]
    assert province.count("dead_letter") == 0


@pytest.mark.parametrize("listed_first", [True, False], ids=["list-first", "register-first"])
def test_what_is_decided_unasked_does_not_hang_on_which_topic_came_first(province, listed_first) -> None:  # type: ignore[no-untyped-def]
    entry = {
        "uscc": SMELTER, "name": "岳阳铝业", "division": "430602", "categories": ["TOXIC"], "industry": "3216",
        "published_on": date(2026, 3, 10), "document_no": "湘环函〔2026〕8号",
    }  # fmt: skip
    steps = [lambda: province.register(SMELTER, "3216", "430602", "岳阳铝业"), lambda: province.tell(ListEntryPublished(**entry))]
    for step in reversed(steps) if listed_first else steps:
        step()
    assert {said["programme"] for said in province.said(CHANGED)} == {
        "green_factory.province", "green_factory.national", "finance.recommend"
    }  # fmt: skip
