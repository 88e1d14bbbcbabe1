"""One policy for feed and webhooks: public, parties, price, consent; by today's consents."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from infra.system import System
from services.notifications.models import ConsentCopy
from shared.events import Event
from shared.events.credit import CreditInputCreated
from shared.events.incentives import DecisionChanged, TierListPublished
from shared.events.registry import ConsentGranted, ConsentRevoked
from tests.conftest import As
from tests.integration.notifications.receivers import (
    BANK,
    FIRM,
    OTHER,
    Receiver,
    accepted,
    deliveries,
    feed,
    happen,
    ids,
    started,
    subscribed,
)


def decision(programme: str) -> DecisionChanged:
    return DecisionChanged(uscc=FIRM, programme=programme, outcome="eligible", decision=UUID(int=2), division="430202")


def consent(scope: list[str], valid_to: date = date(2026, 11, 20), bank: str = BANK) -> ConsentGranted:
    return ConsentGranted(consent=UUID(int=9), uscc=FIRM, bank=bank, purpose="pre_loan", scope=scope, valid_to=valid_to)


EVENTS: dict[str, Event] = {
    "public": accepted(),
    "parties": started(),
    "green": decision("green_factory.province"),
    "tariff": decision("tariff.aluminium"),
    "tiers": TierListPublished(period="2026-05", version=1, rows=3, control_totals={}),
    "input": CreditInputCreated(uscc=FIRM, kind="AUDIT_ACCEPTED", effect="none", division="430202"),
    "consent": consent(["credit"]),
}
AUTHORITY = {"public", "parties", "green", "tariff", "tiers"}
CASES = [
    ("subscriber", {}, {"public"}),
    ("public", {}, {"public"}),
    ("institution", {"uscc": FIRM}, {"public"}),
    ("provincial_ecology", {}, AUTHORITY | {"input"}),
    ("provincial_industry", {}, AUTHORITY),
    ("city_ecology", {"jurisdiction": "4302"}, AUTHORITY | {"input"}),
    ("county_ecology", {"jurisdiction": "430202"}, AUTHORITY | {"input"}),
    ("city_industry", {"jurisdiction": "4302"}, AUTHORITY),
    ("city_ecology", {"jurisdiction": "4306"}, {"public", "tiers"}),
    ("auditor", {}, AUTHORITY - {"tiers"}),
    ("enterprise", {"uscc": FIRM}, set(EVENTS) - {"tiers"}),
    ("enterprise", {"uscc": OTHER}, {"public"}),
    ("utility", {"uscc": OTHER}, {"public", "tariff", "tiers"}),
    ("bank", {"uscc": BANK}, {"public", "consent"}),
    ("bank", {"uscc": OTHER}, {"public"}),
]


def test_each_role_sees_its_events_in_the_feed_and_is_owed_the_same(
    system: System, as_role: As, receiver: Receiver
) -> None:
    apis = [as_role(role, **where, client_id=str(n)) for n, (role, where, _) in enumerate(CASES)]
    made = [subscribed(api, receiver) for api in apis]
    names = dict(zip(ids(happen(system, *EVENTS.values())), EVENTS, strict=True))
    shown = [{names[event["id"]] for event in feed(api)["events"]} for api in apis]
    owed = [{names[d["event_id"]] for d in deliveries(api, one)} for api, one in zip(apis, made, strict=True)]
    wanted = [case[2] for case in CASES]
    assert shown == wanted
    assert owed == wanted


def test_a_bank_sees_what_the_scope_of_its_consent_names(system: System, as_role: As) -> None:
    bank, db = as_role("bank", uscc=BANK), system.contexts["notifications"].db
    names = dict(zip(ids(happen(system, *EVENTS.values())), EVENTS, strict=True))
    for scope, wanted in (
        (["audit"], {"parties"}),
        (["decisions"], {"green"}),
        ([], set()),
        (["audit", "credit", "decisions"], {"parties", "green"}),
    ):
        happen(system, consent(scope))
        shown = {names[event["id"]] for event in feed(bank)["events"] if event["id"] in names}
        assert shown == wanted | {"public", "consent"}
    with db.begin() as tx:
        tx.execute(sa.update(ConsentCopy).values(bank=OTHER))
    assert {names.get(event["id"], "consent") for event in feed(bank)["events"]} == {"public", "consent"}


def test_a_consent_holds_through_its_last_day_and_not_longer(system: System, as_role: As) -> None:
    bank, context = as_role("bank", uscc=BANK), system.contexts["notifications"]
    happen(system, consent(["audit"], date(2026, 11, 20)), started())
    assert len(feed(bank, types="audits.*")["events"]) == 1
    context.clock.move_to(date(2026, 11, 21))
    assert feed(bank, types="audits.*")["events"] == []


def test_a_revoked_consent_ends_at_once_also_for_what_was_visible(system: System, as_role: As) -> None:
    bank = as_role("bank", uscc=BANK)
    happen(system, consent(["audit"]), started())
    assert len(feed(bank, types="audits.*")["events"]) == 1
    revoked = ConsentRevoked(consent=UUID(int=9), uscc=FIRM, bank=BANK, scope=["audit"], valid_to=date(2026, 11, 20))
    happen(system, revoked)
    assert feed(bank, types="audits.*")["events"] == []
    assert len(feed(bank, types="registry.consent.*")["events"]) == 2


def test_where_the_event_names_no_place_the_register_says_where_the_firm_is(system: System, as_role: As) -> None:
    from shared.events.registry import EnterpriseChanged, EnterpriseRegistered

    city, other = as_role("city_ecology", jurisdiction="4302"), as_role("city_ecology", jurisdiction="4306")
    firm = {"uscc": FIRM, "name": "示例", "industry": "3212", "status": "active"}
    happen(system, EnterpriseRegistered(**firm, division="430602", version=1))  # type: ignore[arg-type]
    happen(system, EnterpriseChanged(**firm, division="430202", version=2))  # type: ignore[arg-type]
    happen(system, EnterpriseChanged(**firm, division="430602", version=1))  # type: ignore[arg-type]
    happen(system, started(division=""))
    assert (len(feed(city)["events"]), len(feed(other)["events"])) == (1, 0)
