"""Events that end the process that handles them: a try is counted before it is made, so that even those are set aside."""

import hashlib
from collections.abc import Sequence
from uuid import UUID

import structlog

from shared.messaging.inbox import Settler

log = structlog.get_logger("quarantine")

TRIES = 3
_BEGIN = (
    "INSERT INTO in_hand (mark) VALUES (%s) ON CONFLICT (mark) DO UPDATE SET tries = in_hand.tries + 1 RETURNING tries"
)
_END = "DELETE FROM in_hand WHERE mark = ANY(%s)"
# The death of a process loses nothing of this; that of PostgreSQL may, and then a try is not counted.
_LIGHTLY = "SET LOCAL synchronous_commit = off"


class Quarantine:
    """Counts how often each batch was begun. One that a process did not survive is taken event by event, each counted."""

    def __init__(self, settler: Settler) -> None:
        self._settler = settler
        self._ended: list[UUID] = []  # these go in the transaction that begins the next

    def settle(self, records: Sequence[bytes]) -> None:
        """Settle a batch; an event whose handling ended the process `TRIES` times is set aside instead."""
        batch = _mark(b"batch", records[0])
        try:
            if self._begin(batch) == 1:
                self._settler.settle(records)
            else:
                for record in records:
                    self._settle_one(record)
        except Exception:
            self._end([batch, *(_mark(b"event", record) for record in records)])
            raise  # the process lives: what went wrong is no reason to count this try
        self._ended.append(batch)

    def _settle_one(self, record: bytes) -> None:
        mark = _mark(b"event", record)
        tries = self._begin(mark)
        if tries <= TRIES:
            self._settler.settle([record])
        else:
            log.error("quarantine.set_aside", tries=tries - 1)
            self._settler.give_up(record, f"the process ended {tries - 1} times while handling this event")
        self._ended.append(mark)

    def _begin(self, mark: UUID) -> int:
        with self._settler.db.plain() as connection:
            connection.execute(_LIGHTLY)
            if self._ended:
                connection.execute(_END, [self._ended])
            row = connection.execute(_BEGIN, [mark]).fetchone()
        self._ended = []
        assert row is not None
        return int(row[0])

    def _end(self, marks: Sequence[UUID]) -> None:
        with self._settler.db.plain() as connection:
            connection.execute(_LIGHTLY)
            connection.execute(_END, [list(marks)])


def _mark(kind: bytes, record: bytes) -> UUID:
    """What names a record that may be no envelope."""
    return UUID(bytes=hashlib.sha256(kind + record).digest()[:16])
