"""F14: who is slow delays neither the writers nor the other readers; the metrics show it, and it catches up in order."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from infra.client import until
from infra.postgres import BUS
from infra.system import System
from tests.conftest import Api, As, Cluster
from tests.fault.polite import Polite, asked, letters, nothing_lost_or_doubled
from tests.lists import firm

# Every event that credit handles waits at a gate, and what it then does is noted in the order in which it is done.
GATE = """
CREATE TABLE seen (n bigint GENERATED ALWAYS AS IDENTITY, uscc text, version int);
GRANT ALL ON seen TO PUBLIC;
CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN NEW; END $$;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO seen (uscc, version) VALUES (NEW.uscc, NEW.version); RETURN NULL; END $$;
CREATE TRIGGER gate BEFORE INSERT ON inbox FOR EACH STATEMENT EXECUTE FUNCTION wait_at_gate();
CREATE TRIGGER note AFTER INSERT OR UPDATE ON enterprise_copy FOR EACH ROW EXECUTE FUNCTION note();
"""


@contextmanager
def closed(url: str) -> Iterator[None]:
    """The gate, while somebody stands in it."""
    with psycopg.connect(url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(77)")
        yield


def shown(nobody: Api, metric: str, service: str) -> float:
    page = nobody.get("/metrics").text
    found = re.search(rf'^{metric}{{service="{service}"}} (\S+)$', page, re.M)
    assert found is not None, page[:2000]
    return float(found[1])


@pytest.fixture
def polite(as_role: As) -> Polite:
    return Polite(as_role("provincial_ecology"))


def test_a_slow_consumer_delays_nobody_is_seen_and_catches_up_in_order(
    system: System, polite: Polite, as_role: As, nobody: Api, cluster: Cluster, environment: dict[str, str]
) -> None:
    url = cluster.postgres.admin_url(f"credit_{environment['MARK']}")
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(GATE)
    province, firms = as_role("provincial_ecology"), [firm(n) for n in range(1, 13)]
    told = 4 * len(firms)
    system.run()
    with closed(url):
        polite.registers_all(firms)
        for version in range(1, 4):
            for one in firms:
                path, match = f"/registry/v1/enterprises/{one.uscc}", {"If-Match": f'"{version}"'}
                answer = province.patch(path, {"name": f"{one.name}{version}"}, headers=match)
                assert answer.status_code == 200, answer.text
        for service in ("audits", "incentives", "notifications"):
            until(lambda name=service: shown(nobody, "consumer_lag", name) == 0, 30, f"{service} to have read all")  # type: ignore[misc]
        assert asked(system, "audits", "SELECT count(*), min(version) FROM enterprise_copy") == [(12, 4)]
        assert shown(nobody, "consumer_lag", "credit") == told
        assert shown(nobody, "outbox_pending", "registry") == 0, "the relay does not wait for a reader"
        assert asked(system, "credit", "SELECT 1 FROM enterprise_copy") == []
    assert polite.answers == {201: len(firms)}
    until(lambda: shown(nobody, "consumer_lag", "credit") == 0, 30, "the slow one")
    for one in firms:
        mine = asked(system, "credit", "SELECT version FROM seen WHERE uscc = :uscc ORDER BY n", uscc=one.uscc)
        assert mine == [(1,), (2,), (3,), (4,)]
    assert letters(system) == {}


def test_a_slow_bus_delays_no_writer_and_the_outbox_shows_it(
    system: System, polite: Polite, nobody: Api, cluster: Cluster, environment: dict[str, str]
) -> None:
    firms = [firm(n) for n in range(1, 31)]
    system.run()
    with psycopg.connect(cluster.postgres.admin_url(f"{BUS}_{environment['MARK']}")) as holder:
        holder.execute("LOCK TABLE log IN EXCLUSIVE MODE")
        polite.registers_all(firms)
        assert shown(nobody, "outbox_pending", "registry") == len(firms)
        assert shown(nobody, "outbox_oldest_seconds", "registry") > 0
    assert polite.answers == {201: len(firms)}
    until(lambda: system.quiet, 30, "every event to arrive")
    assert [shown(nobody, name, "registry") for name in ("outbox_pending", "outbox_oldest_seconds")] == [0, 0]
    nothing_lost_or_doubled(system, firms)
