"""A service's database: connections, transactions, column types."""

import enum
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from weakref import WeakSet

import psycopg
import sqlalchemy as sa
from psycopg.rows import namedtuple_row
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlmodel import Session

Utc = sa.DateTime(timezone=True)
Json = JSONB(none_as_null=True)


# A server that went silent is noticed within half a minute; a lock that is not to be had is `crowded`, not a wait for ever.
BOUNDED: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": "-c lock_timeout=15s",
}


def text_enum(kind: type[enum.StrEnum]) -> sa.Enum:
    """An enumeration stored as its text value; adding a member needs no migration."""
    return sa.Enum(
        kind, native_enum=False, create_constraint=False, length=40, values_callable=lambda e: [m.value for m in e]
    )


def plain_url(url: str) -> str:
    """The libpq form of a database URL, whatever driver it names."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql"))


class _Cursor(psycopg.Cursor[Any]):
    """Notes a session whose server takes no writes, a standby after a failover: it is not used again."""

    def execute(self, *given: Any, **options: Any) -> "_Cursor":
        try:
            return super().execute(*given, **options)
        except psycopg.errors.ReadOnlySqlTransaction:
            _STANDBYS.add(self.connection)
            raise


# Sessions that stay with their server when its successor has taken over.
_STANDBYS: WeakSet[Any] = WeakSet()


class Database:
    """One PostgreSQL database as one role."""

    def __init__(self, url: str, *, pool: int = 10) -> None:
        self.url = plain_url(url)
        self.engine = sa.create_engine(
            self.url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=pool,
            max_overflow=30,
            pool_timeout=10,
            connect_args={"prepare_threshold": 5, "cursor_factory": _Cursor, **BOUNDED},
        )
        sa.event.listen(self.engine, "checkin", _note_rest)
        sa.event.listen(self.engine, "checkout", _ping_rested)

    def session(self) -> Session:
        return Session(self.engine, expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back by an exception."""
        with self.session() as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads; its rows stay readable after it."""
        with self.session() as session:
            yield session

    @contextmanager
    def plain(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction of the driver itself, for the loops' few fixed statements: a third of a session's time."""
        pooled = self.engine.raw_connection()
        try:
            connection: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
            yield connection
            connection.commit()
        except psycopg.errors.ReadOnlySqlTransaction:
            _STANDBYS.add(connection)  # a pipeline's errors do not come by way of its cursors
            raise
        finally:
            pooled.close()  # what was not committed is rolled back with it

    def connection(self, **options: Any) -> psycopg.Connection[Any]:
        """A connection outside the pool, in autocommit: for LISTEN, advisory locks and COPY."""
        return psycopg.connect(self.url, autocommit=True, **(BOUNDED | {"options": ""} | options))

    def dispose(self) -> None:
        self.engine.dispose()


RESTED = 1.0


def _note_rest(_: object, record: sa.pool.ConnectionPoolEntry) -> None:
    record.info["rested_since"] = time.monotonic()


def _ping_rested(connection: Any, record: sa.pool.ConnectionPoolEntry, _: object) -> None:
    """Ask a connection that rested a while whether it lives; asking a busy one costs as much as a statement."""
    if _STANDBYS and connection in _STANDBYS:
        raise sa.exc.InvalidatePoolError()
    since = record.info.get("rested_since")
    if since is None or time.monotonic() - since < RESTED:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error as error:
        raise sa.exc.InvalidatePoolError() from error


def driver(tx: Session) -> psycopg.Connection[Any]:
    """The driver's connection of a session's transaction, for fixed statements of the hot paths."""
    found: psycopg.Connection[Any] = tx.connection().connection.driver_connection  # type: ignore[assignment]
    return found


_PSYCOPG: sa.Dialect = psycopg_dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Fixed:
    """A statement that is compiled once and run by the driver; only its named parameters vary."""

    sql: str
    constants: dict[str, Any]

    @classmethod
    def of(cls, statement: sa.ClauseElement) -> "Fixed":
        compiled = statement.compile(dialect=_PSYCOPG)
        assert isinstance(compiled, SQLCompiler)
        given = {name: None for name, bound in compiled.binds.items() if bound.required}
        whole = compiled.construct_expanded_state(given)
        return cls(whole.statement, {n: value for n, value in whole.parameters.items() if n not in given})

    def run(self, connection: psycopg.Connection[Any], **values: Any) -> psycopg.Cursor[Any]:
        """The cursor; its rows have the statement's columns as attributes."""
        return connection.cursor(row_factory=namedtuple_row).execute(self.sql, self.constants | values)


class Wakeup:
    """Waits for a NOTIFY on a channel, or for a time-out: what a loop sleeps on."""

    def __init__(self, db: Database, channel: str) -> None:
        self._connection = db.connection()
        try:
            self.add(channel)
        except BaseException:
            self.close()
            raise

    def add(self, channel: str) -> None:
        self._connection.execute(f'LISTEN "{channel}"')

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return at a notification, after `seconds`, or within half a second of `stop`."""
        waited = 0.0
        while waited < seconds and not stop.is_set():
            step = min(0.5, seconds - waited)
            for _ in self._connection.notifies(timeout=step, stop_after=1):
                return
            waited += step

    def close(self) -> None:
        self._connection.close()


def notify(tx: Session, channel: str) -> None:
    """Wake the listeners of a channel when this transaction commits; once however often it is called."""
    # Per savepoint: what a savepoint that was rolled back has told is untold with it.
    place = tx.get_nested_transaction() or tx.get_transaction() or tx.begin()
    told_in, told = tx.info.get("notified", (None, frozenset()))
    if told_in is not place:
        told = frozenset()
    if channel not in told:
        tx.info["notified"] = (place, told | {channel})
        driver(tx).execute("SELECT pg_notify(%s, '')", [channel])


AGAIN = frozenset({"40001", "40P01", "55P03"})


def crowded(error: BaseException) -> bool:
    """Whether the database asks to try again: a deadlock, a serialization failure, a lock not to be had in time."""
    return _sqlstate(error) in AGAIN


def unwell(error: BaseException) -> bool:
    """Whether the database itself is away or unwell, rather than this statement wrong (as a too large row is)."""
    if isinstance(error, sa.exc.TimeoutError):
        return True
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(cause, psycopg.errors.ReadOnlySqlTransaction):
        return True
    return isinstance(cause, psycopg.OperationalError) and not _sqlstate(error).startswith("54")


def _sqlstate(error: BaseException) -> str:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return (cause.sqlstate or "") if isinstance(cause, psycopg.Error) else ""
