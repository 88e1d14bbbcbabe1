"""The dispatcher: claims lanes, posts their events one after another, records what came back in batches."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

import uvloop

from services.notifications.actions.log import DELIVERIES
from services.notifications.lanes import (
    Leased,
    Owed,
    Result,
    Room,
    claim,
    free_the_dead,
    next_due,
    record,
)
from services.notifications.models import Progress
from services.notifications.schedule import Schedule
from services.notifications.timing import DatabaseClock
from services.notifications.transport import Limits, Transport
from services.notifications.waking import Alarm, waker_of
from services.notifications.webhooks import Receiver, allowed_targets, judge, outgoing, receiver_of
from services.notifications.windows import Window, Windows
from shared import metrics
from shared.crashpoints import crash_point
from shared.presence import Presence
from shared.service import Context

AT_ONCE, HELD = 512, 2_048
BATCH = 200
LOOK_EVERY = 5.0
LIMITS = Limits()
NEEDED = timedelta(seconds=LIMITS.total + 5)


class Recorder:
    """Records results as they come: while one batch is being written, the next one gathers."""

    def __init__(self, context: Context, more: asyncio.Event) -> None:
        """`more` is set when a lane was given back in which something is left."""
        self._context, self._more = context, more
        self._results: list[Result] = []
        self._done: list[Leased] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._some = asyncio.Event()

    def settle(self, result: Result | None, done: Leased | None) -> asyncio.Future[None]:
        """Done when the result is recorded; a `done` lane is given back with it or soon after."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(written)
        if result is not None:
            self._results.append(result)
        if done is not None:
            self._done.append(done)
        self._some.set()
        return written

    @property
    def idle(self) -> bool:
        return not self._some.is_set()

    async def run(self) -> None:
        """Write until cancelled; a failure ends the dispatcher, whose leases then run out."""
        while True:
            await self._some.wait()
            results, done, waiting = self._results, self._done, self._waiting
            self._results, self._done, self._waiting = [], [], []
            if any(r.state is not Progress.SKIPPED for r in results):
                crash_point("dispatcher.after_post")
            recorded = await asyncio.to_thread(record, self._context.db, results, done)
            if results:
                crash_point("dispatcher.after_record")
            for written in waiting:
                if not written.done():
                    written.set_result(None)
            if recorded.more:
                self._more.set()
            if recorded.locked:
                self._done += recorded.locked
                await asyncio.sleep(0.005)
            if not self._done and not self._waiting:
                self._some.clear()


@dataclass(frozen=True)
class Outside:
    """What a dispatcher works with beside its context: the client, the pauses, the clock."""

    transport: Transport
    schedule: Schedule
    now: Callable[[], datetime]


class Dispatcher:
    """Sends what is due within one event loop; several processes may each run one."""

    def __init__(self, context: Context, outside: Outside, present: Presence | None = None) -> None:
        self._context, self._outside, self._present = context, outside, present
        self._freed = asyncio.Event()
        self._recorder = Recorder(context, self._freed)
        self._running: set[asyncio.Task[None]] = set()
        self._all, self._windows = asyncio.Semaphore(AT_ONCE), Windows()
        self._looked_at = -LOOK_EVERY
        self.attempts = 0

    async def drain(self) -> int:
        """Send until nothing is due any more; returns how many attempts that took."""
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._recorder.run())
            while await self._claim(group) or self._running or not self._recorder.idle:
                await self._pause(0.05)
            writing.cancel()
        return self.attempts

    async def run(self, stop: threading.Event, alarm: Alarm) -> None:
        """Send until stopped; then finish what is in flight."""
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._recorder.run())
            ringing = group.create_task(self._ring(alarm))
            while not stop.is_set():
                await self._look_for_the_dead()
                claimed = await self._claim(group)
                await self._pause(0.05 if claimed else await self._idle_seconds())
            while self._running or not self._recorder.idle:
                self._freed.clear()
                await self._pause(0.02)
            ringing.cancel()
            writing.cancel()

    async def _look_for_the_dead(self) -> None:
        """At start and every few seconds: another dispatcher's leases end when it does."""
        now = time.monotonic()
        if self._present is not None and now >= self._looked_at + LOOK_EVERY:
            self._looked_at = now
            await asyncio.to_thread(self._present.confirm)
            await asyncio.to_thread(free_the_dead, self._context.db)
            if isinstance(self._outside.now, DatabaseClock):
                await asyncio.to_thread(self._outside.now.look)

    async def _ring(self, alarm: Alarm) -> None:
        while True:
            await alarm.wait(5.0)
            self._freed.set()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._freed.wait(), seconds)
        except TimeoutError:
            return

    async def _idle_seconds(self) -> float:
        due = await asyncio.to_thread(next_due, self._context.db)
        seconds = (due - self._outside.now()).total_seconds() if due is not None else 0.5
        metrics.DELIVERY_OLDEST.set(max(0.0, -seconds))
        # What is due and not claimed waits for its endpoint: that rings when it is done.
        return min(0.5, max(0.05 if self._running else 0.01, seconds))

    async def _claim(self, group: asyncio.TaskGroup) -> bool:
        self._freed.clear()  # what rings from here on may not be among what is claimed
        free = min(BATCH, HELD - len(self._running))
        if free <= 0:
            return False
        worker = self._present.number if self._present is not None else None
        room, today = Room(free, self._windows.taken(), worker), self._context.clock.today()
        lanes = await asyncio.to_thread(claim, self._context.db, room, self._outside.now(), today)
        if lanes:
            crash_point("dispatcher.after_claim")
        for lane in lanes:
            self._windows.of(lane.subscription.id).lanes += 1
            task = group.create_task(self._send_lane(lane))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if len(lanes) == free:
            self._freed.set()
        return bool(lanes)

    async def _send_lane(self, lane: Leased) -> None:
        window = self._windows.of(lane.subscription.id)
        try:
            await self._send_in_order(lane, window)
        finally:
            held_back = len(self._running) >= HELD or window.lanes >= window.lanes_allowed
            window.lanes -= 1
            if held_back or len(self._running) == 1:
                self._freed.set()

    async def _send_in_order(self, lane: Leased, window: Window) -> None:
        """The next event is sent once the one before it was accepted, while that is being recorded.

        Waiting for each record would halve the rate; the price is that after a crash a whole run of a lane may come
        again, in order. What is given up is recorded before the next one is sent.
        """
        receiver = receiver_of(self._context, lane.subscription)
        for at, owed in enumerate(lane.owed):
            async with window, self._all:
                if lane.until - self._outside.now() < NEEDED:
                    break
                result = await self._attempt(lane, owed, receiver, window) if owed.entitled else self._skipped(lane, owed)
            last = at + 1 == len(lane.owed) or result.state is Progress.RETRY_WAIT
            written = self._recorder.settle(result, lane if last else None)
            if last or result.state is Progress.DEAD:
                await written
            if last:
                return
        await self._recorder.settle(None, lane)

    def _skipped(self, lane: Leased, owed: Owed) -> Result:
        metrics.DELIVERIES.labels("skipped").inc()
        return Result(
            lane, owed.delivery_id, owed.attempts, Progress.SKIPPED, self._outside.now(), error_code="not_entitled"
        )

    async def _attempt(self, lane: Leased, owed: Owed, receiver: Receiver, window: Window) -> Result:
        number, started = owed.attempts + 1, self._outside.now()
        more = {"webhook-attempt": str(number), "webhook-delivery-id": str(owed.delivery_id)}
        if owed.traceparent:
            more["traceparent"] = owed.traceparent
        post = outgoing(receiver, str(owed.event_id), owed.body, more)
        sent = await self._outside.transport.send(post)
        self.attempts += 1
        if sent.succeeded:
            window.succeeded()
        elif not sent.answered:
            window.unanswered()
        ended = started + timedelta(milliseconds=sent.duration_ms)
        verdict = judge(sent, self._outside.schedule, number, self._first_at(lane, owed, started), ended)
        metrics.DELIVERIES.labels(verdict.state.value).inc()
        if verdict.state is Progress.DELIVERED:
            metrics.DELIVERY_AGE.observe(max(0.0, (ended - owed.recorded_at).total_seconds()))
        failed = None if sent.succeeded else sent.error_code or "http_status"
        return Result(
            lane=lane,
            delivery_id=owed.delivery_id,
            n=number,
            state=verdict.state,
            at=started,
            next_at=verdict.next_at,
            duration_ms=sent.duration_ms,
            http_status=sent.http_status,
            error_code=failed,
            head=sent.response_head,
            gone=verdict.gone,
        )

    @staticmethod
    def _first_at(lane: Leased, owed: Owed, started: datetime) -> datetime:
        """The 72 hours count from the first attempt, or from when the subscription was enabled again."""
        known = [at for at in (owed.first_at, lane.subscription.resumed_at) if at is not None]
        return max(known) if owed.first_at is not None else started


def send_due(context: Context, now: datetime | None = None) -> int:
    """Send everything that is due (at `now`), and what becomes due by it; returns how many attempts were made."""
    return uvloop.run(_drain(context, (lambda: now) if now is not None else DatabaseClock(context.db)))


async def _drain(context: Context, now: Callable[[], datetime]) -> int:
    async with Transport(allowed_targets(context), limits=LIMITS) as transport:
        return await Dispatcher(context, Outside(transport, _schedule(context), now)).drain()


def dispatch(context: Context, stop: threading.Event) -> None:
    """The loop: send what is due until stopped, woken within milliseconds by new deliveries."""
    uvloop.run(_dispatch(context, stop))


async def _dispatch(context: Context, stop: threading.Event) -> None:
    with closing(Presence(context.db)) as present:
        async with (
            Transport(allowed_targets(context), limits=LIMITS) as transport,
            waker_of(context, DELIVERIES).alarm() as alarm,
        ):
            now = await asyncio.to_thread(DatabaseClock, context.db)
            await Dispatcher(context, Outside(transport, _schedule(context), now), present).run(stop, alarm)


def _schedule(context: Context) -> Schedule:
    return Schedule.parse(context.settings.retry_seconds)
