"""Heal, wait for quiet, and compute every invariant from the databases, the history and the receiver's log."""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import psycopg

from infra.home import SERVICE_NAMES
from infra.parts import SERVICES
from shared.db import Database
from shared.messaging.kafka import KafkaBus
from shared.messaging.postgres import PostgresBus
from shared.sealing import Sealer
from tests.fault.lab import bounds, chains, deliveries, effects, leaks, rebuild, repeats, snapshot
from tests.fault.lab.load import World
from tests.fault.lab.topology import EMBEDDED, Lab

QUIET_SECONDS = 180.0
REPEATED = 150
WAITING = {
    "outbox": "SELECT count(*) FROM outbox WHERE published_at IS NULL",
    "jobs": "SELECT count(*) FROM job WHERE state IN ('queued', 'running')",
    "deliveries": "SELECT count(*) FROM delivery d JOIN subscription s ON s.id = d.subscription_id AND s.state = 'active'"
    " WHERE d.state IN ('ready', 'retry_wait')",
    "lanes": "SELECT count(*) FROM lane l JOIN subscription s ON s.id = l.subscription_id AND s.state = 'active'",
}


@dataclass
class Report:
    """The violations of each invariant; none is what we want."""

    violations: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        return not any(self.violations.values())

    def __str__(self) -> str:
        lines = []
        for name, found in sorted(self.violations.items()):
            lines.append(f"{name}: {'held' if not found else f'{len(found)} violations'}")
            lines += [f"    {line}" for line in found[:12]]
        return "\n".join([*lines, str(self.sizes)])


class Checker:
    """What must hold of a lab once nothing disturbs it."""

    def __init__(self, lab: Lab, world: World) -> None:
        self.lab, self.world = lab, world
        self.poison: set[str] = set()

    def check(self, complaints: list[str]) -> Report:
        """All ten. `complaints` are those of the load."""
        report, history = Report(), self.world.history
        noisy = self.wait_quiet()
        now = snapshot.taken(self.lab.postgres)
        identities = {name: caller.identity for name, caller in self.world.callers.items()}
        ids = {name: identity["client_id"] for name, identity in identities.items()}
        sealer = Sealer.from_file(self.lab.home.secrets / "sealing.key")
        received = list(self.lab.receiver.received)

        def compute(name: str, *computed: Callable[[], list[str]]) -> None:
            began = time.monotonic()
            report.violations[name] = [line for each in computed for line in each()]
            report.seconds[name] = round(time.monotonic() - began, 2)

        compute("I1", lambda: complaints, lambda: effects.nothing_lost(now, history, sealer, ids))
        compute("I2", lambda: effects.nothing_twice(now, history, received, self.world.secrets))
        compute("I3", lambda: chains.chains_whole(now))
        compute("I4", lambda: noisy, lambda: deliveries.all_delivered(now, self.poison))
        compute("I5", lambda: chains.in_order(now, received))
        compute("I6", lambda: rebuild.converged(now, rebuild.rebuilt(self.lab.postgres, now.events(), self.lab.direct)))
        compute("I7", lambda: self._repeat(now))
        compute("I8", lambda: bounds.bounded(self.lab))
        compute("I9", lambda: leaks.nothing_leaked(now, history, identities))
        compute("I10", lambda: deliveries.nothing_stuck(now))
        report.sizes = {
            "operations": len(history.operations),
            "unknown": sum(op.lost for op in history.operations),
            "reads": len(history.seen),
            "events": len(now.events()),
            "deliveries": len(now.rows("notifications", "delivery")),
            "posts": len(received),
        }
        return report

    def _repeat(self, now: snapshot.Snapshot) -> list[str]:
        chance = random.Random(self.world.seed)
        found = repeats.retries_safe(self.world.history, self.world.callers, chance, REPEATED)
        return found + repeats.nothing_changed(now, snapshot.taken(self.lab.postgres))

    def wait_quiet(self) -> list[str]:
        """Until nothing waits anywhere, twice in a row; what still waits when the time is up."""
        self.lab.network.clear()
        self.lab.crash_file.unlink(missing_ok=True)
        self.lab.wait_ready()
        end, calm = time.monotonic() + QUIET_SECONDS, 0
        with Observed(self.lab) as observed:
            while calm < 2:
                waiting = observed.waiting()
                calm = 0 if waiting else calm + 1
                if waiting and time.monotonic() > end:
                    return [f"still waiting after {QUIET_SECONDS:.0f} s: {what}" for what in waiting]
                time.sleep(0.1)
        return []


class Observed:
    """What waits in the databases and on the bus, asked past the proxies."""

    def __init__(self, lab: Lab) -> None:
        self._lab, self._stack = lab, ExitStack()

    def __enter__(self) -> "Observed":
        self._connections = {
            name: self._stack.enter_context(psycopg.connect(self._lab.postgres.admin_url(name), autocommit=True))
            for name in SERVICE_NAMES
        }
        if self._lab.bus == EMBEDDED:
            database = Database(self._lab.direct["BUS_DATABASE_URL"])
            self._stack.callback(database.dispose)
            self._bus: PostgresBus | KafkaBus = PostgresBus(database)
        else:
            assert self._lab.broker is not None
            self._bus = KafkaBus(self._lab.broker.servers)
            self._stack.callback(self._bus.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def waiting(self) -> list[str]:
        found = []
        for name, connection in self._connections.items():
            for what, statement in WAITING.items():
                table = statement.split("FROM ")[1].split()[0]
                if not connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0]:  # type: ignore[index]
                    continue
                row = connection.execute(statement).fetchone()
                found += [f"{name}: {row[0]} {what}"] if row and row[0] else []
        for service in SERVICES:
            if service.handlers.topics and (lag := self._bus.lag(service.name, service.handlers.topics)):
                found.append(f"{service.name}: {lag} records on the bus")
        return found
