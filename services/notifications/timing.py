"""The time that due instants and leases are compared by: the database's, the same for every dispatcher."""

import time
from datetime import datetime, timedelta

from shared.db import Database


class DatabaseClock:
    """The database's time, carried on by the monotonic clock between two looks: no leap of our own clock moves it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.look()

    def look(self) -> None:
        """Ask the database again; what has drifted apart since is mended."""
        with self._db.plain() as connection:
            row = connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        self._then: tuple[datetime, float] = row[0], time.monotonic()

    def __call__(self) -> datetime:
        told, at = self._then
        return told + timedelta(seconds=time.monotonic() - at)
