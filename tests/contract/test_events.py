"""Shapes are frozen; every example goes through every handler, twice."""

import json
from pathlib import Path

import pytest

from infra import contracts
from infra.parts import SERVICES
from infra.system import System
from shared.events import Audience, Envelope, load_catalogue
from shared.messaging.inbox import deliver
from shared.messaging.tables import DeadLetter, InboxRow

CATALOGUE = load_catalogue()
FROZEN = contracts.frozen()


@pytest.mark.parametrize("path", sorted(FROZEN), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_the_contract_is_the_one_that_was_published(path: Path) -> None:
    assert path.exists(), "run `make schemas`, and read the diff"
    assert FROZEN[path] == path.read_text(encoding="utf-8"), "run `make schemas`, and read the diff"


def test_no_frozen_file_is_left_over() -> None:
    files = {p for folder in ("schemas", "examples", "openapi") for p in (contracts.FOLDER / folder).glob("*.json")}
    assert files == set(FROZEN)


def test_every_handler_accepts_every_example_twice_with_one_effect(system: System) -> None:
    for type_name in sorted(CATALOGUE):
        envelope = Envelope.model_validate_json(contracts.example_of(CATALOGUE[type_name]))
        for service in SERVICES:
            db = system.contexts[service.name].db
            deliver([envelope], service.handlers, db)
            with db.read() as tx:
                first = len(tx.exec(_inbox()).all())
            deliver([envelope, envelope], service.handlers, db)
            with db.read() as tx:
                assert len(tx.exec(_inbox()).all()) == first
                assert not tx.exec(_letters()).all()


@pytest.mark.parametrize("type_name", sorted(CATALOGUE))
def test_what_is_internal_never_leaves(type_name: str) -> None:
    envelope = Envelope.model_validate_json(contracts.example_of(CATALOGUE[type_name]))
    shown = json.loads(envelope.cloud_event())
    assert not set(shown["data"]) & CATALOGUE[type_name].internal_fields()
    assert shown["specversion"] == "1.0" and shown["id"] == str(envelope.id) and "." not in shown["id"]
    assert envelope.cloud_event() == envelope.cloud_event()


@pytest.mark.parametrize("type_name", sorted(CATALOGUE))
def test_a_field_of_a_newer_producer_stays_inside(type_name: str) -> None:
    envelope = Envelope.model_validate_json(contracts.example_of(CATALOGUE[type_name]))
    newer = envelope.model_copy(update={"data": envelope.data | {"declared_internal_there": "and not known here"}})
    assert newer.cloud_event() == envelope.cloud_event()


FOR_OPERATORS = {"notifications.subscription.disabled.v1"}  # read on the bus by whoever runs the platform


def test_every_event_has_an_outside_audience_or_a_handler() -> None:
    handled = {t for service in SERVICES for t in service.handlers._steps} | FOR_OPERATORS
    idle = [t for t, kind in CATALOGUE.items() if kind.audience is Audience.INTERNAL and t not in handled]
    assert idle == []


def _inbox():  # type: ignore[no-untyped-def]
    from sqlmodel import select

    return select(InboxRow)


def _letters():  # type: ignore[no-untyped-def]
    from sqlmodel import select

    return select(DeadLetter)
