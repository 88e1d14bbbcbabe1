"""The five services on one thread over real databases, driven turn by turn; a crash ends a turn where it stands."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
from sqlmodel import Session

from infra.parts import SERVICES
from infra.system import System
from services.registry.roles import scopes_of
from shared.auth import Caller, TokenSigner
from shared.crashpoints import CRASH_POINTS, watched
from shared.events import Envelope
from shared.jobs import run_one
from shared.messaging.inbox import Handlers, Settler, Step, redrive
from shared.messaging.outbox import BusUnavailable, relay
from shared.messaging.quarantine import Quarantine
from shared.messaging.tables import Table
from shared.service import Service
from shared.settings import Settings
from tests.fault.simulation.bus import SeededBus
from tests.fault.simulation.chance import drawn_from

START = date(2026, 3, 10)
ILL = 0.4
NOBODY = 0  # no worker has this number: what a crashed turn has leased is free at once
# The dispatcher posts to a receiver outside; its three points are visited by the tests with processes.
POINTS = tuple(sorted(p for p in CRASH_POINTS if not p.startswith("dispatcher.")))


class Crash(BaseException):
    """The process ends here; nothing catches it but the world, which goes on as a new process would."""


class Ailing(Handlers):
    """A service's handlers, one of whose events nobody can handle until the defect is mended."""

    def __init__(self, service: Service, poison: int) -> None:
        super().__init__(service.name)
        self._whole, self._poison = service.handlers, poison
        self._seen: dict[UUID, None] = {}

    def steps(self, envelope: Envelope) -> list[tuple[str, Step]]:
        steps = self._whole.steps(envelope)
        if steps:
            self._seen.setdefault(envelope.id)
        ill = list(self._seen)[self._poison : self._poison + 1] == [envelope.id]
        return [(name, _fail) for name, _ in steps] if ill else steps


def _fail(envelope: Envelope, tx: Session) -> None:
    raise ValueError("a defect")


class World:
    """What one seed plays on: the services, its own bus, its own chance, its trace."""

    def __init__(self, signer: TokenSigner, clock: Path, admin_urls: dict[str, str]) -> None:
        self.system, self._signer, self._clock = System(SERVICES, Settings()), signer, clock
        self._loop = asyncio.new_event_loop()
        transport = httpx.ASGITransport(app=self.system.edge)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://simulation")
        self._admins = {name: psycopg.connect(url, autocommit=True) for name, url in admin_urls.items()}
        self.passed: Counter[str] = Counter()
        self.crashed: Counter[str] = Counter()

    def begin(self, seed: int) -> ExitStack:
        """Empty databases, the first day, and this seed's chance; what the stack holds ends with the seed."""
        self.chance, self.trace = random.Random(seed), list[str]()
        self.bus = SeededBus(random.Random(seed ^ 0x5EED), self.trace)
        chosen = self.chance.sample(POINTS, self.chance.randint(0, 6))
        self._plan = {point: set(self.chance.sample(range(1, 7), self.chance.randint(1, 2))) for point in chosen}
        self.ailing: dict[str, Handlers] = {}
        if self.chance.random() < ILL:
            service = self.chance.choice(SERVICES)
            self.ailing[service.name] = Ailing(service, self.chance.randint(0, 8))
        self._tokens: dict[tuple[str, str], str] = {}
        self._here: Counter[str] = Counter()
        self.cleared()
        self.set_day(START)
        stack = ExitStack()
        stack.enter_context(drawn_from(random.Random(seed ^ 0x1D5)))
        stack.enter_context(watched(self._pass))
        return stack

    def cleared(self) -> None:
        """Every table empty again."""
        for service in SERVICES:
            self.emptied(service, [*service.tables.tables, *Table.metadata.tables])

    def emptied(self, service: Service, tables: Sequence[str]) -> None:
        """Empty those of a service's tables that hold anything: an empty one costs as much to truncate."""
        admin = self._admins[service.name]
        rows = " UNION ALL ".join(f"SELECT '{n}' WHERE EXISTS (SELECT FROM \"{n}\")" for n in tables)
        if used := [row[0] for row in admin.execute(rows)]:
            admin.execute(f"TRUNCATE {', '.join(used)} RESTART IDENTITY CASCADE")

    def rows(self, service: str, statement: str) -> list[tuple[Any, ...]]:
        """What a service's database holds, read past its pool."""
        return self._admins[service].execute(statement).fetchall()

    def close(self) -> None:
        self._loop.run_until_complete(self._http.aclose())
        self._loop.close()
        self.system.stop()
        for admin in self._admins.values():
            admin.close()

    def _pass(self, point: str) -> None:
        self.passed[point] += 1
        self._here[point] += 1
        if self._here[point] in self._plan.get(point, ()):
            self.crashed[point] += 1
            self.trace.append(f"crash {point}")
            raise Crash(point)

    @property
    def today(self) -> date:
        return self.system.contexts["audits"].clock.today()

    def set_day(self, day: date) -> None:
        self._clock.write_text(day.isoformat())
        for context in self.system.contexts.values():
            context.clock._held = None  # two days within one tick of the file system's clock

    def ask(self, role: str, method: str, path: str, uscc: str = "", **options: Any) -> httpx.Response:
        """Ask until there is an answer, each time with the same key; a crash gives none."""
        headers = {
            "Authorization": f"Bearer {self._token(role, uscc)}",
            "Idempotency-Key": self.chance.randbytes(8).hex(),
        }
        headers |= options.pop("headers", {})
        request = self._http.build_request(method, path, headers=headers, **options)
        while True:
            try:
                answer = self._loop.run_until_complete(self._http.send(request))
            except Crash:
                continue
            self.trace.append(f"{role} {method} {path} {answer.status_code}")
            assert answer.status_code < 500, answer.text
            return answer

    def good(self, role: str, method: str, path: str, uscc: str = "", **options: Any) -> Any:
        answer = self.ask(role, method, path, uscc, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return json.loads(answer.content)

    def _token(self, role: str, uscc: str) -> str:
        if (role, uscc) not in self._tokens:
            place = "43" if role.startswith("provincial") else "4302" if role.startswith("city") else ""
            caller = Caller(f"sim-{role}-{uscc}", role, role, place, uscc, scopes_of(role))
            self._tokens[role, uscc] = self._signer.issue(caller, time.time())
        return self._tokens[role, uscc]

    def stir(self, turns: int) -> None:
        """Some turns of some services: what has happened by now has half arrived."""
        for _ in range(turns):
            self.turn(self.chance.choice(self.system.services))

    def daily(self) -> None:
        self.system.daily()

    def drain(self) -> None:
        """Turns of everything until nothing moves; the last of them on a bus that takes no liberties."""
        self.stir(3)
        self.bus.calm = True
        self._until_quiet()
        self.ailing.clear()
        for service in self.system.services:
            while subjects := self.rows(service.name, "SELECT subject FROM dead_letter ORDER BY position"):
                try:
                    redrive(subjects[0][0], service.handlers, self.system.contexts[service.name].db)
                    self.trace.append(f"redrive {service.name} {subjects[0][0]}")
                except Crash:
                    continue
        self._until_quiet()
        self.bus.calm = False

    def _until_quiet(self) -> None:
        while any([self.turn(service) for service in self.system.services]):
            pass

    def turn(self, service: Service) -> bool:
        """Relay, consume, do a job. A crash is movement: what it left is taken up by the next turn."""
        context, moved = self.system.contexts[service.name], False
        try:
            if self._has(service, "outbox WHERE published_at IS NULL"):
                moved = relay(context.db, self.bus) > 0
            if topics := service.handlers.topics:
                settler = Settler(self.ailing.get(service.name, service.handlers), context.db, waits=(0.0,))
                moved = self.bus.poll(service.name, topics, Quarantine(settler).settle) > 0 or moved
            if self._has(service, "job WHERE state IN ('queued', 'running')"):
                moved = run_one(service.jobs, context.db, context.clock, NOBODY) or moved
        except (Crash, BusUnavailable):
            return True
        return moved

    def _has(self, service: Service, what: str) -> bool:
        """Asked past the pool: a turn in which nothing happens costs a tenth."""
        return bool(self.rows(service.name, f"SELECT FROM {what} LIMIT 1"))
