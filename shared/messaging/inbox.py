"""The inbox: every handler has its effect once per event, and a poisoned subject is set aside without losing order."""

import base64
import json
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
import structlog
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from shared import metrics
from shared.crashpoints import crash_point
from shared.db import Database, crowded, driver, unwell
from shared.events import CATALOGUE, Envelope, Event
from shared.messaging.tables import DeadLetter
from shared.tracing import caused_by

log = structlog.get_logger("inbox")

E = TypeVar("E", bound=Event)
Step = Callable[[Envelope, Session], None]
WAITS = (0.05, 0.5, 2.0)
TOO_MANY_SET_ASIDE = 20
CROWDED_TRIES = 10


_CLAIM = (
    "INSERT INTO inbox (handler, event_id) SELECT handler, event_id"
    " FROM unnest(%s::text[], %s::uuid[]) AS given (handler, event_id)"
    " ORDER BY event_id, handler"  # one order for all, so that two consumers do not deadlock
    " ON CONFLICT DO NOTHING RETURNING handler, event_id"
)
_PARKED = "SELECT DISTINCT subject FROM dead_letter WHERE event_id IS NOT NULL AND subject = ANY(%s)"


@dataclass
class Handlers:
    """A service's reactions, by event type; a handler's name is stored, so renaming one is a migration."""

    service: str
    _steps: dict[str, list[tuple[str, Step]]] = field(default_factory=dict)
    _every: list[tuple[str, Step]] = field(default_factory=list)

    def on(self, kind: type[E]) -> Callable[[Callable[[E, Session], None]], Callable[[E, Session], None]]:
        """React to one type: the function gets the opened event and the transaction."""

        def register(function: Callable[[E, Session], None]) -> Callable[[E, Session], None]:
            def step(envelope: Envelope, tx: Session) -> None:
                function(kind.model_validate(envelope.data), tx)

            self._steps.setdefault(kind.type, []).append((function.__name__, step))
            return function

        return register

    def on_every_event(self, function: Step) -> Step:
        """React to everything: the function gets the envelope and the transaction."""
        self._every.append((function.__name__, function))
        return function

    def steps(self, envelope: Envelope) -> list[tuple[str, Step]]:
        return [*self._steps.get(envelope.type, []), *(self._every if envelope.type in CATALOGUE else [])]

    @property
    def types(self) -> set[str]:
        return set(CATALOGUE) if self._every else set(self._steps)

    @property
    def topics(self) -> list[str]:
        return sorted({f"{type.split('.')[0]}.events" for type in self.types})


def deliver(envelopes: Sequence[Envelope], handlers: Handlers, db: Database) -> None:
    """Run every handler of every event once, in order, in one transaction. After a failure, call it again."""
    work = [(e, name, step) for e in envelopes for name, step in handlers.steps(e)]
    if not work:
        return
    with db.begin() as tx:
        fresh = _first_time(tx, [(name, e) for e, name, _ in work])
        for envelope, name, step in work:
            if (name, str(envelope.id)) in fresh:
                fresh.discard((name, str(envelope.id)))
                with caused_by(envelope.correlation_id, envelope.traceparent, envelope.id):
                    step(envelope, tx)
        tx.flush()
        crash_point("consumer.in_handler")


def _first_time(tx: Session, pairs: Sequence[tuple[str, Envelope]]) -> set[tuple[str, str]]:
    """Claim (handler, event) pairs; a concurrent duplicate waits here until the first one has ended."""
    names, events = [name for name, _ in pairs], [e.id for _, e in pairs]
    return {(name, str(event)) for name, event in driver(tx).execute(_CLAIM, [names, events])}


@dataclass
class Settler:
    """Settles records of one consumer: handled, duplicate, not ours, or set aside. Then the offset may move."""

    handlers: Handlers
    db: Database
    stop: threading.Event = field(default_factory=threading.Event)
    waits: tuple[float, ...] = WAITS
    _in_a_row: set[str] = field(default_factory=set)

    def settle(self, records: Sequence[bytes]) -> None:
        """Settle a batch in one transaction; where that fails, one by one."""
        envelopes = [e for e in (self._read(record) for record in records) if e is not None]
        parked = self._parked({e.subject for e in envelopes if self.handlers.steps(e)})
        if not parked:
            try:
                return self._deliver(envelopes)
            except Exception as error:
                if unwell(error):
                    raise
                log.info("inbox.batch_failed", service=self.handlers.service, error=repr(error)[:500])
        for envelope in envelopes:
            self._settle_one(envelope)
        return None

    def give_up(self, record: bytes, reason: str) -> None:
        """Set a record aside without trying it."""
        envelope = self._read(record)
        if envelope is not None:
            self._set_aside(envelope, reason)

    def _settle_one(self, envelope: Envelope) -> None:
        if self.handlers.steps(envelope) and self._parked({envelope.subject}):
            return self._set_aside(envelope, "an earlier event of this subject is set aside")
        for wait in (*self.waits, None):
            try:
                return self._deliver([envelope])
            except Exception as error:
                if unwell(error):
                    raise  # our own database is unwell: stop, rather than set every event aside
                log.exception("inbox.handler_failed", type=envelope.type, event_id=str(envelope.id))
                if wait is None:
                    return self._set_aside(envelope, _reason(error))
                if self.stop.wait(wait):
                    raise  # stopping is no reason to give up on an event: it comes again
        return None

    def _deliver(self, envelopes: Sequence[Envelope]) -> None:
        """Deliver; where the database asks to try again (a deadlock), do so, up to a limit."""
        for left in reversed(range(CROWDED_TRIES)):
            try:
                deliver(envelopes, self.handlers, self.db)
                break
            except (DBAPIError, psycopg.Error) as error:
                if not crowded(error) or not left or self.stop.wait(random.uniform(0.0, 0.1)):  # noqa: S311
                    raise
        if any(self.handlers.steps(envelope) for envelope in envelopes):
            self._in_a_row.clear()

    def _parked(self, subjects: set[str]) -> set[str]:
        if not subjects:
            return set()
        with self.db.plain() as connection:
            return {subject for (subject,) in connection.execute(_PARKED, [list(subjects)])}

    def _read(self, record: bytes) -> Envelope | None:
        try:
            return _readable(Envelope.model_validate_json(record))
        except (ValidationError, UnicodeError) as error:
            text = record.decode("utf-8", "replace").replace("\0", "\ufffd")[:65536]
            content = {"raw": text, "base64": base64.b64encode(record).decode()}
            with self.db.begin() as tx:
                tx.add(DeadLetter(subject="", content=content, reason=_reason(error)))
            metrics.DEAD_LETTERS.labels(self.handlers.service).inc()
            return None

    def _set_aside(self, envelope: Envelope, reason: str) -> None:
        if not self.handlers.steps(envelope):
            return
        insert = sa.text(
            "INSERT INTO dead_letter (event_id, subject, content, reason)"
            " VALUES (:id, :subject, CAST(:content AS jsonb), :reason) ON CONFLICT DO NOTHING"
        )
        values = {
            "id": envelope.id,
            "subject": envelope.subject,
            "content": json.dumps(_content(envelope)),
            "reason": reason,
        }
        with self.db.begin() as tx:
            tx.execute(insert, values)
        metrics.DEAD_LETTERS.labels(self.handlers.service).inc()
        self._in_a_row.add(envelope.subject)
        if len(self._in_a_row) > TOO_MANY_SET_ASIDE:
            raise TooManySetAside(f"{len(self._in_a_row)} subjects in a row were set aside: a defect, not bad events")


class TooManySetAside(Exception):
    """The consumer stops: so many subjects that fail in a row are a defect of this deployment."""


def redrive(subject: str, handlers: Handlers, db: Database) -> int:
    """Replay what is set aside for a subject, in order; stops at the first that fails again."""
    done = 0
    while True:
        with db.read() as tx:
            mine = col(DeadLetter.event_id).is_not(None) & (col(DeadLetter.subject) == subject)
            letter = tx.exec(select(DeadLetter).where(mine).order_by(col(DeadLetter.position)).limit(1)).first()
        if letter is None:
            return done
        deliver([_envelope(letter.content)], handlers, db)
        with db.begin() as tx:
            tx.execute(sa.delete(DeadLetter).where(col(DeadLetter.position) == letter.position))
        done += 1


def _readable(envelope: Envelope) -> Envelope:
    if "\0" in envelope.subject:
        raise UnicodeError("NUL in a subject: no table of ours could name it")
    return envelope


def _content(envelope: Envelope) -> dict[str, Any]:
    """An envelope as its letter keeps it: to be read, or, with a NUL in it that no JSONB can hold, as its bytes."""
    text = envelope.model_dump_json()
    if "\\u0000" in text:
        return {"base64": base64.b64encode(text.encode()).decode()}
    document: dict[str, Any] = json.loads(text)
    return document


def _envelope(content: dict[str, Any]) -> Envelope:
    if "base64" in content:
        return Envelope.model_validate_json(base64.b64decode(content["base64"]))
    return Envelope.model_validate(content)


def _reason(error: Exception) -> str:
    text = str(error.orig) if isinstance(error, DBAPIError) else repr(error)
    return text.replace("\0", "\ufffd")[:2000]
