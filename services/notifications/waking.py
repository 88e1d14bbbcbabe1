"""Wakes coroutines when PostgreSQL notifies: one connection and one thread per process, however many wait."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
import structlog

from shared.db import Database, Wakeup
from shared.service import Context

log = structlog.get_logger("waking")


class Alarm:
    """Set from the listening thread, awaited by one coroutine of one event loop."""

    def __init__(self) -> None:
        self._loop, self._set = asyncio.get_running_loop(), asyncio.Event()

    def ring(self) -> None:
        with suppress(RuntimeError):  # its loop has closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._set.set)

    async def wait(self, seconds: float) -> None:
        """Return when it has rung since the last wait, or after `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._set.wait(), max(seconds, 0))
        self._set.clear()


class Waker:
    """Listens on a channel while anybody waits. Every (re)connection rings too: something may have been missed."""

    def __init__(self, db: Database, channel: str) -> None:
        self._db, self._channel = db, channel
        self._alarms: set[Alarm] = set()
        self._lock = threading.Lock()
        self._running = False

    @asynccontextmanager
    async def alarm(self) -> AsyncIterator[Alarm]:
        """An alarm for the time of the block; what is read after its first ring misses nothing."""
        mine = Alarm()
        with self._lock:
            self._alarms.add(mine)
            if not self._running:
                self._running = True
                name = f"waker.{self._channel}"
                threading.Thread(target=self._listen, name=name, daemon=True).start()
            else:
                mine.ring()
        try:
            yield mine
        finally:
            with self._lock:
                self._alarms.discard(mine)

    def _listen(self) -> None:
        never = threading.Event()
        while self._wanted():
            try:
                wakeup = Wakeup(self._db, self._channel)
                try:
                    self._ring()
                    while self._wanted():
                        wakeup.wait(0.5, never)
                        self._ring()
                finally:
                    wakeup.close()
            except psycopg.OperationalError as error:
                if not self._wanted():
                    return
                log.warning("waking.lost", channel=self._channel, error=repr(error)[:200])
                never.wait(1.0)

    def _wanted(self) -> bool:
        with self._lock:
            self._running = bool(self._alarms)
            return self._running

    def _ring(self) -> None:
        with self._lock:
            alarms = list(self._alarms)
        for alarm in alarms:
            alarm.ring()


def waker_of(context: Context, channel: str) -> Waker:
    """The waker of a channel, one per process."""
    found = context.extras.setdefault(f"waker.{channel}", Waker(context.db, channel))
    assert isinstance(found, Waker)
    return found
