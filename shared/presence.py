"""Who is alive: a worker's advisory lock, which PostgreSQL drops with its connection, however the worker ends."""

import secrets
from typing import Any

import psycopg

from shared.db import Database

CLASS = 4310

# The numbers of the workers that live, for `… NOT IN (LIVING)` in a statement that frees what the dead have leased.
LIVING = """(
SELECT CAST(CAST(l.objid AS bigint) AS int) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.classid = 4310 AND l.granted
)"""


class Presence:
    """A number that stands for this worker for as long as its connection lives.

    A lease is a time-out against a worker that hangs; presence frees the leases of one that is gone at once.
    """

    def __init__(self, db: Database) -> None:
        self.number = 1 + secrets.randbelow(2**31 - 2)
        self._connection: psycopg.Connection[Any] = db.connection()
        self._connection.execute("SELECT pg_advisory_lock(%s, %s)", (CLASS, self.number))

    def confirm(self) -> None:
        """Raises where the connection, and with it the presence, is lost: the loop fails and starts again."""
        self._connection.execute("SELECT 1")

    def close(self) -> None:
        self._connection.close()
