"""The audit status: who sees what of it, its two clocks, and its short and its ordinary way answering alike."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import select

from infra.system import System
from services.audits.actions.copies import end_consent, keep_consent
from services.audits.actions.status import refresh_status
from services.audits.models import Acceptance, AuditRound, RoundState
from shared.events.registry import ConsentGranted, ConsentRevoked
from tests.conftest import Api, As
from tests.lists import Firm, firm, know, published_list, told, yueyang

PUBLIC = {
    "uscc", "name", "track", "result", "level", "accepted_on", "valid_until", "legal_basis", "last_accepted", "as_of", "known_at"
}  # fmt: skip
RESTRICTED = {"stage", "obligations", "overdue"}
BANK = "91430100MA4QA00108"


def status(api: Api, of: Firm, query: str = "") -> dict[str, Any]:
    answer = api.get(f"/audits/v1/enterprises/{of.uscc}/status{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def accept(system: System, on: date, *, result: str = "accepted", level: str | None = "II", attempt: int = 1) -> None:
    """Record an acceptance of firm 1's newest round, as the acceptance move does."""
    with system.contexts["audits"].db.begin() as tx:
        newest = select(AuditRound).where(AuditRound.uscc == firm(1).uscc)
        round = max(tx.exec(newest), key=lambda r: r.opened_at)
        round.state = RoundState(result)
        if result == "accepted":
            round.accepted_on, round.level = on, level
        tx.add(
            Acceptance(
                round_id=round.id, uscc=round.uscc, attempt=attempt, scores={}, total=Decimal(0), vetoes=[], level=level, result=result,
                accepted_on=on, document_no="湘环示例〔2026〕9号",
            )
        )  # fmt: skip
        tx.flush()
        refresh_status(tx, round, on)


def consent(system: System, *, valid_to: date = date(2026, 12, 31), scope: tuple[str, ...] = ("audit",)) -> UUID:
    given = ConsentGranted(
        consent=uuid4(), uscc=firm(1).uscc, bank=BANK, purpose="pre_loan", scope=[*scope], valid_to=valid_to
    )
    with system.contexts["audits"].db.begin() as tx:
        keep_consent(tx, given)
    return given.consent


@pytest.fixture
def listed(system: System, as_role: As) -> System:
    know(system, firm(1))
    published_list(system, as_role("provincial_ecology"), "2026-03-10", firm(1).row())
    return system


def test_an_unknown_enterprise_is_not_found_and_a_known_one_was_never_audited(system: System, as_role: As) -> None:
    know(system, firm(1))
    api = as_role("provincial_ecology")
    missing = api.get(f"/audits/v1/enterprises/{firm(2).uscc}/status")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    never = status(api, firm(1))
    assert (never["track"], never["result"], never["stage"]) == (None, "none", "none")
    assert (never["obligations"], never["overdue"], never["as_of"]) == ([], [], "2026-11-20")


VIEWS = [
    ("provincial_ecology", {}, True),
    ("city_ecology", {"jurisdiction": "4302"}, True),
    ("county_industry", {"jurisdiction": "430204"}, True),
    ("auditor", {}, True),
    ("enterprise", {"uscc": firm(1).uscc}, True),
    ("city_ecology", {"jurisdiction": "4306"}, False),
    ("enterprise", {"uscc": firm(2).uscc}, False),
    ("utility", {"uscc": BANK}, False),
    ("subscriber", {}, False),
    ("public", {}, False),
]


@pytest.mark.parametrize(("role", "fields", "sees"), VIEWS)
@pytest.mark.parametrize("query", ["", "?as_of=2026-11-20"], ids=["short", "ordinary"])
def test_the_status_by_role(
    listed: System, as_role: As, role: str, fields: dict[str, str], sees: bool, query: str
) -> None:
    found = status(as_role(role, **fields), firm(1), query)
    assert set(found) == PUBLIC | (RESTRICTED if sees else set())
    assert (found["track"], found["result"], found["name"]) == ("mandatory", "none", firm(1).name)
    if sees:
        assert found["stage"] == "listed" and len(found["obligations"]) == 4


def test_a_bank_needs_a_current_consent_for_audits(listed: System, as_role: As) -> None:
    bank = as_role("bank", uscc=BANK, name="湘江示例银行")
    consent(listed, scope=("credit", "decisions"))
    consent(listed, valid_to=date(2026, 11, 19))
    without = status(bank, firm(1))
    assert set(without) == PUBLIC | {"consent_required"} and without["consent_required"] is True
    assert told(listed, "restricted_fact.read") == []
    given = consent(listed, valid_to=date(2026, 11, 20))
    assert set(status(bank, firm(1))) == PUBLIC | RESTRICTED
    [read] = told(listed, "restricted_fact.read")
    assert (read["bank"], read["bank_name"], read["consent"]) == (BANK, "湘江示例银行", str(given))
    assert (read["purpose"], read["service"], read["uscc"]) == ("pre_loan", "audits", firm(1).uscc)
    assert set(read["fields"]) == RESTRICTED
    assert "consent_required" in status(as_role("bank", uscc=firm(7).uscc), firm(1))


def test_a_revoked_consent_opens_nothing_whichever_event_comes_first(listed: System, as_role: As) -> None:
    bank = as_role("bank", uscc=BANK)
    given = consent(listed)
    fields = {"consent": given, "uscc": firm(1).uscc, "bank": BANK, "scope": ["audit"], "valid_to": date(2026, 12, 31)}
    with listed.contexts["audits"].db.begin() as tx:
        end_consent(tx, ConsentRevoked(**fields))
        keep_consent(tx, ConsentGranted(purpose="pre_loan", **fields))
        early = {**fields, "consent": uuid4()}
        end_consent(tx, ConsentRevoked(**early))
        keep_consent(tx, ConsentGranted(purpose="pre_loan", **early))
    assert status(bank, firm(1))["consent_required"] is True


def test_an_acceptance_counts_sixty_months_with_the_statute_of_its_day(listed: System, as_role: As) -> None:
    accept(listed, date(2026, 8, 14))
    found = status(as_role("public"), firm(1))
    assert (found["result"], found["level"]) == ("accepted", "II")
    assert (found["accepted_on"], found["valid_until"]) == ("2026-08-14", "2031-08-14")
    assert "清洁生产促进法" in found["legal_basis"]
    accept(listed, date(2026, 8, 15), attempt=2)
    assert "生态环境法典" in status(as_role("public"), firm(1))["legal_basis"]


def test_a_later_failure_is_the_result_and_leaves_the_earlier_acceptance_known(listed: System, as_role: As) -> None:
    accept(listed, date(2026, 5, 20))
    published_list(listed, as_role("provincial_ecology"), "2026-06-01", firm(1).row())
    assert status(as_role("public"), firm(1))["result"] == "none"
    accept(listed, date(2026, 11, 2), result="accept_failed", level=None)
    found = status(as_role("public"), firm(1))
    assert (found["result"], found["level"], found["accepted_on"], found["valid_until"]) == (
        "accept_failed",
        None,
        None,
        None,
    )
    assert found["last_accepted"] == {"level": "II", "accepted_on": "2026-05-20", "valid_until": "2031-05-20"}
    then = status(as_role("public"), firm(1), "?as_of=2026-05-20")
    assert (then["result"], then["level"], then["as_of"]) == ("accepted", "II", "2026-05-20")


@pytest.mark.parametrize(
    ("day", "result", "stage"),
    [
        ("2026-03-09", "none", "none"),
        ("2026-03-10", "none", "listed"),
        ("2026-05-19", "none", "listed"),
        ("2026-05-20", "accepted", "accepted"),
    ],
)
def test_the_status_as_of_a_day(listed: System, as_role: As, day: str, result: str, stage: str) -> None:
    accept(listed, date(2026, 5, 20))
    found = status(as_role("auditor"), firm(1), f"?as_of={day}")
    assert (found["result"], found["stage"], found["as_of"]) == (result, stage, day)


def test_the_status_as_it_was_known(listed: System, as_role: As) -> None:
    api = as_role("auditor")
    before = status(api, firm(1))["known_at"]
    accept(listed, date(2026, 5, 20))
    after = status(api, firm(1))["known_at"]
    assert before < after
    then = status(api, firm(1), f"?as_of=2026-06-01&known_at={before.replace('+', '%2B')}")
    assert (then["result"], then["as_of"], then["known_at"]) == ("none", "2026-06-01", before)
    now = status(api, firm(1), f"?as_of=2026-06-01&known_at={after.replace('+', '%2B')}")
    assert now["result"] == "accepted"
    longago = datetime(2020, 1, 1, tzinfo=UTC).isoformat().replace("+", "%2B")
    assert status(api, firm(1), f"?known_at={longago}")["stage"] == "none"
    assert api.get(f"/audits/v1/enterprises/{firm(1).uscc}/status?known_at=2026-01-01T00:00:00").status_code == 422


def test_the_same_status_has_the_same_tag_and_a_new_one_another(listed: System, as_role: As) -> None:
    api, path = as_role("auditor"), f"/audits/v1/enterprises/{firm(1).uscc}/status"
    first = api.get(path)
    tag = first.headers["ETag"]
    assert api.get(path).headers["ETag"] == tag
    held = api.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert held.status_code == 304 and held.content == b"" and held.headers["ETag"] == tag
    accept(listed, date(2026, 5, 20))
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_the_ordinary_way_answers_what_the_short_way_cannot(listed: System, as_role: As) -> None:
    api, path = as_role("auditor"), f"/audits/v1/enterprises/{firm(1).uscc}/status"
    short = api.get(path).json()
    ordinary = api.get(f"{path}?as_of={short['as_of']}").json()
    assert short == ordinary
    assert api.get(f"{path}?colour=red").status_code == 422


def test_reads_that_come_together_are_answered_each_for_itself(listed: System, as_role: As) -> None:
    """While the table is locked they gather in one query: roles, banks, firms, and one that nobody knows."""
    know(listed, firm(2))
    consent(listed)
    views: list[tuple[str, dict[str, str]]] = [("bank", {"uscc": BANK}), ("bank", {"uscc": firm(7).uscc})]
    views += [(role, fields) for role, fields, _ in VIEWS]
    asked = [(as_role(role, **fields), firm(n)) for n in (1, 2, 3) for role, fields in views]

    def answer(one: tuple[Api, Firm]) -> tuple[int, str, str]:
        found = one[0].get(f"/audits/v1/enterprises/{one[1].uscc}/status")
        return found.status_code, found.headers.get("ETag", ""), found.text.partition('"request_id"')[0]

    alone = [answer(one) for one in asked]
    assert len(set(alone)) > 6
    with ThreadPoolExecutor(len(asked)) as pool, listed.contexts["audits"].db.begin() as tx:
        tx.execute(sa.text("LOCK TABLE enterprise_copy IN ACCESS EXCLUSIVE MODE"))
        together = [pool.submit(answer, one) for one in asked]
        with pytest.raises(TimeoutError):
            together[-1].result(0.3)
        tx.rollback()
        assert [one.result(20) for one in together] == alone


def test_a_withdrawn_listing_gives_way_to_the_round_before_it(listed: System, as_role: As) -> None:
    accept(listed, date(2026, 5, 20))
    province = as_role("provincial_ecology")
    [entry] = published_list(listed, province, "2026-06-01", firm(1).row())
    assert status(province, firm(1))["stage"] == "listed"
    assert province.post(f"/audits/v1/entries/{entry['id']}/withdraw", {"reason": "LISTED_BY_ERROR"}).status_code == 200
    found = status(province, firm(1))
    assert (found["stage"], found["result"]) == ("accepted", "accepted")


def test_a_firm_that_only_a_list_knows_has_a_status(system: System, as_role: As) -> None:
    province, city = as_role("provincial_ecology"), as_role("city_ecology", jurisdiction="4302")
    published_list(system, province, "2026-03-10", yueyang(1).row())
    assert status(province, yueyang(1))["stage"] == "listed"
    assert "stage" not in status(city, yueyang(1))
    know(system, yueyang(1))
    assert status(province, yueyang(1))["name"] == yueyang(1).name
