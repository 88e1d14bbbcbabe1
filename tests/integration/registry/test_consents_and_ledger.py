"""Consents with their limits, and the access ledger whose chain shows what was altered."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from infra.system import System
from services.registry.actions.ledger import verify_ledger
from shared.db import Database
from shared.events import Event, audits, credit, incentives
from shared.messaging.outbox import emit
from shared.settings import DatabaseUrls
from tests.conftest import Api, As, shown
from tests.integration.registry.conftest import BANK, FIRM, OTHER, PLACE
from tests.integration.registry.test_enterprises import events, faults

CONSENTS, LOG = "/registry/v1/consents", f"{PLACE}/{FIRM}/access-log"


def consent(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "uscc": FIRM,
        "bank": BANK,
        "purpose": "pre_loan",
        "scope": ["audit", "credit"],
        "valid_to": "2027-11-20",
    }
    return given | changes


@pytest.fixture
def itself(as_role: As) -> Api:
    return as_role("enterprise", uscc=FIRM)


def test_a_consent_is_granted_seen_by_its_parties_and_revoked_once(itself: Api, as_role: As, system: System) -> None:
    answer = itself.post(CONSENTS, consent())
    assert (answer.status_code, answer.json()["state"]) == (201, "active"), shown(answer)
    mine = f"{CONSENTS}/{answer.json()['id']}"
    bank, stranger = as_role("bank", uscc=BANK), as_role("bank", uscc=OTHER)
    assert bank.get(mine).json() == answer.json()
    assert [item["id"] for item in bank.get(CONSENTS).json()["items"]] == [answer.json()["id"]]
    assert stranger.get(mine).status_code == 404 and stranger.get(CONSENTS).json()["items"] == []
    assert stranger.post(f"{mine}/revoke").status_code == 404
    assert bank.post(f"{mine}/revoke").status_code == 403
    assert itself.post(f"{mine}/revoke").json()["state"] == "revoked"
    again = itself.post(f"{mine}/revoke")
    assert (again.status_code, again.json()["code"], again.json()["state"]) == (409, "move_not_allowed", "revoked")
    (granted,) = events(system, "registry.consent.granted.v1")
    (revoked,) = events(system, "registry.consent.revoked.v1")
    assert granted["consent"] == revoked["consent"] == answer.json()["id"]
    assert (granted["scope"], granted["valid_to"]) == (["audit", "credit"], "2027-11-20")


LIMITS: list[tuple[dict[str, Any], str, str]] = [
    ({"valid_to": "2027-11-21"}, "/valid_to", "consent_too_long"),
    ({"valid_to": "2026-11-19"}, "/valid_to", "date_out_of_order"),
    ({"scope": []}, "/scope", "invalid"),
    ({"scope": ["everything"]}, "/scope/0", "invalid"),
    ({"purpose": "curiosity"}, "/purpose", "invalid"),
    ({"bank": BANK[:17] + "A"}, "/bank", "uscc_check_digit"),
]


def test_a_consent_has_limits(itself: Api) -> None:
    found = [faults(itself.post(CONSENTS, consent(**changes))) for changes, _, _ in LIMITS]
    assert found == [[(pointer, code)] for _, pointer, code in LIMITS]


def test_the_last_day_counts_and_the_day_after_does_not(itself: Api, system: System) -> None:
    made = itself.post(CONSENTS, consent(valid_to="2026-11-20")).json()
    assert made["state"] == "active"
    system.contexts["registry"].clock.move_to(date(2026, 11, 21))
    assert itself.get(f"{CONSENTS}/{made['id']}").json()["state"] == "expired"
    assert itself.post(f"{CONSENTS}/{made['id']}/revoke").json()["state"] == "expired"


def test_a_firm_consents_for_itself_only(itself: Api, as_role: As, city: Api) -> None:
    assert itself.post(CONSENTS, consent(uscc=OTHER)).status_code == 404
    assert as_role("bank", uscc=BANK).post(CONSENTS, consent()).status_code == 403
    assert city.post(CONSENTS, consent()).status_code == 403
    assert itself.post(CONSENTS, consent(), headers={"Idempotency-Key": ""}).status_code == 400


def test_the_same_key_gives_one_consent(itself: Api, system: System) -> None:
    key = {"Idempotency-Key": "c"}
    first, second = (itself.post(CONSENTS, consent(), headers=key) for _ in range(2))
    assert first.json() == second.json()
    assert len(events(system, "registry.consent.granted.v1")) == 1


def read_by_bank(kind: type[Event], **changes: Any) -> Event:
    given = {
        "uscc": FIRM,
        "bank": BANK,
        "bank_name": "湘江示例银行",
        "purpose": "pre_loan",
        "consent": uuid4(),
        "fields": ["stage", "obligations"],
        "service": kind.type.split(".")[0],
        "read_at": datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC),
    }
    return kind.model_validate(given | changes)


@pytest.fixture
def reads(system: System, registered: dict[str, Any]) -> list[Event]:
    kinds = (audits.RestrictedFactRead, credit.RestrictedFactRead, incentives.RestrictedFactRead)
    made = [read_by_bank(kind) for kind in kinds]
    for event in made:
        with system.contexts[event.type.split(".")[0]].db.begin() as tx:
            emit(tx, event)
        system.run_until_quiet()
    return made


def test_each_read_is_an_entry_chained_to_the_one_before(reads: list[Event], itself: Api) -> None:
    answer = itself.get(LOG)
    assert answer.status_code == 200, shown(answer)
    items = answer.json()["items"]
    assert [item["service"] for item in items] == ["audits", "credit", "incentives"]
    assert [item["previous_hash"] for item in items[1:]] == [item["hash"] for item in items[:2]]
    first = items[0]
    assert (first["who"], first["purpose"], first["fields"]) == ("湘江示例银行", "pre_loan", ["stage", "obligations"])
    assert first["at"] == "2026-11-20T09:02:03+08:00"
    page = itself.get(LOG, params={"limit": "2"}).json()
    assert itself.get(LOG, params={"limit": "2", "after": page["next"]}).json()["items"] == items[2:]


def test_who_sees_the_ledger(reads: list[Event], city: Api, as_role: As) -> None:
    assert len(city.get(LOG).json()["items"]) == 3 == len(as_role("auditor").get(LOG).json()["items"])
    assert as_role("bank", uscc=BANK).get(LOG).status_code == 403
    assert as_role("enterprise", uscc=OTHER).get(LOG).status_code == 404
    assert as_role("city_ecology", jurisdiction="4306").get(LOG).status_code == 404


def test_a_firm_not_yet_registered_sees_its_empty_ledger(itself: Api) -> None:
    assert itself.get(LOG).json() == {"items": [], "next": None}


TAMPERINGS: list[tuple[str, list[int]]] = [
    ("UPDATE access_entry SET purpose = 'approval' WHERE number = 2", [2]),
    ("UPDATE access_entry SET field_names = '[]' WHERE number = 1", [1]),
    ("DELETE FROM access_entry WHERE number = 2", [3]),
    ("UPDATE access_entry SET hash = repeat('0', 64) WHERE number = 1", [1, 2]),
    ("UPDATE access_entry SET at = at + interval '1 second' WHERE number = 3", [3]),
]


def test_tampering_by_the_owner_of_the_database_is_found(reads: list[Event], system: System) -> None:
    with system.contexts["registry"].db.read() as tx:
        assert verify_ledger(tx, FIRM) == []
    owner = Database(DatabaseUrls.of("registry").owner_url, pool=1)
    for tampering, broken in TAMPERINGS:
        with owner.session() as tx:
            tx.execute(sa.text(tampering))
            assert verify_ledger(tx, FIRM) == broken, tampering
            tx.rollback()
    owner.dispose()


def test_the_service_itself_cannot_touch_its_ledger(reads: list[Event], system: System) -> None:
    for tampering, _ in TAMPERINGS:
        with (
            pytest.raises(sa.exc.ProgrammingError, match="permission denied"),
            system.contexts["registry"].db.begin() as tx,
        ):
            tx.execute(sa.text(tampering))
