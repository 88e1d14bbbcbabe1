"""A table of effects, and events to have them: what the tests of outbox, inbox, bus and jobs look at."""

import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlmodel import Session

from shared.db import Database
from shared.events import Envelope
from shared.events.registry import EnterpriseRegistered
from shared.messaging.inbox import Handlers

FIRM = EnterpriseRegistered.type


def firm(subject: str, version: int = 1) -> EnterpriseRegistered:
    return EnterpriseRegistered(
        uscc=subject, name="示例", division="430202", industry="3212", status="active", version=version
    )


def envelope(subject: str, version: int = 1, type: str = FIRM) -> Envelope:
    return Envelope(
        id=uuid.uuid4(),
        type=type,
        source="registry",
        subject=subject,
        time=datetime.now(UTC),
        correlation_id="c",
        data=firm(subject, version).model_dump(mode="json"),
    )


def bytes_of(envelopes: Sequence[Envelope]) -> list[bytes]:
    return [e.model_dump_json().encode() for e in envelopes]


def add_effect(tx: Session, handler: str, subject: str, n: int) -> None:
    statement = sa.text("INSERT INTO effect (handler, subject, n) VALUES (:h, :s, :n)")
    tx.execute(statement, {"h": handler, "s": subject, "n": n})


def effects(db: Database, handler: str = "note") -> list[tuple[str, int]]:
    """What a handler has done, in order."""
    with db.read() as tx:
        rows = tx.execute(sa.text("SELECT subject, n FROM effect WHERE handler = :h ORDER BY id"), {"h": handler})
        return [(row.subject, row.n) for row in rows]


def noting(fails: Callable[[str, int], bool] = lambda s, n: False) -> Handlers:
    """Handlers with one reaction that writes an effect, and then fails where it is told to."""
    handlers = Handlers("proof")

    @handlers.on(EnterpriseRegistered)
    def note(event: EnterpriseRegistered, tx: Session) -> None:
        add_effect(tx, "note", event.uscc, event.version)
        if fails(event.uscc, event.version):
            raise ValueError("poison")

    return handlers


def rows(db: Database, statement: str) -> list[tuple[object, ...]]:
    with db.read() as tx:
        return [tuple(row) for row in tx.execute(sa.text(statement))]


class Running:
    """Something that runs in a thread until stopped; its failure is kept."""

    def __init__(self, loop: Callable[[threading.Event], object]) -> None:
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self._loop = loop
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self._loop(self.stop)
        except BaseException as error:
            self.failure = error

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def join(self, seconds: float = 15) -> None:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "it goes on"

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join()


def until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for something that another thread or process brings about."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("it never came")
