"""A database that was restored to an earlier state, against the bus that was not: what differs, and mending it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from pydantic import ValidationError
from sqlmodel import Session

from shared.db import Database, notify
from shared.events import Envelope, topic_of
from shared.messaging.inbox import Handlers

Restored = Callable[[Session], None]


class KeptLog(Protocol):
    """What reconciling needs of a bus: everything since an instant, and to turn a group back."""

    def records(self, topics: list[str], since: datetime, group: str = "") -> Iterable[bytes]: ...

    def rewind(self, group: str, topics: list[str], since: datetime) -> None: ...


@dataclass(frozen=True)
class Found:
    """How a database and the bus differ.

    `forgotten`: events that this service told and no longer knows: others have acted on them, and only people can
    say again what they rested on. `unhandled`: how many events the service had settled and has no trace of; they
    come again. `unsent`: how many the outbox holds as published and the bus does not have; they leave again.
    """

    forgotten: list[Envelope] = field(default_factory=list)
    unhandled: int = 0
    unsent: int = 0

    @property
    def was_restored(self) -> bool:
        return bool(self.forgotten or self.unhandled)


def reconcile(
    handlers: Handlers, db: Database, bus: KeptLog, since: datetime, restored: Restored | None = None
) -> Found:
    """Find what differs since an instant, and mend what can be: again does no harm.

    `restored` is what the service itself must do when it has lost a part of its history.
    """
    service, topics = handlers.service, handlers.topics
    told = {str(e.id): e for e in _envelopes(bus.records([topic_of(service)], since)) if e.source == service}
    settled = list(_envelopes(bus.records(topics, since, service))) if topics else []
    with db.begin() as tx:
        known = set(tx.execute(sa.text("SELECT envelope->>'id' FROM outbox")).scalars())
        unsent = _resent(tx, since, set(told))
        found = Found([e for key, e in told.items() if key not in known], _unhandled(tx, handlers, settled), unsent)
        if found.was_restored and restored is not None:
            restored(tx)
    if found.unhandled:
        bus.rewind(service, topics, since)
    return found


def _envelopes(records: Iterable[bytes]) -> Iterable[Envelope]:
    for record in records:
        try:
            yield Envelope.model_validate_json(record)
        except ValidationError:
            continue


def _resent(tx: Session, since: datetime, on_bus: set[str]) -> int:
    unmark = sa.text(
        "UPDATE outbox SET published_at = NULL WHERE published_at >= :since AND NOT envelope->>'id' = ANY(:on_bus)"
    )
    done = tx.execute(unmark, {"since": since, "on_bus": list(on_bus)})
    notify(tx, "outbox")
    return int(done.rowcount)  # type: ignore[attr-defined]


def _unhandled(tx: Session, handlers: Handlers, settled: Iterable[Envelope]) -> int:
    wanted = {(name, str(e.id)) for e in settled for name, _ in handlers.steps(e)}
    events = list({event for _, event in wanted})
    inbox = sa.text("SELECT handler, event_id FROM inbox WHERE event_id = ANY(CAST(:events AS uuid[]))")
    done = {(row.handler, str(row.event_id)) for row in tx.execute(inbox, {"events": events})}
    letters = sa.text("SELECT event_id FROM dead_letter WHERE event_id = ANY(CAST(:events AS uuid[]))")
    aside = {str(row.event_id) for row in tx.execute(letters, {"events": events})}
    return len({event for name, event in wanted - done if event not in aside})
