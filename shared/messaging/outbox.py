"""The outbox: events leave with the transaction that made them true, and the relay takes them to the bus."""

import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

import sqlalchemy as sa
import structlog
from sqlmodel import Session, col

from shared import metrics
from shared.crashpoints import crash_point
from shared.db import Database, Wakeup, notify
from shared.events import Envelope, Event
from shared.messaging.tables import OutboxRow
from shared.tracing import causation_id, correlation_id, traceparent

log = structlog.get_logger("relay")

RELAY_LOCK = 4301
KEEP_PUBLISHED_DAYS = 30


_PENDING = "SELECT position, envelope FROM outbox WHERE published_at IS NULL ORDER BY position LIMIT %s"
_MARK = "UPDATE outbox SET published_at = clock_timestamp() WHERE position = ANY(%s)"


class Publisher(Protocol):
    """What the relay needs of a bus: after `publish` returns, the bus holds every envelope durably."""

    def publish(self, envelopes: Sequence[Envelope]) -> None: ...


def emit(tx: Session, event: Event) -> Envelope:
    """Record that `event` happened, atomically with everything else in this transaction."""
    envelope = Envelope(
        id=uuid4(),
        type=event.type,
        source=event.type.split(".")[0],
        subject=event.subject,
        time=datetime.now(UTC),
        correlation_id=correlation_id.get(),
        traceparent=traceparent.get(),
        causation_id=causation_id.get(),
        data=event.model_dump(mode="json"),
    )
    tx.add(OutboxRow(envelope=envelope.model_dump(mode="json")))
    notify(tx, "outbox")
    return envelope


def relay(db: Database, bus: Publisher, batch: int = 500) -> int:
    """Publish what is pending, in order, and mark it. One relay per service, or the order is lost.

    We look for unpublished rows rather than remembering a position: a slow transaction may commit a low
    position after a higher one has gone. Stopping between publish and mark publishes twice, which inboxes
    absorb. No transaction is open while we wait for the bus.
    """
    with db.plain() as connection:
        rows = connection.execute(_PENDING, [batch]).fetchall()
    if not rows:
        return 0
    crash_point("relay.before_publish")
    bus.publish([Envelope.model_validate(envelope) for _, envelope in rows])
    crash_point("relay.after_publish")
    with db.plain() as connection:
        connection.execute(_MARK, [[position for position, _ in rows]])
    crash_point("relay.after_mark")
    return len(rows)


def pending(db: Database) -> tuple[int, float]:
    """How many events wait for the bus, and how many seconds the oldest has waited."""
    statement = sa.select(sa.func.count(), sa.func.min(OutboxRow.written_at)).where(
        col(OutboxRow.published_at).is_(None)
    )
    with db.read() as tx:
        count, oldest = tx.execute(statement).one()
    return count, (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0


def republish(db: Database, since: datetime) -> int:
    """Let the relay send once more what it has sent since an instant, in order: for a broker that lost its disk.

    Inboxes absorb what comes twice.
    """
    with db.begin() as tx:
        unmark = sa.text("UPDATE outbox SET published_at = NULL WHERE published_at >= :since")
        done = tx.execute(unmark, {"since": since})
        notify(tx, "outbox")
    return int(done.rowcount)  # type: ignore[attr-defined]


def prune(db: Database) -> None:
    """Forget published rows after thirty days; until then a lost broker can be refilled from here."""
    old = sa.text("DELETE FROM outbox WHERE published_at < now() - make_interval(days => :days)")
    with db.begin() as tx:
        tx.execute(old, {"days": KEEP_PUBLISHED_DAYS})


def run_relay(service: str, db: Database, bus: Publisher, stop: threading.Event) -> None:
    """Relay until stopped, woken by NOTIFY; only the holder of the advisory lock relays, the others stand by."""
    with closing(db.connection()) as leader:
        while not stop.is_set():
            row = leader.execute("SELECT pg_try_advisory_lock(%s)", (RELAY_LOCK,)).fetchone()
            if row and row[0]:
                break
            stop.wait(0.5)
        with closing(Wakeup(db, "outbox")) as wakeup:
            while not stop.is_set():
                leader.execute("SELECT 1")  # a lost connection is a lost lock: fail, and be started again
                if not _relay_once(service, db, bus, stop):
                    wakeup.wait(5.0, stop)


def _relay_once(service: str, db: Database, bus: Publisher, stop: threading.Event) -> int:
    try:
        published = relay(db, bus)
    except BusUnavailable as error:
        log.warning("relay.bus_unavailable", service=service, error=str(error))
        metrics.RELAY_FAILURES.labels(service).inc()
        stop.wait(0.5)
        return 1
    metrics.RELAYED.labels(service).inc(published)
    return published


class BusUnavailable(Exception):
    """The bus cannot take events now; they stay in the outbox."""
