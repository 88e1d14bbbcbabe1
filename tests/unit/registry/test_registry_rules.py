"""The registry's pure rules: places of roles, fact values, terms of consents, versions of a day, the chain."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.actions.tokens import Credentials, credentials_of
from services.registry.roles import scopes_of
from services.registry.rules.consents import last_day, term_faults
from services.registry.rules.enterprises import field_faults, periods, rewritten, version_on
from services.registry.rules.facts import day_faults, fact_kinds, fact_value
from services.registry.rules.identity import client_faults, place_level
from services.registry.rules.ledger import GENESIS, broken, entry_hash
from shared.auth import ROLES
from shared.problems import Fault


@pytest.mark.parametrize(
    ("place", "level"), [("43", 2), ("4302", 4), ("430202", 6), ("4401", None), ("430299", None), ("", None), ("4", None)]
)
def test_a_place_is_the_province_a_city_or_a_county(place: str, level: int | None) -> None:
    assert place_level(place) == level


def test_every_role_has_scopes_and_a_fitting_client() -> None:
    assert all(scopes_of(role) for role in ROLES)
    assert client_faults("county_ecology", "430202", "") == []
    assert [fault.code for fault in client_faults("county_ecology", "4302", "")] == ["jurisdiction_level"]


@pytest.mark.parametrize(
    ("code", "value", "stored"),
    [
        ("al_kwh_per_t", "1e3", "1000"),
        ("al_kwh_per_t", "-0", "0"),
        ("renewable_share_pct", "100", "100"),
        ("renewable_share_pct", "100.00000001", None),
        ("al_kwh_per_t", "NaN", None),
        ("al_kwh_per_t", "1e400", None),
        ("al_kwh_per_t", "0.000000001", None),
        ("env_event", "特别重大", "特别重大"),
        ("GF_V3", "present", "present"),
        ("plan_in_catalogue", True, "true"),
        ("grid_account", "", None),
    ],
)
def test_a_fact_value_is_kept_as_its_code_says(code: str, value: str | bool, stored: str | None) -> None:
    found = fact_value(code, value)
    assert (None if isinstance(found, Fault) else found) == stored


def test_the_data_file_has_every_agreed_code() -> None:
    vetoes = {f"GF_V{n}" for n in range(1, 7)}
    measured = {"al_kwh_per_t", "al_production_kwh", "renewable_share_pct", "grid_account"}
    assert set(fact_kinds()) == vetoes | measured | {"env_event", "provincial_green_factory", "plan_in_catalogue"}


def test_a_fact_of_today_is_in_order_and_one_of_tomorrow_is_not() -> None:
    today = date(2026, 11, 20)
    assert day_faults(today, today, today) == []
    assert [fault.pointer for fault in day_faults(date(2026, 11, 21), None, today)] == ["/valid_from"]


@pytest.mark.parametrize(
    ("today", "last"),
    [(date(2026, 11, 20), date(2027, 11, 20)), (date(2028, 2, 29), date(2029, 2, 28))],
)
def test_a_consent_lasts_twelve_legal_months_at_most(today: date, last: date) -> None:
    assert last_day(today) == last
    assert term_faults(last, today) == [] == term_faults(today, today)
    assert [fault.code for fault in term_faults(last.replace(day=1, month=last.month + 1), today)] == ["consent_too_long"]


def test_a_replaced_division_is_refused_with_todays_code() -> None:
    (fault,) = field_faults({"division": "430221"})  # 株洲县, 渌口区 since 2018
    assert (fault.code, fault.extra) == ("division_unknown", {"suggestion": "430212"})


@dataclass(frozen=True)
class Row:
    valid_from: date
    version: int
    name: str = ""


DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 12))


@given(st.lists(DAYS, max_size=8), DAYS)
def test_the_timeline_agrees_with_writing_every_day_by_itself(starts: list[date], asked: date) -> None:
    rows = [Row(date(2026, 1, 1), 1, "1")]
    model = {date(2026, 1, n): "1" for n in range(1, 13)}
    for version, day in enumerate(starts, 2):
        reached = rewritten(periods(rows), day)
        rows += [Row(start, version, f"{ground.name},{version}") for start, ground in reached]
        model = {d: f"{name},{version}" if d >= day else name for d, name in model.items()}
    found = version_on(rows, asked)
    assert found is not None and found.name == model[asked]


def test_nothing_held_before_the_first_day() -> None:
    assert version_on([Row(date(2026, 1, 2), 1)], date(2026, 1, 1)) is None


@dataclass(frozen=True)
class Read:
    uscc: str
    number: int
    at: datetime
    bank: str
    who: str
    purpose: str
    field_names: list[str]
    consent: UUID
    service: str
    previous_hash: str
    hash: str = ""


def chain(length: int) -> list[Read]:
    entries: list[Read] = []
    for number in range(1, length + 1):
        previous = entries[-1].hash if entries else GENESIS
        at = datetime(2026, 11, number, tzinfo=UTC)
        entry = Read("U", number, at, "B", "银行", "pre_loan", ["stage"], UUID(int=1), "audits", previous)
        entries.append(replace(entry, hash=entry_hash(entry)))
    return entries


def test_an_untouched_chain_is_whole_and_each_kind_of_tampering_shows() -> None:
    entries = chain(4)
    assert broken(entries) == [] == broken([])
    assert broken([*entries[:1], replace(entries[1], who="别的银行"), *entries[2:]]) == [2]
    assert broken(entries[1:]) == [2]
    assert broken([entries[0], entries[2], entries[3]]) == [3]
    forged = replace(entries[1], who="别的银行")
    assert broken([entries[0], replace(forged, hash=entry_hash(forged)), *entries[2:]]) == [3]


@pytest.mark.parametrize(
    ("header", "form", "found"),
    [
        ("Basic YTpi", ("", ""), Credentials("a", "b")),
        ("basic YSUyRmI6YyUzQWQ=", ("", ""), Credentials("a/b", "c:d")),
        ("Basic YQ==", ("", ""), None),
        ("Basic ???", ("", ""), None),
        ("Basic /w==", ("", ""), None),
        ("", ("a", "b"), Credentials("a", "b")),
        ("", ("a", ""), None),
        ("Bearer x", ("a", "b"), None),
    ],
)
def test_credentials_come_by_header_or_form(header: str, form: tuple[str, str], found: Credentials | None) -> None:
    assert credentials_of(header, *form) == found
