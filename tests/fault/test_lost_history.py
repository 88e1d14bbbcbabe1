"""F4, F12, F20: a broker that lost its disk, offsets set back, a service restored to an hour ago: effects stay one."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from infra.system import System
from shared.events.audits import AcceptanceRecorded
from shared.messaging.kafka import KafkaBus
from shared.messaging.outbox import emit, relay, republish
from shared.messaging.postgres import PostgresBus
from shared.messaging.reconcile import Found, reconcile
from tests.conftest import As, Cluster
from tests.lists import Firm, firm, published_list

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def listed(system: System, as_role: As) -> list[Firm]:
    """Three firms, registered and on a published list; one is overdue and one accepted: every service has effects."""
    province = as_role("provincial_ecology")
    firms = [firm(n) for n in range(1, 4)]
    for one in firms:
        body = {"uscc": one.uscc, "name": one.name, "division": one.division, "industry": "3360"}
        assert province.post("/registry/v1/enterprises", body).status_code == 201
    published_list(system, province, "2026-11-02", *(one.row() for one in firms))
    accept(system, firms[0])
    system.run_until_quiet()
    return firms


def accept(system: System, one: Firm) -> None:
    with system.contexts["audits"].db.begin() as tx:
        emit(tx, AcceptanceRecorded(
            uscc=one.uscc, round=uuid.uuid4(), result="accepted", level="II", accepted_on=date(2026, 11, 10),
            document_no="示例", track="mandatory", division=one.division,
        ))  # fmt: skip


def everything(system: System) -> dict[str, int]:
    """How many rows every table has, but for what the messaging itself keeps."""
    counts: dict[str, int] = {}
    for service in system.services:
        with system.contexts[service.name].db.read() as tx:
            for name in [*service.tables.tables, "inbox"]:
                counts[f"{service.name}.{name}"] = tx.execute(sa.text(f'SELECT count(*) FROM "{name}"')).scalar_one()
    return counts


def test_offsets_set_back_to_zero_have_no_second_effect(system: System, listed: list[Firm]) -> None:
    assert isinstance(system.bus, PostgresBus)
    before = everything(system)
    with system.bus._db.plain() as connection:
        connection.execute("UPDATE group_offset SET position = 0")
    assert not system.quiet
    system.run_until_quiet()
    assert everything(system) == before


def test_a_day_republished_has_no_second_effect(system: System, listed: list[Firm]) -> None:
    before = everything(system)
    again = sum(republish(system.contexts[s.name].db, datetime.now(UTC) - timedelta(days=1)) for s in system.services)
    assert again > 20
    system.run_until_quiet()
    assert everything(system) == before


def test_a_broker_that_lost_its_disk_is_filled_again_from_the_outboxes(system: System, listed: list[Firm]) -> None:
    assert isinstance(system.bus, PostgresBus)
    accept(system, listed[1])
    relay(system.contexts["audits"].db, system.bus)  # on the bus, and nobody has read it when the disk goes
    with system.bus._db.plain() as connection:
        held = connection.execute("SELECT topic || key, value FROM log ORDER BY position").fetchall()
        connection.execute("TRUNCATE log, group_offset")
    for service in system.services:
        republish(system.contexts[service.name].db, LONG_AGO)
    system.run_until_quiet()
    with system.contexts["credit"].db.read() as tx:
        assert tx.execute(sa.text("SELECT count(*) FROM credit_input")).scalar_one() == 2
    with system.bus._db.plain() as connection:
        again = connection.execute("SELECT topic || key, value FROM log ORDER BY position").fetchall()
    for subject in {key for key, _ in held}:
        mine = [value for key, value in again if key == subject]
        assert [v for v in mine if v in [value for _, value in held]] == [v for key, v in held if key == subject]


class Backup:
    """A copy of one service's database, taken now, to be put back later."""

    def __init__(self, cluster: Cluster, system: System, service: str, mark: str) -> None:
        self._cluster, self._system, self._service = cluster, system, service
        self._name, self._kept = f"{service}_{mark}", f"{service}_{mark}_backup"
        self._copied(self._name, self._kept)

    def put_back(self) -> None:
        self._copied(self._kept, self._name)

    def _copied(self, source: str, target: str) -> None:
        self._system.contexts[self._service].db.dispose()
        with psycopg.connect(self._cluster.postgres.admin_url(), autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
            admin.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}" STRATEGY FILE_COPY')

    def drop(self) -> None:
        with psycopg.connect(self._cluster.postgres.admin_url(), autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{self._kept}" WITH (FORCE)')


@pytest.fixture(params=["credit", "incentives", "notifications"])
def backup(
    request: pytest.FixtureRequest, cluster: Cluster, system: System, environment: dict[str, str], listed: list[Firm]
) -> Iterator[tuple[str, Backup]]:
    taken = Backup(cluster, system, request.param, environment["MARK"])
    yield request.param, taken
    taken.drop()


def reconciled(system: System, name: str) -> Found:
    service = next(s for s in system.services if s.name == name)
    assert isinstance(system.bus, PostgresBus)
    return reconcile(service.handlers, system.contexts[name].db, system.bus, LONG_AGO, service.restored)


def outcomes(system: System) -> list[Any]:
    """What a reader of the three services is answered."""
    questions = {
        "credit": "SELECT uscc, kind, occurred_on, source_event FROM credit_input ORDER BY source_event",
        "incentives": "SELECT uscc, code, value->>'round', value->>'stage', value->>'version' FROM fact ORDER BY 1, 2, 3, 4, 5",
        "notifications": "SELECT event_id FROM event_log WHERE type NOT LIKE 'incentives.%' AND type NOT LIKE 'credit.%' ORDER BY seq",
    }
    found = []
    for name, question in questions.items():
        with system.contexts[name].db.read() as tx:
            found.append([tuple(row) for row in tx.execute(sa.text(question))])
    return found


def test_a_service_restored_to_an_hour_ago_hears_again_what_it_lost(
    system: System, listed: list[Firm], backup: tuple[str, Backup]
) -> None:
    name, taken = backup
    accept(system, listed[1])
    accept(system, listed[2])
    system.run_until_quiet()
    before = outcomes(system)
    taken.put_back()
    system.run_until_quiet()
    assert outcomes(system) != before, "the restore lost nothing: the test proves nothing"
    found = reconciled(system, name)
    assert found.unhandled > 0 and found.was_restored
    system.run_until_quiet()
    assert outcomes(system) == before
    assert reconciled(system, name).unhandled == 0


def test_what_a_restored_service_had_told_is_named(
    system: System, listed: list[Firm], cluster: Cluster, environment: dict[str, str], as_role: As
) -> None:
    taken = Backup(cluster, system, "registry", environment["MARK"])
    late = firm(77)
    body = {"uscc": late.uscc, "name": late.name, "division": late.division, "industry": "3360"}
    assert as_role("provincial_ecology").post("/registry/v1/enterprises", body).status_code == 201
    system.run_until_quiet()
    taken.put_back()
    found = reconciled(system, "registry")
    assert [(e.type, e.subject) for e in found.forgotten] == [("registry.enterprise.registered.v1", late.uscc)]
    assert found.unsent == 0
    taken.drop()


def test_an_instance_that_lost_nothing_is_left_alone(system: System, listed: list[Firm]) -> None:
    before = everything(system)
    for service in system.services:
        assert reconciled(system, service.name) == Found()
    system.run_until_quiet()
    assert everything(system) == before


def test_cursors_from_the_lost_future_are_refused(
    system: System, listed: list[Firm], cluster: Cluster, environment: dict[str, str], as_role: As
) -> None:
    taken = Backup(cluster, system, "notifications", environment["MARK"])
    accept(system, listed[1])
    system.run_until_quiet()
    reader = as_role("auditor")
    cursor = reader.get("/notifications/v1/events?after=latest").json()["cursor"]
    taken.put_back()
    reconciled(system, "notifications")
    system.run_until_quiet()
    assert reader.get(f"/notifications/v1/events?after={cursor}").status_code == 422
    taken.drop()


@pytest.mark.kafka
def test_on_kafka_offsets_set_back_and_the_past_read_again(request: pytest.FixtureRequest) -> None:
    import threading

    from tests.fault.test_poison_events import registered

    bus = KafkaBus(request.getfixturevalue("broker").servers)
    bus.prepare()
    sent = [registered(firm(n % 3).uscc, n) for n in range(30)]
    began = datetime.now(UTC) - timedelta(minutes=1)
    bus.publish(sent)

    def consumed(count: int) -> list[bytes]:
        seen: list[bytes] = []
        stop = threading.Event()

        def settle(records: Any) -> None:
            seen.extend(records)
            if len(seen) >= count:
                stop.set()

        bus.consume("f12", ["registry.events"], settle, stop)
        return seen

    first = consumed(30)
    assert bus.lag("f12", ["registry.events"]) == 0
    assert sorted(bus.records(["registry.events"], began, "f12")) == sorted(first)
    assert list(bus.records(["registry.events"], datetime.now(UTC) + timedelta(hours=1))) == []
    bus.rewind("f12", ["registry.events"], began)
    assert bus.lag("f12", ["registry.events"]) == 30
    assert sorted(bus.records(["registry.events"], began, "f12")) == []
    assert sorted(consumed(30)) == sorted(first)
    bus.close()
