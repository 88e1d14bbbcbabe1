"""Decisions are for the authorities of the place, the firm, the consented bank and, as to prices, the utility."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from shared.events.registry import ConsentGranted, ConsentRevoked
from tests.conftest import As

FIRM, OTHER, BANK = "91430200MA4QA0029A", "91430600MA4QA0037R", "91430100MA4QA00108"
PATH = f"/incentives/v1/enterprises/{FIRM}/decisions"
PRICES, REST = {"tariff.al"}, {"green_factory.province", "green_factory.national", "finance.recommend"}
READ = "incentives.restricted_fact.read.v1"

MATRIX = [
    ("provincial_ecology", {}, PRICES | REST),
    ("provincial_industry", {}, PRICES | REST),
    ("city_ecology", {"jurisdiction": "4302"}, PRICES | REST),
    ("county_industry", {"jurisdiction": "430202"}, PRICES | REST),
    ("auditor", {}, PRICES | REST),
    ("enterprise", {"uscc": FIRM}, PRICES | REST),
    ("utility", {"uscc": "91430000MA4QA00531"}, PRICES),
    ("city_ecology", {"jurisdiction": "4306"}, None),
    ("county_industry", {"jurisdiction": "430203"}, None),
    ("enterprise", {"uscc": OTHER}, None),
    ("bank", {"uscc": BANK}, None),
    ("institution", {"uscc": FIRM}, None),
    ("park", {}, None),
    ("subscriber", {}, None),
    ("public", {}, None),
]


def consent(scope=("decisions",), valid_to=date(2026, 12, 31)) -> ConsentGranted:  # type: ignore[no-untyped-def]
    return ConsentGranted(
        consent=uuid4(), uscc=FIRM, bank=BANK, purpose="pre_loan", scope=list(scope), valid_to=valid_to
    )


def test_each_role_sees_its_part_or_nothing(province, as_role: As) -> None:  # type: ignore[no-untyped-def]
    province.register()
    all_items = as_role("provincial_ecology").get(PATH).json()["items"]
    ids = {item["programme"]: item["id"] for item in all_items}
    assert set(ids) == PRICES | REST
    for role, who, sees in MATRIX:
        api, answer = as_role(role, **who), as_role(role, **who).get(PATH)
        if sees is None:
            assert answer.status_code == 404 and answer.json()["code"] == "not_found", (role, who)
        else:
            assert {item["programme"] for item in answer.json()["items"]} == sees, (role, who)
        for programme, decision in ids.items():
            expected = 200 if programme in (sees or ()) else 404
            told = api.get(f"/incentives/v1/decisions/{decision}/explanation").status_code
            again = api.post(f"/incentives/v1/decisions/{decision}/replay", {"mode": "as_known_then"}).status_code
            assert (told, again) == (expected, expected), (role, who, programme)
    assert as_role("auditor").get("/incentives/v1/decisions/nothing/explanation").status_code == 404


def test_a_bank_with_consent_sees_no_prices_and_each_read_is_told(province, as_role: As) -> None:  # type: ignore[no-untyped-def]
    province.register()
    granted = consent()
    province.tell(granted)
    bank = as_role("bank", uscc=BANK, name="株洲银行")
    items = {item["programme"]: item for item in bank.get(PATH).json()["items"]}
    assert set(items) == REST
    assert bank.get(PATH, params={"programme": "tariff.al"}).json()["items"] == []
    told = province.said(READ)
    assert len(told) == 1
    assert (told[0]["bank"], told[0]["bank_name"], told[0]["purpose"]) == (BANK, "株洲银行", "pre_loan")
    assert told[0]["consent"] == str(granted.consent) and told[0]["service"] == "incentives"
    assert set(told[0]["fields"]) == {f"decisions.{name}" for name in REST}
    assert bank.get(f"/incentives/v1/decisions/{items['finance.recommend']['id']}/explanation").status_code == 200
    assert province.said(READ)[-1]["fields"] == ["explanation.finance.recommend"]
    price = as_role("provincial_ecology").get(PATH, params={"programme": "tariff.al"}).json()["items"][0]
    assert bank.get(f"/incentives/v1/decisions/{price['id']}/explanation").status_code == 404


def test_a_consent_for_something_else_or_past_its_day_opens_nothing(province, as_role: As) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.tell(consent(scope=("audit", "credit")), consent(valid_to=date(2026, 11, 19)))
    assert as_role("bank", uscc=BANK).get(PATH).status_code == 404


def test_a_consent_holds_on_its_last_day_and_ends_when_it_is_revoked(province, as_role: As) -> None:  # type: ignore[no-untyped-def]
    province.register()
    granted = consent(valid_to=date(2026, 11, 20))
    province.tell(granted)
    bank = as_role("bank", uscc=BANK)
    assert bank.get(PATH).status_code == 200
    province.tell(ConsentRevoked(**granted.model_dump(exclude={"purpose"})))
    assert bank.get(PATH).status_code == 404


def test_another_bank_does_not_share_a_consent(province, as_role: As) -> None:  # type: ignore[no-untyped-def]
    province.register()
    province.tell(consent())
    assert as_role("bank", uscc=OTHER).get(PATH).status_code == 404


def test_an_unknown_firm_an_unknown_programme_and_a_mistyped_day(province, as_role: As) -> None:  # type: ignore[no-untyped-def]
    province.register()
    officer = as_role("provincial_ecology")
    assert officer.get(f"/incentives/v1/enterprises/{OTHER}/decisions").status_code == 404
    assert officer.get(PATH, params={"programme": "gold"}).json()["code"] == "programme_unknown"
    assert officer.get(PATH, params={"as_of": "0001-01-01"}).status_code == 422
    assert officer.get(PATH, params={"known_at": "2026-11-20T10:00:00"}).status_code == 422
    long_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert {i["outcome"] for i in officer.get(PATH, params={"known_at": long_ago}).json()["items"]} == {"manual_review"}


def test_no_token_is_401(province, nobody) -> None:  # type: ignore[no-untyped-def]
    assert nobody.get(PATH).status_code == 401


def test_a_reader_of_english_gets_english(province, as_role: As) -> None:  # type: ignore[no-untyped-def]
    province.register()
    answer = as_role("provincial_ecology").get(
        PATH, params={"programme": "tariff.al"}, headers={"Accept-Language": "en"}
    )
    assert answer.json()["items"][0]["reasons"][0]["text"] == "the industry is not aluminium smelting"
