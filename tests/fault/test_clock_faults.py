"""F11: wall clocks that leap, midnight in Shanghai, 29 February, a year whose working days nobody has published."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import pytest

from infra.client import until
from infra.system import System, with_environment
from services.notifications.dispatcher import dispatch
from shared import clock as shared_clock
from shared import run
from shared.clock import SHANGHAI, Clock
from shared.jobs import Job, JobKind, Work, enqueue, run_one
from shared.service import Context, Service
from tests.conftest import TODAY, As
from tests.fault.polite import asked
from tests.integration.messaging.effects import Running
from tests.integration.notifications.receivers import (
    Post,
    Receiver,
    accepted,
    deliveries,
    happen,
    running_receiver,
    send,
    subscribed,
)
from tests.lists import daily_on, firm, published_list, told

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Wall:
    """The wall clock of this process, but not of PostgreSQL; the monotonic clock goes on."""

    def __init__(self) -> None:
        self.ahead, self._real = timedelta(0), time.time

    def leaps(self, by: timedelta) -> None:
        self.ahead += by

    def stands_at(self, moment: datetime) -> None:
        self.ahead = moment - datetime.fromtimestamp(self._real(), UTC)

    def time(self) -> float:
        return self._real() + self.ahead.total_seconds()

    def now(self, zone: tzinfo | None = None) -> datetime:
        return datetime.fromtimestamp(self.time(), zone)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    wall = Wall()

    class Leaping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return wall.now(tz)

    monkeypatch.setattr(shared_clock, "datetime", Leaping)
    monkeypatch.setattr(time, "time", wall.time)
    return wall


@pytest.fixture
def environment(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    found = environment | {"CLEANPROD_WEBHOOK_ALLOW": "127.0.0.0/8", "CLEANPROD_RETRY_SECONDS": "0.05,0.05"}
    with with_environment(found):
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


class Nights(threading.Event):
    """A `stop` for the daily loop: waiting moves the wall clock; after each script step the next thing happens."""

    def __init__(self, wall: Wall, system: System) -> None:
        super().__init__()
        self._wall, self.ran = wall, list[tuple[date, datetime]]()
        service = next(s for s in system.services if s.name == "credit")
        self._service: Service = replace(service, daily=lambda tx, today: self.ran.append((today, wall.now(SHANGHAI))))
        self._context: Context = replace(system.contexts["credit"], clock=Clock())
        self._end = datetime.max.replace(tzinfo=UTC)

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None and timeout > 0
        self._wall.leaps(timedelta(seconds=timeout))
        if self._wall.now(SHANGHAI) >= self._end:
            self.set()
        return self.is_set()

    def pass_until(self, moment: datetime) -> None:
        """Run the loop of a worker that starts now until a moment of the wall clock."""
        self.clear()
        self._end = moment
        run.run_daily(self._service, self._context, self)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.fixture
def nights(wall: Wall, system: System, monkeypatch: pytest.MonkeyPatch) -> Nights:
    monkeypatch.setattr(run, "clocks_apart", lambda db: timedelta(0))  # here the database's clock cannot follow
    return Nights(wall, system)


@pytest.mark.parametrize("eve", ["2028-02-28", "2028-02-29", "2027-02-28", "2027-12-31"])
def test_the_daily_job_runs_at_midnight_in_shanghai_and_once(wall: Wall, nights: Nights, eve: str) -> None:
    midnight = at(f"{eve}T00:00") + DAY
    wall.stands_at(midnight - timedelta(seconds=90))
    nights.pass_until(midnight + timedelta(seconds=90))
    wall.leaps(-HOUR)  # back over midnight, and the worker started again
    nights.pass_until(midnight + timedelta(minutes=3))
    (first, _), (second, began) = nights.ran
    assert (first, second) == (date.fromisoformat(eve), midnight.date())
    assert midnight <= began < midnight + timedelta(seconds=2)


def test_a_day_has_one_daily_job_however_many_workers_come_to_midnight(system: System) -> None:
    ran: list[date] = []
    service = replace(system.services[0], daily=lambda tx, today: ran.append(today))
    context, together = system.contexts[service.name], threading.Barrier(6)

    def come(_: int) -> bool:
        together.wait(20)
        return run.daily(service, context, TODAY)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(come, range(6))) == [False] * 5 + [True]
    assert ran == [TODAY]


def test_a_clock_that_is_not_the_databases_closes_no_day(wall: Wall, system: System) -> None:
    """What is overdue stays told: three days too early cannot be taken back."""
    nights = Nights(wall, system)
    wall.leaps(3 * DAY)
    nights.pass_until(wall.now(SHANGHAI) + timedelta(seconds=30))
    assert nights.ran == []
    wall.leaps(-3 * DAY)
    nights.pass_until(wall.now(SHANGHAI) + timedelta(seconds=2))
    assert [day for day, _ in nights.ran] == [wall.now(SHANGHAI).date()]


@pytest.mark.parametrize("leap", [-HOUR, 3 * DAY], ids=["back", "ahead"])
def test_a_job_is_not_taken_from_its_worker_by_a_clock(wall: Wall, system: System, leap: timedelta) -> None:
    db, done = system.contexts["credit"].db, list[int]()

    def work(job: Work) -> dict[str, Any]:
        wall.leaps(leap)
        assert not run_one(kinds, db, Clock()), "nobody else finds it free"
        done.append(job.job.attempt)
        return {}

    kinds = (JobKind("long", work),)
    with db.begin() as tx:
        enqueue(tx, Job(kind="long", owner="me"))
    assert [run_one(kinds, db, Clock()) for _ in range(2)] == [True, False]
    assert done == [1]
    assert asked(system, "credit", "SELECT state, attempt FROM job") == [("succeeded", 1)]


def test_retries_neither_stop_nor_give_up_when_the_clock_leaps(
    wall: Wall, system: System, as_role: As, receiver: Receiver
) -> None:
    owner = as_role("subscriber")
    made = subscribed(owner, receiver)
    leaps = iter([-HOUR, 4 * DAY, -2 * DAY])

    def answer(_: Post) -> int:
        leap = next(leaps, None)
        wall.leaps(leap or timedelta(0))
        return 200 if leap is None else 500

    receiver.answer = answer
    with Running(lambda stop: dispatch(system.contexts["notifications"], stop)):
        happen(system, accepted(), accepted())
        receiver.wait_for(5)
        until(lambda: asked(system, "notifications", "SELECT 1 FROM delivery WHERE state <> 'delivered'") == [])
    wall.ahead = timedelta(0)  # the owner's token is of today
    assert sorted((d["state"], d["attempts"]) for d in deliveries(owner, made)) == [("delivered", 1), ("delivered", 4)]


@pytest.mark.parametrize("leap", [-HOUR, DAY], ids=["back", "ahead"])
def test_a_dispatcher_whose_clock_is_ahead_takes_no_lane_from_another(
    wall: Wall, system: System, as_role: As, receiver: Receiver, leap: timedelta
) -> None:
    subscribed(as_role("subscriber"), receiver)
    happen(system, accepted())
    taken: list[int] = []

    def answer(_: Post) -> int:
        wall.leaps(leap)
        if not taken:
            taken.append(send(system))
        return 200

    receiver.answer = answer
    assert (send(system), taken, len(receiver.posts)) == (1, [0], 1)


@pytest.mark.parametrize("leap", [-HOUR, HOUR], ids=["back", "ahead"])
def test_tokens_fail_closed_and_are_good_again_when_the_clock_is(wall: Wall, as_role: As, leap: timedelta) -> None:
    province = as_role("provincial_ecology")
    assert province.get("/audits/v1/lists").status_code == 200
    wall.leaps(leap)
    answer = province.get("/audits/v1/lists")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    wall.leaps(-leap)
    assert province.get("/audits/v1/lists").status_code == 200


def test_duties_of_a_leap_day_in_a_year_without_a_calendar(system: System, as_role: As) -> None:
    """As counted and provisional; overdue on the day after, told once, however the calendar is walked."""
    system.contexts["audits"].clock.move_to(date(2028, 2, 29))
    published_list(system, as_role("provincial_ecology"), "2028-02-29", firm(1).row())
    duties = "SELECT code, due_on, provisional, status FROM obligation"

    def duty(code: str) -> tuple[Any, ...]:
        return next(tuple(rest) for found, *rest in asked(system, "audits", duties) if found == code)

    assert duty("FIRST_DISCLOSURE") == (date(2028, 3, 29), True, "pending")
    assert duty("REPORT") == (date(2029, 2, 28), True, "pending")
    daily_on(system, date(2028, 3, 29))
    assert duty("FIRST_DISCLOSURE")[2] == "pending"
    for day in (date(2028, 3, 30), date(2028, 3, 29), date(2028, 3, 30), date(2028, 3, 31)):
        daily_on(system, day)
        assert duty("FIRST_DISCLOSURE") == (date(2028, 3, 29), True, "overdue")
    late = [event["code"] for event in told(system, "obligation.overdue")]
    assert late.count("FIRST_DISCLOSURE") == 1 and "REPORT" not in late
