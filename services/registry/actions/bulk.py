"""Many enterprises at once: rows, versions and events by COPY, in the transaction of the import."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlmodel import Session

from services.registry.models import Enterprise
from services.registry.models.enterprises import STATE
from shared.clock import utc_now
from shared.db import notify
from shared.events import Event
from shared.events.registry import EnterpriseChanged, EnterpriseRegistered
from shared.tracing import causation_id, correlation_id, traceparent

_HEAD = ("uscc", *STATE, "version", "valid_from", "recorded_at")
_VERSION = (*_HEAD, "recorded_by")


Said = Mapping[str, Any]  # a row of `enterprise` by column; plain, for a table class costs more than the COPY itself


def add_many(tx: Session, enterprises: Sequence[Said], client: str) -> None:
    """Put new enterprises in the register, each with its first version and its event."""
    _copy(tx, "enterprise", _HEAD, enterprises)
    _copy(tx, "enterprise_version", _VERSION, (row | {"recorded_by": client} for row in map(dict, enterprises)))
    emit_all(tx, [EnterpriseRegistered.model_validate(row) for row in enterprises])


def change_many(tx: Session, enterprises: Sequence[Said], client: str) -> None:
    """Write enterprises that already carry their next version and its first day, with the version and the event."""
    if not enterprises:
        return
    table = Enterprise.metadata.tables["enterprise"]
    news: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in _HEAD if name != "uscc"}
    statement = sa.update(table).where(table.c.uscc == sa.bindparam("new_uscc")).values(news)
    tx.connection().execute(statement, [{f"new_{name}": row[name] for name in _HEAD} for row in enterprises])
    _copy(tx, "enterprise_version", _VERSION, (row | {"recorded_by": client} for row in map(dict, enterprises)))
    emit_all(tx, [EnterpriseChanged.model_validate(row) for row in enterprises])


def emit_all(tx: Session, events: Sequence[Event]) -> None:
    """As `emit`, for many events of one moment: one COPY into the outbox."""
    if not events:
        return
    common = {
        "time": utc_now().isoformat(),
        "correlation_id": correlation_id.get(),
        "traceparent": traceparent.get(),
        "causation_id": str(found) if (found := causation_id.get()) is not None else None,
    }
    tail = json.dumps(common)[1:]
    _copy(tx, "outbox", ("envelope",), ({"envelope": _envelope(event, tail)} for event in events))
    notify(tx, "outbox")


def _envelope(event: Event, tail: str) -> str:
    """The envelope's JSON; put together as text, for there may be twenty thousand."""
    own = {"id": str(uuid4()), "type": event.type, "source": event.type.split(".")[0], "subject": event.subject}
    return f'{json.dumps(own)[:-1]}, "data": {event.model_dump_json()}, {tail}'


def _copy(tx: Session, table: str, names: Sequence[str], rows: Iterable[Said]) -> None:
    tx.flush()
    driver = tx.connection().connection.driver_connection
    assert driver is not None, "the session has a connection"
    columns = ", ".join(names)
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:  # fixed names
        for row in rows:
            copy.write_row([row[name] for name in names])
