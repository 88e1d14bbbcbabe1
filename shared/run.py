"""Running a service: its loops side by side, its worker process, its API process, its migration."""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import date, datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog
import uvicorn

from shared import logs, metrics, status
from shared.app import Edge, create_app
from shared.auth import TokenVerifier
from shared.clock import Clock, utc_now
from shared.db import Database
from shared.events import load_catalogue
from shared.health import Health
from shared.jobs import run_jobs
from shared.messaging.inbox import Settler, redrive
from shared.messaging.kafka import KafkaBus
from shared.messaging.outbox import BusUnavailable, prune, republish, run_relay
from shared.messaging.postgres import PostgresBus
from shared.messaging.quarantine import Quarantine
from shared.messaging.reconcile import reconcile
from shared.migrations import upgrade
from shared.sealing import Sealer
from shared.service import Context, Service
from shared.settings import DatabaseUrls, Settings

log = structlog.get_logger("run")

CLOCKS_APART = timedelta(minutes=5)

Bus = PostgresBus | KafkaBus
StopLoop = Callable[[threading.Event], None]


def run_together(loops: Sequence[StopLoop], stop: threading.Event) -> None:
    """Run loops side by side; when one fails, stop the others and fail with it: no half-alive process."""
    with ThreadPoolExecutor(len(loops)) as pool:
        running = [pool.submit(loop, stop) for loop in loops]
        done, _ = wait(running, return_when=FIRST_EXCEPTION)
        stop.set()
    for ended in done:
        ended.result()


def insistent(name: str, loop: StopLoop) -> StopLoop:
    """A loop that starts again after a failure: what a supervisor does for a process, for one in-process loop."""

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                loop(stop)
            except Exception:
                log.exception("loop.failed", loop=name)
                stop.wait(1.0)

    return run


def loops_of(service: Service, context: Context, bus: Bus) -> list[tuple[str, StopLoop]]:
    """Everything that a service does beside answering: relay, consumer, jobs, the daily job, loops of its own."""
    settler = Settler(service.handlers, context.db)
    found: list[tuple[str, StopLoop]] = [
        ("relay", partial(run_relay, service.name, context.db, bus)),
        ("daily", partial(run_daily, service, context)),
    ]
    if service.handlers.topics:
        found.append(("consumer", partial(_consume, service, bus, settler)))
    if service.jobs:
        found.append(("jobs", partial(run_jobs, service.jobs, context.db, context.clock)))
    found += [(loop.__name__, partial(loop, context)) for loop in service.loops]
    return [(f"{service.name}.{name}", loop) for name, loop in found]


def _consume(service: Service, bus: Bus, settler: Settler, stop: threading.Event) -> None:
    settler.stop = stop
    quarantine = Quarantine(settler)

    def settle(records: Sequence[bytes]) -> None:
        quarantine.settle(records)
        metrics.CONSUMED.labels(service.name).inc(len(records))

    bus.consume(service.name, service.handlers.topics, settle, stop)


def run_daily(service: Service, context: Context, stop: threading.Event) -> None:
    """Run the daily job at start and after every legal midnight; housekeeping with it."""
    while not stop.is_set():
        if (apart := clocks_apart(context.db)) > CLOCKS_APART:
            log.error("daily.clocks_apart", service=service.name, apart=str(apart))
            stop.wait(5.0)
            continue
        daily(service, context, context.clock.today())
        prune(context.db)
        seconds = context.clock.next_midnight().timestamp() - time.time()
        stop.wait(min(60.0, max(1.0, seconds)))


def clocks_apart(db: Database) -> timedelta:
    """By how much our clock and the database's differ. One of them is wrong, and a day that was closed stays closed."""
    with db.plain() as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    difference: timedelta = row[0] - utc_now()
    return abs(difference)


def daily(service: Service, context: Context, today: date) -> bool:
    """The daily job of a legal day, once, in one transaction with the note that it ran; False when it had run."""
    with context.db.begin() as tx:
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(4304)"))
        note = sa.text("INSERT INTO daily_run (day) VALUES (:day) ON CONFLICT DO NOTHING RETURNING day")
        if tx.execute(note, {"day": today.isoformat()}).first() is None:
            return False
        tx.execute(sa.text("DELETE FROM idempotency WHERE made_at < now() - interval '7 days'"))
        keep_from = (today - timedelta(days=400)).isoformat()
        tx.execute(sa.text("DELETE FROM daily_run WHERE day < :day"), {"day": keep_from})
        if service.daily is not None:
            service.daily(tx, today)
    return True


def context_for(service: Service, settings: Settings, *, pool: int = 10) -> Context:
    """The context of one service from settings."""
    urls = DatabaseUrls.of(service.name)
    sealer = Sealer.from_file(settings.secrets / "sealing.key")
    return Context(Database(urls.database_url, pool=pool), Clock(settings.clock), sealer, settings)


def bus_for(settings: Settings) -> Bus:
    if settings.bus == "kafka":
        return KafkaBus(settings.kafka)
    return PostgresBus(Database(settings.bus_url))


def verifier_for(settings: Settings) -> TokenVerifier:
    return TokenVerifier.from_file(settings.secrets / "jwks.json", settings.issuer)


def edge_for(services: Sequence[Service], contexts: dict[str, Context], settings: Settings, bus: Bus) -> Edge:
    """The web application of these services, with the bus in its health."""
    health = Health(bus_check=bus.check, lag=lambda s: bus.lag(s.name, s.handlers.topics) if s.handlers.topics else 0)
    return create_app(services, contexts, verifier_for(settings), health)


def settle_in() -> None:
    """To be called when everything is built: what is there stays until the end, and the collector need not walk it.

    The collector works from here on (shared.starting had stopped it).

    A full collection took a tenth of a second, in which nothing was answered, sent or consumed. The price: what was
    garbage in that moment and is part of a cycle is never freed, hence the collection before.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def serve(edge: Edge, settings: Settings) -> None:
    """Answer HTTP until SIGTERM."""
    settle_in()
    uvicorn.run(
        edge,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=20,
        loop="uvloop",
        http="httptools",
        lifespan="off",
    )


def main(service: Service) -> None:
    """`python -m services.<name> api|worker|migrate|redrive <subject>`."""
    settings = Settings()
    logs.setup(settings.log_level)
    load_catalogue()
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "migrate":
        urls = DatabaseUrls.of(service.name)
        upgrade(service, urls.owner_url or urls.database_url, f"{service.name}_app")
    elif command == "worker":
        work(service, settings)
    elif command == "api":
        context = context_for(service, settings)
        serve(edge_for([service], {service.name: context}, settings, bus_for(settings)), settings)
    elif command in MENDING and len(sys.argv) > 2:
        settle_in()
        sys.stdout.write(MENDING[command](service, settings, sys.argv[2]))
    else:
        sys.exit(f"usage: python -m services.{service.name} {USAGE}")


def _redriven(service: Service, settings: Settings, subject: str) -> str:
    done = redrive(subject, service.handlers, context_for(service, settings).db)
    return f"{done} events of {subject} replayed\n"


def _republished(service: Service, settings: Settings, since: str) -> str:
    done = republish(context_for(service, settings).db, instant(since))
    return f"{done} events of {service.name} leave again\n"


def _reconciled(service: Service, settings: Settings, since: str) -> str:
    db, bus = context_for(service, settings).db, bus_for(settings)
    found = reconcile(service.handlers, db, bus, instant(since), service.restored)
    told = [f"forgotten: {envelope.model_dump_json()}" for envelope in found.forgotten]
    counts = f"{found.unhandled} events come again, {found.unsent} leave again, {len(found.forgotten)} are forgotten"
    return "\n".join([*told, f"{service.name}: {counts}\n"])


def instant(text: str) -> datetime:
    """An instant as an operator types it; ends the command where it has no offset."""
    try:
        found: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        sys.exit(f"an instant with its offset is wanted, such as 2026-05-12T08:00+08:00, not “{text}”")
    return found


MENDING = {"redrive": _redriven, "republish": _republished, "reconcile": _reconciled}
USAGE = "api | worker | migrate | redrive <subject> | republish <since> | reconcile <since>"


def work(service: Service, settings: Settings) -> None:
    """The worker process: all loops; it ends when one of them fails, and its supervisor starts it again."""
    stop = threading.Event()
    for received in (signal.SIGTERM, signal.SIGINT):
        signal.signal(received, lambda *_: stop.set())
    context, bus = context_for(service, settings), bus_for(settings)
    status.expose(service.name, context)
    if isinstance(bus, KafkaBus):
        _prepared(bus, stop)
    log.info("worker.started", service=service.name, pid=os.getpid())
    settle_in()
    run_together([loop for _, loop in loops_of(service, context, bus)], stop)


def _prepared(bus: KafkaBus, stop: threading.Event) -> None:
    """Wait for the broker: writes are answered meanwhile, events wait in the outbox."""
    while not stop.is_set():
        try:
            bus.prepare()
            return
        except BusUnavailable as error:
            log.warning("worker.waits_for_broker", error=repr(error))
            stop.wait(1.0)
