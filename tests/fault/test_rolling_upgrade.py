"""F18: old and new code side by side, on a database that the newer has migrated and with one another's events."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from alembic import command
from pydantic import Field, create_model
from sqlmodel import Session

from infra import contracts
from infra.client import until
from infra.parts import SERVICES
from infra.system import System
from shared.events import CATALOGUE, Envelope, Event, load_catalogue
from shared.messaging.inbox import Handlers, Settler
from shared.messaging.postgres import PostgresBus
from shared.messaging.reconcile import reconcile
from shared.migrations import configure, head_of, revision_of, upgrade
from shared.settings import DatabaseUrls
from tests.conftest import Api, As
from tests.fault.polite import Load, Polite, asked, letters, nothing_lost_or_doubled

BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
DREAMT = "registry.enterprise.dreamt.v1"


def examples() -> dict[str, dict[str, Any]]:
    """An event of each type as it stands on the bus, with an id of its own."""
    found = {name: json.loads(contracts.example_of(kind)) for name, kind in sorted(load_catalogue().items())}
    return {name: document | {"id": str(uuid.uuid4())} for name, document in found.items()}


def by_a_newer_producer(document: dict[str, Any]) -> dict[str, Any]:
    """With fields that this code does not know, in the envelope, in the data, and in what lies inside the data."""
    newer = {"newer": {"nested": [1, None]}, "neuer": "新"}
    inside = {name: value | newer if isinstance(value, dict) else value for name, value in document["data"].items()}
    return document | newer | {"data": inside | newer}


def by_an_older_producer(document: dict[str, Any]) -> dict[str, Any]:
    """Without everything that the type does not ask for."""
    fields = CATALOGUE[document["type"]].model_fields
    told = {name: value for name, value in document["data"].items() if fields[name].is_required()}
    bare = {name: value for name, value in document.items() if name not in ("traceparent", "causation_id")}
    return bare | {"data": told}


def tell(system: System, *documents: dict[str, Any]) -> None:
    assert isinstance(system.bus, PostgresBus)
    with system.bus._db.plain() as connection:
        for document in documents:
            told = [f"{document['source']}.events", document["subject"], json.dumps(document).encode()]
            connection.execute("INSERT INTO log (topic, key, value) VALUES (%s, %s, %s)", told)


@pytest.mark.parametrize("producer", [by_a_newer_producer, by_an_older_producer])
def test_a_worker_reads_what_another_release_tells(system: System, producer: Any) -> None:
    documents = {name: producer(document) for name, document in examples().items()}
    tell(system, *documents.values())
    system.run_until_quiet()
    assert letters(system) == {}
    for service in system.services:
        reads = {d["id"] for d in documents.values() if service.handlers.steps(Envelope.model_validate(d))}
        assert {str(event) for (event,) in asked(system, service.name, "SELECT event_id FROM inbox")} >= reads
    outside = {d["id"] for name, d in documents.items() if CATALOGUE[name].audience != "internal"}
    shown = dict(asked(system, "notifications", "SELECT event_id::text, convert_from(body, 'UTF8') FROM event_log"))
    assert outside <= shown.keys()
    assert not any("neuer" in json.loads(body)["data"] for body in shown.values())


@pytest.fixture
def dreamt() -> Iterator[type[Event]]:
    """A type that only the newer release knows."""
    yield create_model(
        "Dreamt", __base__=Event, __cls_kwargs__={"type": DREAMT, "subject": "uscc"}, uscc=(str, Field(...))
    )
    CATALOGUE.pop(DREAMT, None)


def test_what_an_older_worker_passed_over_comes_again_when_its_release_knows_it(
    system: System, request: pytest.FixtureRequest
) -> None:
    assert isinstance(system.bus, PostgresBus)
    document = examples()["registry.enterprise.registered.v1"] | {"type": DREAMT, "id": str(uuid.uuid4())}
    tell(system, document, examples()["registry.enterprise.registered.v1"])
    system.run_until_quiet()
    db, old, heard = system.contexts["credit"].db, next(s for s in SERVICES if s.name == "credit").handlers, []
    assert letters(system) == {}
    assert asked(system, "credit", "SELECT 1 FROM inbox WHERE event_id = :id", id=document["id"]) == []
    kind = request.getfixturevalue("dreamt")
    new = Handlers("credit", _steps=dict(old._steps), _every=list(old._every))

    @new.on(kind)
    def note_dream(event: Event, tx: Session) -> None:
        heard.append(event.subject)

    assert reconcile(new, db, system.bus, BEGAN).unhandled == 1
    while system.bus.poll("credit", new.topics, Settler(new, db).settle):
        pass
    assert heard == [document["subject"]]


NEWER = """
ALTER TABLE enterprise ADD COLUMN newer text;
ALTER TABLE outbox ADD COLUMN newer jsonb NOT NULL DEFAULT '{}';
ALTER TABLE inbox ADD COLUMN newer timestamptz;
CREATE TABLE of_the_newer_release (id int PRIMARY KEY);
UPDATE alembic_version SET version_num = '9001';
"""


@pytest.fixture
def polite(as_role: As) -> Polite:
    return Polite(as_role("provincial_ecology"))


def test_the_older_release_serves_on_while_and_after_the_newer_migrates(
    system: System, polite: Polite, nobody: Api
) -> None:
    system.run()
    with Load(polite) as load:
        until(lambda: polite.answers[201] >= 6, 60, "successes")
        with psycopg.connect(DatabaseUrls.of("registry").owner_url) as owner:
            owner.execute(NEWER.encode())
        done = polite.answers[201]
        until(lambda: polite.answers[201] > done + 12, 60, "successes after it")
    assert set(polite.answers) <= {201, 503}
    until(lambda: system.quiet, 60, "every event to arrive")
    nothing_lost_or_doubled(system, load.firms)
    ready = nobody.get("/readyz")
    assert (ready.status_code, ready.json()["services"]["registry"]["migrations"]) == (200, "ok")


def test_a_replica_of_the_older_release_starts_on_the_newer_database(environment: dict[str, str]) -> None:
    """Its one-shot migration, as the composition orders it, leaves the database as it is."""
    with psycopg.connect(DatabaseUrls.of("registry").owner_url, autocommit=True) as owner:
        owner.execute(NEWER.encode())
        done = subprocess.run(
            [sys.executable, "-m", "services.registry", "migrate"], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert owner.execute("SELECT version_num FROM alembic_version").fetchone() == ("9001",)


def test_the_newer_release_is_not_ready_before_the_migration_and_is_after_it(
    system: System, polite: Polite, nobody: Api
) -> None:
    """No restart in between, and what it could not settle meanwhile is not set aside."""
    for service in SERVICES:
        command.downgrade(configure(service, DatabaseUrls.of(service.name).owner_url), "-1")
    system.run()
    with Load(polite) as load:
        until(lambda: polite.answers[201] >= 6, 60, "successes")
        ready = nobody.get("/readyz")
        assert (ready.status_code, ready.json()["services"]["credit"]["migrations"]) == (503, "behind")
        for service in SERVICES:
            upgrade(service, DatabaseUrls.of(service.name).owner_url, f"{service.name}_app")
            assert revision_of(system.contexts[service.name].db) == head_of(service)
    until(lambda: system.quiet, 60, "every event to arrive")
    nothing_lost_or_doubled(system, load.firms)
    assert nobody.get("/readyz").status_code == 200
