"""An instance: the whole product in one process, with everything under one home folder."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
import uvicorn

from infra import credentials, documents, sample, sandbox
from infra.home import CannotStart, Home
from infra.parts import SERVICES
from infra.postgres import EmbeddedPostgres
from infra.system import System
from infra.workers import Workers
from services.notifications.addresses import AllowList
from services.notifications.schedule import Schedule
from shared import logs
from shared.clock import Clock
from shared.events import load_catalogue
from shared.messaging.outbox import BusUnavailable
from shared.run import settle_in
from shared.settings import Settings

# Seconds that a thread keeps the interpreter while others wait. An outcome goes through a dozen threads on its way to a
# webhook, and at Python's own 5 ms each of them may wait that long for each of the others; the price is a few per cent of work.
THREAD_TURN = 0.0005
log = structlog.get_logger("run")


def main() -> None:
    """Start, or say in one sentence why not (exit 1)."""
    home = Home(Path(os.environ.get("CLEANPROD_HOME", "var")).resolve())
    sys.setswitchinterval(THREAD_TURN)
    logs.setup(os.environ.get("CLEANPROD_LOG_LEVEL", "WARNING"))
    # uvicorn raises the signal again when it has ended: then the rest ends in order too, rather than on the spot.
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda *_: sys.exit())
    load_catalogue()
    try:
        port = wanted_port(os.environ.get("CLEANPROD_PORT", "8000"))
        os.environ.setdefault("CLEANPROD_ISSUER", f"http://127.0.0.1:{port}")
        require_sense(Settings())
        require_free(port)
        home.take()
        Instance(home, Settings()).run()
    except CannotStart as reason:
        sys.exit(f"cleanprod: {reason}")


def wanted_port(given: str) -> int:
    """The port that a person asked for; CannotStart where it is none."""
    if not (given.isascii() and given.isdecimal() and len(given) < 6 and 0 < int(given) < 65536):
        raise CannotStart(f"CLEANPROD_PORT must be a number from 1 to 65535, not “{given}”.")
    return int(given)


def require_sense(settings: Settings) -> None:
    """What would only fail later, in the middle of its work, is told at the start."""
    if settings.bus not in ("postgres", "kafka"):
        raise CannotStart(f"CLEANPROD_BUS must be postgres or kafka, not “{settings.bus}”.")
    checks: tuple[tuple[str, Callable[[str], object], str, str], ...] = (
        ("CLEANPROD_RETRY_SECONDS", Schedule.parse, settings.retry_seconds, "1,2,4"),
        ("CLEANPROD_WEBHOOK_ALLOW", AllowList.parse, settings.webhook_allow, "127.0.0.0/8"),
    )
    for name, parse, given, example in checks:
        try:
            parse(given)
        except ValueError as error:
            raise CannotStart(f"{name} must be such as {example}, not “{given}”.") from error


def require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotStart(f"Port {port} is taken by another program; set CLEANPROD_PORT to another one.") from error


class Instance:
    """One running instance: PostgreSQL, databases, services, and the sample province on first start."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self.home, self.settings = home, settings
        self.postgres = EmbeddedPostgres(home.folder / "postgres")
        self.workers: Workers | None = None

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then stop in order."""
        began = time.monotonic()
        self._start_clock()
        self.home.prepare_secrets(self.settings.issuer)
        try:
            self.postgres.start()
        except RuntimeError as error:
            raise CannotStart(str(error)) from error
        stopping = threading.Event()
        keeper = threading.Thread(target=self.postgres.keep, args=(stopping,), name="keep-postgres", daemon=True)
        try:
            os.environ.update(self.home.environment(self.postgres, self.settings))
            self.workers = Workers(SERVICES) if self.settings.bus == "kafka" else None
            keeper.start()
            self._serve(began)
        finally:
            stopping.set()
            if self.workers is not None:
                self.workers.stop()
            if keeper.ident is not None:
                keeper.join(70)
            self.postgres.stop()

    def _start_clock(self) -> None:
        wanted = os.environ.get("CLEANPROD_CLOCK", "")
        if wanted:
            from datetime import date

            try:
                day = date.fromisoformat(wanted)
            except ValueError as error:
                raise CannotStart(f"CLEANPROD_CLOCK must be a day such as 2026-03-10, not “{wanted}”.") from error
            clock = Clock(self.home.clock)
            if not self.home.clock.exists() or clock.today() < day:
                clock.move_to(day)

    def _serve(self, began: float) -> None:
        system = System(SERVICES, Settings())
        system.migrate()
        system.seed()
        credentials.provide(self.home, system)
        self._prepare_kafka(system)
        sandbox.mount(system)
        documents.mount(system.edge.api, SERVICES)
        health = system.edge.api.state.health
        health.ready = False
        if self.workers is not None:
            self.workers.start()
        else:
            system.run()
        server = uvicorn.Server(_config(system, self.settings))
        threading.Thread(target=self._finish, args=(system, server, began), daemon=True).start()
        try:
            server.run()
        finally:
            system.stop()

    def _prepare_kafka(self, system: System) -> None:
        if self.settings.bus != "kafka":
            return
        try:
            system.bus.prepare()
        except BusUnavailable:
            # Writes are answered all the same; the workers make the topics when the broker is back.
            log.warning("run.broker_away", servers=self.settings.kafka)

    def _finish(self, system: System, server: uvicorn.Server, began: float) -> None:
        _wait(lambda: server.started)
        try:
            if os.environ.get("CLEANPROD_SAMPLE", "") != "none":
                sample.load(self.home, system)
        except Exception:
            log.exception("run.sample_failed")
            sys.stderr.write("cleanprod: the sample province could not be loaded; see the log above.\n")
            server.should_exit = True
            return
        settle_in()
        system.edge.api.state.health.ready = True
        sys.stdout.write(_welcome(self.home, self.settings, time.monotonic() - began))
        sys.stdout.flush()


def _config(system: System, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        system.edge,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        loop="uvloop",
        http="httptools",
        timeout_graceful_shutdown=10,
    )


def _wait(done: Callable[[], bool]) -> None:
    while not done():
        time.sleep(0.05)


def _welcome(home: Home, settings: Settings, seconds: float) -> str:
    url, file = settings.issuer, home.credentials
    return f"""
湖南清洁生产平台已就绪 / The Hunan clean-production platform is ready: {url}   ({seconds:.1f} s)
客户端与密钥 / clients and secrets: {file}
文档 / documents: {url}/docs

试一试 / try:
  TOKEN=$(.venv/bin/python -m infra.token provincial_ecology)
  curl -s -H "Authorization: Bearer $TOKEN" "{url}/registry/v1/enterprises?limit=3"
  curl -s -H "Authorization: Bearer $TOKEN" "{url}/audits/v1/deadlines?state=overdue&limit=3"
"""

