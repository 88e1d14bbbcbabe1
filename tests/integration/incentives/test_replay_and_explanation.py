"""A decision can be told condition by condition and made again; what was altered is found."""

import json

import pytest

from tests.conftest import As

FIRM = "91430200MA4QA0029A"


@pytest.fixture
def officer(as_role: As):  # type: ignore[no-untyped-def]
    return as_role("provincial_industry")


@pytest.fixture
def decision(province, officer):  # type: ignore[no-untyped-def]
    province.register()
    province.clean()
    province.accept()
    answer = officer.get(
        f"/incentives/v1/enterprises/{FIRM}/decisions", params={"programme": "green_factory.province"}
    )
    return answer.json()["items"][0]


def replay(api, decision, mode="as_known_then"):  # type: ignore[no-untyped-def]
    answer = api.post(f"/incentives/v1/decisions/{decision['id']}/replay", {"mode": mode})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_explanation_names_value_threshold_result_and_clause(officer, decision) -> None:  # type: ignore[no-untyped-def]
    told = officer.get(f"/incentives/v1/decisions/{decision['id']}/explanation", params={"lang": "en"}).json()
    cells = {(c["rule"], c["fact"]): c for c in told["conditions"]}
    grade = cells["G08", "credit.norm"]
    assert (grade["value"], grade["threshold"], grade["result"], grade["clause"]) == (2, 4, "false", "HN-CREDIT-2023")
    assert cells["G04", "audit_valid"]["result"] == "true"
    assert cells["G04", "audit_valid"]["text"] == "the audit was accepted and is still valid holds"
    zh = officer.get(f"/incentives/v1/decisions/{decision['id']}/explanation").json()
    assert zh["outcome_text"] == "优先支持"
    assert officer.get(f"/incentives/v1/decisions/{decision['id']}/explanation?lang=fr").status_code == 422


def test_a_replay_gives_the_stored_bytes_again(officer, decision) -> None:  # type: ignore[no-untyped-def]
    found = replay(officer, decision)
    assert found["identical"] is True and found["changed"] == []
    assert found["outcome"] == "preferential" and found["result_hash"] == decision["result_hash"]


ALTERATIONS = [
    ("outcome = 'eligible'", {"outcome"}),
    ("result = convert_to(replace(convert_from(result, 'UTF8'), 'preferential', 'eligible'), 'UTF8')", {"outcome", "result"}),
    ("result = '\\x00'", {"outcome", "result", "facts"}),
    ("result_hash = 'f00'", {"result_hash"}),
    ("facts = jsonb_set(facts, '{credit.norm}', '5')", {"facts", "outcome", "result"}),
    ("facts = facts || '{\"surprise\": 1}'", {"facts"}),
    ("facts = facts || '{\"credit.norm\": 1.5}'", {"facts"}),
    ("facts = '{}'", {"facts", "outcome"}),
    ("facts = '[]'", {"facts"}),
    ("facts_hash = 'f00'", {"facts"}),
    ("rule_set_hash = 'f00'", {"rule_set"}),
]  # fmt: skip


def test_what_was_altered_is_told(officer, decision, tamper) -> None:  # type: ignore[no-untyped-def]
    tamper("CREATE TABLE untouched AS SELECT * FROM decision")
    columns = "outcome, result, result_hash, facts, facts_hash, rule_set_hash"
    taken = ", ".join(f"u.{name.strip()}" for name in columns.split(","))
    for change, named in ALTERATIONS:
        tamper(f"UPDATE decision SET {change}")
        found = replay(officer, decision)
        assert found["identical"] is False, change
        assert named <= set(found["changed"]), (change, found)
        tamper(f"UPDATE decision d SET ({columns}) = ({taken}) FROM untouched u WHERE u.id = d.id")
        assert replay(officer, decision)["identical"] is True


def test_the_application_itself_cannot_alter_a_decision(system, decision) -> None:  # type: ignore[no-untyped-def]
    import sqlalchemy as sa

    with pytest.raises(sa.exc.ProgrammingError), system.contexts["incentives"].db.begin() as tx:
        tx.execute(sa.text("UPDATE decision SET outcome = 'eligible'"))


def test_a_replay_with_what_is_known_now_names_what_has_changed(province, officer, decision) -> None:  # type: ignore[no-untyped-def]
    assert replay(officer, decision, "as_known_now")["identical"] is True
    province.fact("GF_V2", "present")
    found = replay(officer, decision, "as_known_now")
    assert found["identical"] is False and found["outcome"] == "ineligible"
    assert {"outcome", "facts.vetoes.GF_V2"} <= set(found["changed"])
    assert replay(officer, decision)["identical"] is True


def test_a_mode_that_is_none_is_refused(officer, decision) -> None:  # type: ignore[no-untyped-def]
    assert officer.post(f"/incentives/v1/decisions/{decision['id']}/replay", {"mode": "ever"}).status_code == 422


TRIED = [("13650", 2022, "0.00"), ("13651", 2022, "0.01"), ("13671", 2022, "0.02"), ("13700", 2023, "0.13")]


def test_anybody_may_try_a_programme_and_nothing_is_stored(province, as_role: As) -> None:  # type: ignore[no-untyped-def]
    for use, year, rate in TRIED:
        facts = {"industry": "3216", "price_year": year, "al_kwh_per_t": use, "renewable_share_pct": "0"}
        body = {"programme": "tariff.al", "facts": facts, "as_of": f"{year}-06-01"}
        answer = as_role("public").post("/incentives/v1/decisions/evaluate", body, headers={"Idempotency-Key": ""})
        assert answer.status_code == 200, answer.text
        assert answer.json()["amounts"]["rate_yuan_per_kwh"] == rate
        assert answer.json()["reasons"][0]["clause"] == "P1239"
    assert province.count("decision") == 0


REFUSED = [
    ({"programme": "tariff.gold"}, "programme_unknown", "/programme"),
    ({"facts": {"al_kwh_per_t": "much"}}, "facts_invalid", "/facts/al_kwh_per_t"),
    ({"facts": {"audit": {"typ": "none"}}}, "facts_invalid", "/facts/audit/typ"),
    ({"facts": {"audit": {"accepted_on": "9999-12-01"}}}, "facts_invalid", "/facts/audit/accepted_on"),
    ({"facts": {"env_event": [{"occurred_on": "9999-12-01"}]}}, "facts_invalid", "/facts/env_event/0/occurred_on"),
    ({"facts": []}, "invalid_request", "/facts"),
    ({"as_of": "1000-01-01"}, "invalid_request", "/as_of"),
    ({"more": 1}, "invalid_request", "/more"),
]


def test_facts_that_are_none_are_refused_with_their_place(as_role: As) -> None:
    for change, code, pointer in REFUSED:
        body = {"programme": "finance.recommend", "facts": {}, "as_of": "2026-05-01"} | change
        answer = as_role("public").post("/incentives/v1/decisions/evaluate", body)
        assert answer.status_code == 422 and answer.json()["code"] == code, change
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_programmes_and_rule_sets_are_open_to_everybody(as_role: As) -> None:  # type: ignore[no-untyped-def]
    reader = as_role("public")
    programmes = reader.get("/incentives/v1/programmes").json()["items"]
    for programme in programmes:
        named = programme["rule_set"]
        path = f"/incentives/v1/rule-sets/{named['id']}/versions/{named['version']}"
        assert reader.get(path).json()["hash"] == named["hash"]
        page = reader.get(path, headers={"Accept": "text/html"})
        assert page.headers["content-type"].startswith("text/html") and named["hash"] in page.text
    assert {p["id"] for p in programmes} >= {"tariff.al", "green_factory.province", "finance.recommend"}
    assert reader.get("/incentives/v1/rule-sets/tariff.al/versions/99").status_code == 404
    assert json.dumps(programmes)
