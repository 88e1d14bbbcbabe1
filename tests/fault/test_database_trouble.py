"""F6, F7, F8: PostgreSQL in trouble under load: 503 with Retry-After, nothing lost, doubled or set aside, and it heals."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from infra.client import until
from infra.home import SERVICE_NAMES
from infra.parts import SERVICES
from infra.postgres import BUS
from infra.system import System, with_environment
from services.registry.roles import scopes_of
from shared import db as shared_db
from shared.auth import Caller, TokenSigner
from shared.db import unwell
from shared.messaging.outbox import BusUnavailable
from shared.messaging.postgres import PostgresBus
from shared.settings import Settings
from tests.conftest import ISSUER, Api, As, Cluster, running_cluster
from tests.fault.polite import Load, Polite, asked, letters, may_be_repeated, nothing_lost_or_doubled
from tests.lists import firm

Admin = psycopg.Connection[tuple[object, ...]]
DATABASES = (*SERVICE_NAMES, BUS)
END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s) AND backend_type = 'client backend'"
)
# What is raised a few times is counted in a sequence, which no rollback turns back.
RAISING = """
CREATE SEQUENCE felt;
GRANT ALL ON SEQUENCE felt TO PUBLIC;
CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('felt') <= {times} THEN RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'; END IF;
  RETURN NULL;
END $$;
"""
WRITTEN = {"registry": ("idempotency", "outbox"), "credit": ("inbox",), "notifications": ("inbox",), BUS: ("log",)}


@pytest.fixture
def admin(cluster: Cluster) -> Iterator[Admin]:
    with psycopg.connect(cluster.postgres.admin_url(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def polite(as_role: As) -> Polite:
    return Polite(as_role("provincial_ecology"))


def caught_up(system: System, load: Load) -> None:
    until(lambda: system.quiet, 60, "every event to arrive")
    nothing_lost_or_doubled(system, load.firms)


# More often than one delivery is tried, where it is tried again at all.
@pytest.mark.parametrize(
    ("code", "felt"), [("40001", 12), ("40P01", 12), ("53100", 2)], ids=["serialization", "deadlock", "disk full"]
)
def test_what_the_database_refuses_for_a_while_is_done_once(
    system: System, polite: Polite, cluster: Cluster, environment: dict[str, str], code: str, felt: int
) -> None:
    for name, tables in WRITTEN.items():
        times = 12 if name == "registry" else 2 if name == BUS else felt
        with psycopg.connect(cluster.postgres.admin_url(f"{name}_{environment['MARK']}"), autocommit=True) as owner:
            owner.execute(RAISING.format(times=times, code=code))
            for table in tables:
                owner.execute(
                    f"CREATE TRIGGER fails AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION fails()"
                )

    system.run()
    with Load(polite) as load:
        until(lambda: polite.answers[503] >= 12 and polite.answers[201] >= 12, 60, "refusals and successes")
    caught_up(system, load)
    for name in ("credit", "notifications"):
        assert asked(system, name, "SELECT last_value > :felt FROM felt", felt=felt) == [(True,)], name


def test_ended_sessions_and_none_to_be_had(
    system: System, polite: Polite, admin: Admin, environment: dict[str, str]
) -> None:
    names = [f"{name}_{environment['MARK']}" for name in DATABASES]
    system.run()
    with Load(polite) as load:
        until(lambda: admin.execute(END, [names]) and polite.answers[503] >= 5, 60, "a session that ended in use")
        for name in names:
            admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        admin.execute(END, [names])
        refused = polite.answers[503]
        until(lambda: polite.answers[503] >= refused + 12, 60, "refusals")
        for name in names:
            admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
        done = polite.answers[201]
        until(lambda: polite.answers[201] > done + 6, 60, "successes again")
    caught_up(system, load)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shared_db.BOUNDED, "options", "-c lock_timeout=100ms")


def test_a_lock_that_is_not_to_be_had(
    hasty: None, system: System, polite: Polite, cluster: Cluster, environment: dict[str, str]
) -> None:
    def held(name: str, table: str) -> Admin:
        holder = psycopg.connect(cluster.postgres.admin_url(f"{name}_{environment['MARK']}"))
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        return holder

    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    system.run()
    with Load(polite) as load:
        with held("credit", "inbox") as holder:
            until(
                lambda: holder.execute(waits, [f"credit_{environment['MARK']}"]).fetchone() != (0,),
                60,
                "a waiting consumer",
            )
            with held("registry", "enterprise"):
                until(lambda: polite.answers[503] >= 8, 60, "refusals")
        done = polite.answers[201]
        until(lambda: polite.answers[201] > done + 6, 60, "successes again")
    caught_up(system, load)


class Standby:
    """Databases that take no writes, as after a failover; nobody ends our sessions when a successor is there."""

    def __init__(self, admin: Admin, mark: str) -> None:
        self._admin, self._mark = admin, mark

    def becomes(self, name: str) -> None:
        self._admin.execute(f'ALTER DATABASE "{name}_{self._mark}" SET default_transaction_read_only = on')
        self._admin.execute(END, [[f"{name}_{self._mark}"]])

    def promoted(self, name: str) -> None:
        self._admin.execute(f'ALTER DATABASE "{name}_{self._mark}" SET default_transaction_read_only = off')


@pytest.fixture
def standby(admin: Admin, environment: dict[str, str]) -> Standby:
    return Standby(admin, environment["MARK"])


def runs_to_the_end(system: System) -> bool:
    try:
        system.run_until_quiet()
    except (BusUnavailable, sa.exc.DBAPIError, psycopg.Error):
        return False
    return system.quiet


@pytest.mark.parametrize("name", ["credit", BUS])
def test_a_server_that_takes_no_writes_stops_who_reads_and_sets_nothing_aside(
    system: System, polite: Polite, standby: Standby, name: str
) -> None:
    firms = [firm(1), firm(2)]
    polite.registers_all(firms[:1])
    system.run_until_quiet()
    polite.registers_all(firms[1:])
    standby.becomes(name)
    for _ in range(4):  # the first failures are those of the sessions that ended
        with pytest.raises((BusUnavailable, sa.exc.DBAPIError, psycopg.Error)) as failed:
            system.run_until_quiet()
        assert isinstance(failed.value, BusUnavailable) or unwell(failed.value)
    assert "read-only" in str(failed.value)
    assert (letters(system), system.quiet) == ({}, False)
    standby.promoted(name)
    until(lambda: runs_to_the_end(system), 10, "the pool to be rid of the standby's sessions")
    nothing_lost_or_doubled(system, firms)


def test_a_server_that_takes_no_writes_is_a_503_for_writers_and_readers_go_on(
    system: System, polite: Polite, standby: Standby, as_role: As
) -> None:
    first, second = firms = [firm(1), firm(2)]
    polite.registers_all([first])
    standby.becomes("registry")
    for _ in range(4):
        may_be_repeated(polite.asks(second))
    province = as_role("provincial_ecology")
    assert province.get(f"/registry/v1/enterprises/{first.uscc}").status_code == 200
    change = {"name": "改名"}, {"If-Match": '"1"'}
    may_be_repeated(province.patch(f"/registry/v1/enterprises/{first.uscc}", change[0], headers=change[1]))
    standby.promoted("registry")
    polite.asks(second)  # may still meet a session of the standby, which it ends
    assert polite.asks(second).status_code == 201
    system.run_until_quiet()
    nothing_lost_or_doubled(system, firms)


@pytest.fixture
def lasting() -> Iterator[Cluster]:
    """A PostgreSQL to crash: what it has committed outlives it."""
    with running_cluster() as own:
        own.postgres.stop()
        own.postgres._durable = True
        own.postgres.start()
        yield own


def test_postgres_crashes_mid_journey(lasting: Cluster) -> None:
    with with_environment(lasting.environment), serving(System(SERVICES, Settings()), lasting) as (system, polite):
        system.run()
        with Load(polite) as load:
            until(lambda: polite.answers[201] >= 6, 60, "successes")
            lasting.postgres.stop(crash=True)
            refused = polite.answers[503]
            until(lambda: polite.answers[503] >= refused + 12, 60, "refusals")
            lasting.postgres.start()
            done = polite.answers[201]
            until(lambda: polite.answers[201] > done + 6, 60, "successes again")
        caught_up(system, load)


@contextmanager
def serving(system: System, cluster: Cluster) -> Iterator[tuple[System, Polite]]:
    signer = TokenSigner.from_file(cluster.home.secrets / "token_key.pem", ISSUER)
    province = Caller("province", "provincial_ecology", "省", "43", "", scopes_of("provincial_ecology"))
    try:
        with TestClient(system.edge, raise_server_exceptions=False) as client:
            yield system, Polite(Api(client, signer.issue(province, time.time())))
    finally:
        system.stop()
        assert isinstance(system.bus, PostgresBus)
        system.bus._db.dispose()
