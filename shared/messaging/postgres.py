"""PostgresBus: a durable log in PostgreSQL with consumer groups, the embedded counterpart of Kafka; kept whole."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime

import psycopg
import sqlalchemy as sa

from shared.crashpoints import crash_point
from shared.db import Database, Wakeup, unwell
from shared.events import Envelope
from shared.messaging.outbox import BusUnavailable

SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL, key text NOT NULL, value bytea NOT NULL,
    appended_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS log_by_topic ON log (topic, position);
CREATE TABLE IF NOT EXISTS group_offset (
    consumer text NOT NULL, topic text NOT NULL, position bigint NOT NULL,
    PRIMARY KEY (consumer, topic)
);
"""
APPEND_LOCK = 4302
BATCH = 200

_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_APPEND = (
    "INSERT INTO log (topic, key, value) SELECT topic, key, value"
    " FROM unnest(%s::text[], %s::text[], %s::bytea[])"
    " WITH ORDINALITY AS given (topic, key, value, n) ORDER BY n"
)
_TELL = "SELECT pg_notify('log.' || topic, '') FROM unnest(%s::text[]) AS topic"
_READ = (
    "SELECT l.position, l.topic, l.value, o.position FROM log l"
    " JOIN group_offset o ON o.topic = l.topic AND o.consumer = %s"
    " WHERE l.topic = ANY(%s) AND l.position > o.position ORDER BY l.position LIMIT %s"
)
# Never back, and not at all where the group was turned back while these records were being settled.
_SETTLED = (
    "UPDATE group_offset o SET position = greatest(o.position, given.position)"
    " FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS given (topic, position, began)"
    " WHERE o.consumer = %s AND o.topic = given.topic AND o.position >= given.began"
)
_REWIND = (
    "UPDATE group_offset o SET position = least(o.position,"
    " (SELECT coalesce(min(l.position), o.position + 1) - 1 FROM log l WHERE l.topic = o.topic AND l.appended_at >= %s))"
    " WHERE o.consumer = %s AND o.topic = ANY(%s)"
)
_SINCE = (
    "SELECT l.value FROM log l LEFT JOIN group_offset o ON o.topic = l.topic AND o.consumer = %s"
    " WHERE l.topic = ANY(%s) AND l.appended_at >= %s AND (%s = '' OR l.position <= o.position) ORDER BY l.position"
)
_LAG = sa.text(
    "SELECT count(*) FROM log l LEFT JOIN group_offset o ON o.topic = l.topic AND o.consumer = :consumer"
    " WHERE l.topic = ANY(:topics) AND l.position > coalesce(o.position, 0)"
)


class PostgresBus:
    """Appends are serialised by an advisory lock, so that no reader can pass a late committer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def prepare(self) -> None:
        """Make the log and offset tables if they are not there."""
        with self._db.begin() as tx:
            tx.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": APPEND_LOCK})
            for statement in SCHEMA.split(";")[:-1]:
                tx.execute(sa.text(statement))

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Append in one transaction; raises `BusUnavailable` when the database cannot take it."""
        topics = [e.topic for e in envelopes]
        values = [e.model_dump_json().encode() for e in envelopes]
        try:
            with self._db.plain() as connection, connection.pipeline():
                connection.execute(_LOCK, [APPEND_LOCK])
                connection.execute(_APPEND, [topics, [e.subject for e in envelopes], values])
                connection.execute(_TELL, [sorted(set(topics))])
        except (sa.exc.SQLAlchemyError, psycopg.Error) as error:
            if not unwell(error):
                raise
            raise BusUnavailable(str(error)) from error

    def consume(
        self, group: str, topics: list[str], settle: Callable[[Sequence[bytes]], None], stop: threading.Event
    ) -> None:
        """Settle records strictly in order; an offset moves only after its own records. One consumer per group."""
        with closing(self._db.connection()) as leader:
            while not stop.is_set() and not _locked(leader, group):
                stop.wait(0.5)
            self._join(group, topics)
            with closing(self._listen(topics)) as wakeups:
                while not stop.is_set():
                    leader.execute("SELECT 1")  # a lost connection is a lost lock: fail, and be started again
                    if not self.poll(group, topics, settle):
                        wakeups.wait(5.0, stop)

    def poll(self, group: str, topics: list[str], settle: Callable[[Sequence[bytes]], None]) -> int:
        """Settle one batch; returns how many records it had."""
        with self._db.plain() as connection:
            rows = connection.execute(_READ, [group, topics, BATCH]).fetchall()
        if not rows:
            return 0
        crash_point("consumer.before_settle")
        settle([value for _, _, value, _ in rows])
        crash_point("consumer.after_settle")
        heads = {topic: position for position, topic, _, _ in rows}
        began = {topic: offset for _, topic, _, offset in rows}
        with self._db.plain() as connection:
            connection.execute(_SETTLED, [list(heads), list(heads.values()), [began[t] for t in heads], group])
        crash_point("consumer.after_offset")
        return len(rows)

    def join(self, group: str, topics: list[str]) -> None:
        """Make the group known, from the beginning of the log."""
        self._join(group, topics)

    def records(self, topics: list[str], since: datetime, group: str = "") -> Iterator[bytes]:
        """What was appended since an instant, in order; with a group, only what that group has settled."""
        with self._db.plain() as connection:
            yield from (value for (value,) in connection.execute(_SINCE, [group, topics, since, group]))

    def rewind(self, group: str, topics: list[str], since: datetime) -> None:
        """Turn a group back, so that everything since an instant comes to it again; it may be at work."""
        with self._db.plain() as connection:
            connection.execute(_REWIND, [since, group, topics])
            connection.execute(_TELL, [topics])

    def lag(self, group: str, topics: list[str]) -> int:
        """Records that the group has not settled."""
        with self._db.read() as tx:
            return int(tx.execute(_LAG, {"consumer": group, "topics": topics}).scalar_one())

    def check(self) -> None:
        """Raises when the bus does not answer."""
        with self._db.read() as tx:
            tx.execute(sa.text("SELECT 1"))

    def _listen(self, topics: list[str]) -> Wakeup:
        wakeup = Wakeup(self._db, f"log.{topics[0]}")
        for topic in topics[1:]:
            wakeup.add(f"log.{topic}")
        return wakeup

    def _join(self, group: str, topics: list[str]) -> None:
        with self._db.begin() as tx:
            for topic in topics:
                tx.execute(
                    sa.text("INSERT INTO group_offset VALUES (:c, :t, 0) ON CONFLICT DO NOTHING"),
                    {"c": group, "t": topic},
                )


def _locked(connection: psycopg.Connection[tuple[object, ...]], group: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (group,)).fetchone()
    return bool(row and row[0])
