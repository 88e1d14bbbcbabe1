"""One database and one bus for the tests of this folder, emptied before each."""

from collections.abc import Iterator

import psycopg
import pytest

from shared.db import Database
from shared.messaging.postgres import PostgresBus
from tests.conftest import Cluster

EFFECT = """
CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, handler text, subject text, n int);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
GRANT ALL ON effect, parent, child TO "credit_app";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "credit_app";
"""
EMPTY = "TRUNCATE effect, parent, child, outbox, inbox, dead_letter, job, idempotency RESTART IDENTITY"


@pytest.fixture(scope="session")
def _copy(cluster: Cluster) -> Iterator[dict[str, str]]:
    found = cluster.copy()
    with psycopg.connect(found["CREDIT_OWNER_URL"], autocommit=True) as owner:
        owner.execute(EFFECT)
    yield found
    cluster.drop(found["MARK"])


@pytest.fixture
def urls(_copy: dict[str, str]) -> dict[str, str]:
    """The addresses of the databases, now empty."""
    with psycopg.connect(_copy["CREDIT_OWNER_URL"], autocommit=True) as owner:
        owner.execute(EMPTY)
    return _copy


@pytest.fixture
def db(urls: dict[str, str]) -> Iterator[Database]:
    """The credit service's database, as the application."""
    found = Database(urls["CREDIT_DATABASE_URL"])
    yield found
    found.dispose()


@pytest.fixture
def owner(urls: dict[str, str]) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The owner of the credit service's database, in autocommit."""
    with psycopg.connect(urls["CREDIT_OWNER_URL"], autocommit=True) as connection:
        yield connection


@pytest.fixture
def admin(cluster: Cluster) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(cluster.postgres.admin_url(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def bus_db(urls: dict[str, str]) -> Iterator[Database]:
    found = Database(urls["BUS_DATABASE_URL"])
    yield found
    found.dispose()


@pytest.fixture
def bus(bus_db: Database) -> PostgresBus:
    """The embedded bus with an empty log."""
    bus = PostgresBus(bus_db)
    bus.prepare()
    with bus_db.connection() as connection:
        connection.execute("DELETE FROM log")
        connection.execute("DELETE FROM group_offset")
    return bus
