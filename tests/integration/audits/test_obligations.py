"""Dated duties: lapsing once, being met late, standing still in a suspension, and settling when a calendar is known."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlmodel import Session, select

from infra.system import System
from services.audits.actions import obligations
from services.audits.models import AuditRound, Obligation, ObligationStatus, RoundState
from shared.calendar import YearTable, calendar
from tests.conftest import As
from tests.lists import daily_on, firm, published_list, told

MARCH = date(2026, 3, 10)


@pytest.fixture
def listed(system: System, as_role: As) -> System:
    """A system whose legal day is the day on which firm 1 was listed."""
    system.contexts["audits"].clock.move_to(MARCH)
    published_list(system, as_role("provincial_ecology"), "2026-03-10", firm(1).row())
    return system


def with_round(system: System, action: Callable[[Session, AuditRound], Any]) -> Any:
    with system.contexts["audits"].db.begin() as tx:
        return action(tx, tx.exec(select(AuditRound).with_for_update()).one())


def duty(system: System, code: str, status: ObligationStatus | None = None) -> Obligation:
    with system.contexts["audits"].db.read() as tx:
        found = tx.exec(select(Obligation).where(Obligation.code == code)).all()
    [one] = [d for d in found if status in (None, d.status)]
    return one


def late(system: System, code: str) -> list[dict[str, Any]]:
    return [event for event in told(system, "obligation.overdue") if event["code"] == code]


def test_a_duty_is_not_overdue_on_its_day_and_is_on_the_next(listed: System) -> None:
    daily_on(listed, date(2026, 4, 10))
    assert duty(listed, "FIRST_DISCLOSURE").status is ObligationStatus.PENDING
    daily_on(listed, date(2026, 4, 11))
    assert duty(listed, "FIRST_DISCLOSURE").status is ObligationStatus.OVERDUE
    assert [event["due_on"] for event in late(listed, "FIRST_DISCLOSURE")] == ["2026-04-10"]


def test_a_duty_is_told_overdue_once_however_often_the_day_comes(listed: System) -> None:
    for day in (11, 11, 12, 13):
        daily_on(listed, date(2026, 4, day))
    assert len(late(listed, "FIRST_DISCLOSURE")) == 1
    assert late(listed, "START") == []


def test_a_rolled_day_counts_as_rolled(listed: System) -> None:
    daily_on(listed, date(2026, 5, 11))
    assert late(listed, "START") == []
    daily_on(listed, date(2026, 5, 12))
    assert len(late(listed, "START")) == 1


@pytest.mark.parametrize(
    ("on", "status"), [(date(2026, 5, 11), ObligationStatus.DONE), (date(2026, 5, 12), ObligationStatus.DONE_LATE)]
)
def test_what_is_met_counts_by_the_day_it_was_met(listed: System, on: date, status: ObligationStatus) -> None:
    daily_on(listed, date(2026, 6, 1))
    assert duty(listed, "START").status is ObligationStatus.OVERDUE
    with_round(listed, lambda tx, round: obligations.fulfil(tx, round, "START", on))
    assert (duty(listed, "START").status, duty(listed, "START").done_on) == (status, on)
    assert [event["late"] for event in told(listed, "obligation.done")] == [status is ObligationStatus.DONE_LATE]
    assert with_round(listed, lambda tx, round: obligations.fulfil(tx, round, "START", on)) is None


def test_an_overdue_start_shows_in_the_status_and_ends_with_the_start(listed: System, as_role: As) -> None:
    api = as_role("city_ecology", jurisdiction="4302")
    path = f"/audits/v1/enterprises/{firm(1).uscc}/status"
    assert api.get(path).json()["overdue"] == []
    daily_on(listed, date(2026, 5, 20))
    assert api.get(path).json()["overdue"] == ["ANNUAL_DISCLOSURE", "FIRST_DISCLOSURE", "START"]


TERMS = [
    ("RESULT_PUBLICATION", date(2026, 1, 31), date(2026, 2, 28)),
    ("ACCEPTANCE_APPLICATION", date(2025, 6, 30), date(2026, 6, 30)),
    ("NEXT_ROUND", date(2020, 2, 29), date(2025, 2, 28)),
]


@pytest.mark.parametrize(("code", "on", "due"), TERMS)
def test_later_duties_count_from_the_act_that_starts_them(listed: System, code: str, on: date, due: date) -> None:
    opened = with_round(listed, lambda tx, round: obligations.open_obligation(tx, round, code, on))
    assert (opened.due_on, opened.provisional, opened.opened_on) == (due, False, on)
    assert told(listed, "obligation.created")[-1]["code"] == code


def test_an_ordered_rectification_is_due_as_ordered_even_on_a_sunday(listed: System) -> None:
    sunday = date(2026, 6, 21)
    opened = with_round(
        listed, lambda tx, round: obligations.open_obligation(tx, round, "RECTIFICATION", MARCH, due_on=sunday)
    )
    assert (opened.due_on, opened.nominal_on, opened.provisional) == (sunday, sunday, False)


def test_statutory_terms_run_through_a_suspension_and_policy_terms_stand_still(listed: System) -> None:
    def suspend(tx: Session, round: AuditRound) -> None:
        obligations.open_obligation(tx, round, "RECTIFICATION", MARCH, due_on=date(2026, 4, 1))
        round.resumes_to, round.state = round.state, RoundState.SUSPENDED

    def resume(tx: Session, round: AuditRound) -> None:
        round.state = RoundState.RECTIFYING
        obligations.restart_terms(tx, round, date(2026, 3, 20), date(2026, 4, 19))

    with_round(listed, suspend)
    daily_on(listed, date(2026, 4, 18))
    assert duty(listed, "FIRST_DISCLOSURE").status is ObligationStatus.OVERDUE
    assert duty(listed, "RECTIFICATION").status is ObligationStatus.PENDING
    with_round(listed, resume)
    assert duty(listed, "RECTIFICATION").due_on == date(2026, 5, 1)
    daily_on(listed, date(2026, 5, 2))
    assert duty(listed, "RECTIFICATION").status is ObligationStatus.OVERDUE


def test_next_years_disclosure_follows_when_this_years_day_has_passed(listed: System) -> None:
    daily_on(listed, date(2026, 3, 16))
    assert duty(listed, "ANNUAL_DISCLOSURE", ObligationStatus.OVERDUE).due_on == date(2026, 3, 15)
    assert duty(listed, "ANNUAL_DISCLOSURE", ObligationStatus.PENDING).due_on == date(2027, 3, 15)
    daily_on(listed, date(2026, 3, 17))
    assert len(told(listed, "obligation.created")) == 5


def test_the_yearly_disclosure_ends_with_the_third_year_after_the_acceptance(listed: System) -> None:
    def accept(tx: Session, round: AuditRound) -> None:
        round.state, round.accepted_on = RoundState.ACCEPTED, date(2026, 3, 12)

    with_round(listed, accept)
    for year in range(2026, 2032):
        daily_on(listed, date(year, 3, 16))
    days = [e["due_on"] for e in told(listed, "obligation.created") if e["code"] == "ANNUAL_DISCLOSURE"]
    assert days == ["2026-03-15", "2027-03-15", "2028-03-15", "2029-03-15"]


def test_a_start_answers_the_next_round_that_an_earlier_round_asked_for(listed: System) -> None:
    def end(tx: Session, round: AuditRound) -> None:
        round.state = RoundState.ACCEPTED
        obligations.open_obligation(tx, round, "NEXT_ROUND", date(2026, 3, 10))
        tx.add(AuditRound(uscc=round.uscc, name="x", division="430204", track=round.track, state=RoundState.STARTED))

    with_round(listed, end)
    with listed.contexts["audits"].db.begin() as tx:
        fresh = tx.exec(select(AuditRound).where(AuditRound.state == RoundState.STARTED)).one()
        assert obligations.fulfil(tx, fresh, "START", date(2026, 10, 1)) is None
    assert duty(listed, "NEXT_ROUND").status is ObligationStatus.DONE


def test_a_provisional_day_settles_when_the_calendar_is_published(listed: System) -> None:
    assert duty(listed, "REPORT").provisional
    off = frozenset(date(2027, 3, day) for day in (10, 11, 12))
    known = calendar().with_tables({2027: YearTable(off, frozenset())})
    daily_on(listed, date(2027, 3, 11))
    assert duty(listed, "REPORT").status is ObligationStatus.OVERDUE
    with listed.contexts["audits"].db.begin() as tx:
        settled = obligations.settle_provisional(tx, date(2027, 3, 12), known)
    assert [(d.code, d.due_on, d.status) for d in settled] == [("REPORT", date(2027, 3, 15), ObligationStatus.PENDING)]
    assert not duty(listed, "REPORT").provisional and duty(listed, "REPORT").nominal_on == date(2027, 3, 10)


def test_an_enterprise_reports_its_yearly_disclosure(listed: System, as_role: As) -> None:
    own = as_role("enterprise", uscc=firm(1).uscc)
    [first] = own.get("/audits/v1/deadlines?code=ANNUAL_DISCLOSURE").json()["items"]
    path = f"/audits/v1/rounds/{first['round']}/obligations/ANNUAL_DISCLOSURE/fulfil"
    body = {"done_on": "2026-03-10", "url": "https://example.cn/2026"}
    assert as_role("enterprise", uscc=firm(2).uscc).post(path, body).status_code == 404
    assert as_role("city_ecology", jurisdiction="4302").post(path, body).status_code == 403
    early = own.post(path, body | {"done_on": "2026-03-09"})
    assert (early.status_code, early.json()["code"]) == (422, "date_out_of_order")
    assert own.post(path, body | {"done_on": "2026-03-11"}).status_code == 422
    assert own.post(path.replace("ANNUAL_DISCLOSURE", "START"), body).status_code == 422
    done = own.post(path, body)
    assert done.status_code == 200 and done.json()["status"] == "done"
    following = own.get("/audits/v1/deadlines?code=ANNUAL_DISCLOSURE&state=pending").json()["items"]
    assert [d["due_on"] for d in following] == ["2027-03-15"]
    unasked = own.post(path.replace("ANNUAL_DISCLOSURE", "RESULT_PUBLICATION"), body)
    assert (unasked.status_code, unasked.json()["code"]) == (409, "obligation_not_open")
