"""The nemesis: named faults, and a schedule of them drawn from a seed."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from infra.client import until
from infra.home import SERVICE_NAMES
from infra.parts import SERVICES
from infra.postgres import BUS
from infra.rotate import rotate
from shared.crashpoints import CRASH_POINTS
from shared.events import Envelope, topic_of
from tests.fault.lab.history import History
from tests.fault.lab.load import World
from tests.fault.lab.proxy import DOWN, UP
from tests.fault.lab.topology import API, EMBEDDED, RECEIVER, Lab

LONG_PAUSE = 12.0  # beyond Kafka's session time-out
RARE = ("import.", "publish.")  # crash points that a campaign comes by in its first steps only
LISTENERS = [service for service in SERVICES if service.handlers.topics]


@dataclass
class Nemesis:
    """Strikes a lab with faults, one at a time; each is over, and healed, when `strike` returns."""

    world: World
    chance: random.Random
    poison: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    begin: Callable[[], None] = lambda: None  # another campaign, for what only the beginning of one comes by

    @property
    def lab(self) -> Lab:
        return self.world.lab

    @property
    def history(self) -> History:
        return self.world.history

    def strike(self, name: str) -> None:
        """One fault by name, from its beginning to its end."""
        self.history.note("fault", name=name)
        FAULTS[name].do(self)
        self.history.note("healed", name=name)
        self.counts[name] = self.counts.get(name, 0) + 1

    def schedule(self, count: int, only: Sequence[str] = ()) -> list[str]:
        """Which faults come, in which order: every one once before any comes twice."""
        names: list[str] = []
        while len(names) < count:
            turn = [n for n in FAULTS if self.lab.bus in FAULTS[n].buses and (not only or n in only)]
            self.chance.shuffle(turn)
            names += turn
        return names[:count]

    def hold(self, least: float, most: float) -> None:
        """Let the fault last: load goes on against it meanwhile."""
        time.sleep(self.chance.uniform(least, most))

    @contextmanager
    def weather(self, link: str, **weather: Any) -> Iterator[None]:
        self.history.note("weather", link=link, **{k: str(v) for k, v in weather.items()})
        self.lab.network.set(link, **weather)
        try:
            yield
        finally:
            self.lab.network.clear(link)

    def link(self, kind: str) -> str:
        """One of the links of a kind: to a database, to the bus, to the API, to the receiver."""
        return self.chance.choice([name for name in self.lab.network.links if kind in name])


@dataclass(frozen=True)
class Fault:
    """A row of the table: its number in the catalogue, what it is, where it can be, what it does."""

    number: str
    what: str
    do: Callable[[Nemesis], None]
    buses: tuple[str, ...] = ("embedded", "kafka", "compose")


def kill_process(n: Nemesis) -> None:
    part = n.chance.choice(list(n.lab.supervisor.parts.values()))
    n.history.note("kill", part=part.name)
    part.kill()
    n.lab.wait_ready()


def crash_at(n: Nemesis, point: str = "") -> None:
    """Arm a point and wait until somebody came by it; where nobody comes by, it is disarmed."""
    point = point or n.chance.choice(sorted(CRASH_POINTS))
    n.history.note("arm", point=point)
    n.history.allowed = sys.maxsize  # somebody has to come by
    n.lab.crash_file.write_text(point)
    if point.startswith(RARE):
        n.begin()
    try:
        until(lambda: not n.lab.crash_file.exists(), 15, point)
        n.counts[f"reached {point}"] = n.counts.get(f"reached {point}", 0) + 1
    except TimeoutError:
        n.lab.crash_file.unlink(missing_ok=True)
    n.lab.wait_ready()


def pause_process(n: Nemesis) -> None:
    """Long enough for its session at the broker to lapse: what it does when it wakes must be refused or harmless."""
    part = n.chance.choice(list(n.lab.supervisor.parts.values()))
    part.send(signal.SIGSTOP)
    n.hold(*((LONG_PAUSE, LONG_PAUSE + 2) if n.lab.bus != EMBEDDED else (3, 6)))
    part.send(signal.SIGCONT)
    n.lab.wait_ready()


def kill_broker(n: Nemesis) -> None:
    assert n.lab.broker is not None
    n.lab.broker.do("kill")
    n.hold(0.5, 3)
    n.lab.broker.do("start")


def pause_broker(n: Nemesis) -> None:
    assert n.lab.broker is not None
    n.lab.broker.do("pause")
    n.hold(2, 8)
    n.lab.broker.do("resume")


def slow_broker(n: Nemesis) -> None:
    with n.weather("services→kafka", latency=0.3, slice=700):
        n.hold(2, 5)


def part_broker(n: Nemesis) -> None:
    with n.weather("services→kafka", blackholes=frozenset({n.chance.choice((UP, DOWN))})):
        n.hold(2, 6)


def reset_broker(n: Nemesis) -> None:
    with n.weather("services→kafka", reset_after=n.chance.randint(500, 20_000)):
        n.hold(1, 3)


def slow_database(n: Nemesis) -> None:
    with n.weather(n.link("→postgres"), latency=0.05):
        n.hold(1, 4)


def part_database(n: Nemesis) -> None:
    with n.weather(n.link("→postgres"), blackholes=frozenset({n.chance.choice((UP, DOWN))})):
        n.hold(1, 5)


def reset_database(n: Nemesis) -> None:
    """In the middle of a message: the client does not know whether its commit was done."""
    with n.weather(n.link("→postgres"), reset_after=n.chance.randint(200, 30_000)):
        n.hold(0.5, 2)


def refuse_database(n: Nemesis) -> None:
    link = n.link("→postgres")
    with n.weather(link, refuse=True):
        n.lab.network.reset(link)
        n.hold(0.5, 3)


def cut_callers(n: Nemesis) -> None:
    with n.weather(n.link(API), reset_after=n.chance.randint(0, 5000)):
        n.hold(1, 3)


def deaf_callers(n: Nemesis) -> None:
    """Requests arrive, answers do not; a change is among them, whatever the load is at."""
    with n.weather(n.link(API), blackholes=frozenset({DOWN})):
        n.history.allowed = sys.maxsize
        n.begin()
        n.hold(1, 3)


def half_close_callers(n: Nemesis) -> None:
    for _ in range(5):
        n.lab.network.half_close(n.link(API))
        n.hold(0.05, 0.3)


def bad_receiver(n: Nemesis) -> None:
    """Refuses, answers nonsense, and breaks off: before the answer, or after it was made."""
    answers = n.chance.choices((204, 204, 500, 503, 429, 302), k=64)
    n.lab.receiver.answer = lambda received: answers[int(received.headers["webhook-timestamp"]) % len(answers)]
    with n.weather(RECEIVER, reset_after=n.chance.choice((-1, 300, 1500, 4000))):
        n.hold(1, 4)
    n.lab.receiver.answer = lambda received: 204


def deaf_receiver(n: Nemesis) -> None:
    with n.weather(RECEIVER, blackholes=frozenset({DOWN})):
        n.hold(1, 4)


def crash_postgres(n: Nemesis) -> None:
    n.lab.postgres.stop(crash=True)
    n.hold(0.2, 2)
    n.lab.postgres.start()
    n.lab.wait_ready()


def kill_backend(n: Nemesis) -> None:
    """PostgreSQL ends every session and recovers by itself."""
    with psycopg.connect(n.lab.postgres.admin_url(), autocommit=True) as admin:
        pids = [
            row[0]
            for row in admin.execute("SELECT pid FROM pg_stat_activity WHERE datname = ANY(%s)", (list(SERVICE_NAMES),))
        ]
    if pids:
        os.kill(n.chance.choice(sorted(pids)), signal.SIGKILL)
    until(lambda: _connects(n.lab), 30, "PostgreSQL to recover")
    n.lab.wait_ready()


def _connects(lab: Lab) -> bool:
    try:
        psycopg.connect(lab.postgres.admin_url(), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def end_sessions(n: Nemesis) -> None:
    """Sessions are ended at random, some in the middle of a transaction."""
    with psycopg.connect(n.lab.postgres.admin_url(), autocommit=True) as admin:
        for _ in range(n.chance.randint(3, 10)):
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> pg_backend_pid()"
                " AND random() < 0.3",
                ([*SERVICE_NAMES, BUS],),
            )
            n.hold(0.05, 0.4)


def lock_hot_rows(n: Nemesis) -> None:
    """Somebody holds what everybody wants for a while."""
    with psycopg.connect(n.lab.postgres.admin_url("notifications")) as admin:
        admin.execute("SELECT * FROM log_head FOR UPDATE")
        n.hold(0.5, 3)


def replay_everything(n: Nemesis) -> None:
    """A group starts again from the first event: duplicates of everything."""
    service = n.chance.choice(LISTENERS)
    n.history.note("replay", service=service.name)
    if n.lab.bus == EMBEDDED:
        with psycopg.connect(n.lab.postgres.admin_url(BUS), autocommit=True) as admin:
            admin.execute("UPDATE group_offset SET position = 0 WHERE consumer = %s", (service.name,))
        return
    _rewind(n, service.name, service.handlers.topics)


def _rewind(n: Nemesis, group: str, topics: Sequence[str]) -> None:
    """Offsets can only be set while nobody of the group is there: its process is stopped, its session lapses."""
    assert n.lab.broker is not None
    with n.lab.supervisor.held(f"{group}-worker"):
        consumer = KafkaConsumer(bootstrap_servers=n.lab.broker.servers, group_id=group, enable_auto_commit=False)
        parts = [TopicPartition(t, p) for t in topics for p in consumer.partitions_for_topic(t) or ()]
        until(lambda: _committed(consumer, parts), 40, f"the group {group} to be empty")
        consumer.close(autocommit=False)
    n.lab.wait_ready()


def _committed(consumer: Any, parts: Sequence[Any]) -> bool:
    try:
        consumer.assign(list(parts))
        consumer.commit({part: OffsetAndMetadata(0, "", -1) for part in parts})
    except Exception:  # the broker still believes that the group has members
        time.sleep(0.5)
        return False
    return True


def poison_bus(n: Nemesis) -> None:
    """What no relay of ours would send: not JSON, no envelope, an unknown type, an event that no handler can take."""
    subject = f"poison-{uuid4()}"
    told = Envelope.model_validate(
        {
            "id": uuid4(), "type": "registry.enterprise.registered.v1", "source": "registry", "subject": subject,
            "time": "2026-01-01T00:00:00Z", "correlation_id": "poison", "data": {"uscc": subject},
        }
    )  # fmt: skip
    n.poison.add(str(told.id))
    unknown = told.model_copy(update={"id": uuid4(), "type": "registry.enterprise.abolished.v9"})
    values = [b"\xff\xfenot json", b"{}", b"[1, 2", unknown.model_dump_json().encode(), told.model_dump_json().encode()]
    n.history.note("poison", envelope=str(told.id))
    _put(n, topic_of("registry"), subject, values)


def _put(n: Nemesis, topic: str, key: str, values: Sequence[bytes]) -> None:
    if n.lab.bus == EMBEDDED:
        with psycopg.connect(n.lab.postgres.admin_url(BUS)) as admin:
            admin.execute("SELECT pg_advisory_xact_lock(4302)")
            for value in values:
                admin.execute("INSERT INTO log (topic, key, value) VALUES (%s, %s, %s)", (topic, key, value))
        return
    assert n.lab.broker is not None
    producer = KafkaProducer(bootstrap_servers=n.lab.broker.servers, acks="all")
    for value in values:
        producer.send(topic, key=key.encode(), value=value).get(timeout=30)
    producer.close()


def rotate_secrets(n: Nemesis) -> None:
    """A subscription's secret, a client's secret and the platform's keys change under load.

    The token key changes once in a run: a second time within a token's life would end tokens, and may.
    """
    for kind in ("sealing", "webhook") if n.counts.get("secrets-rotated") else ("token", "sealing", "webhook"):
        rotate(kind, n.lab.home.secrets)
    subscription, client = n.chance.choice(sorted(n.world.subscriptions.items()))
    n.world.rotate_webhook_secret(subscription)
    n.world.rotate_client_secret(client)


ON_KAFKA = ("kafka", "compose")
FAULTS: dict[str, Fault] = {
    "kill": Fault("F1", "kill -9 of a process", kill_process),
    "crash-point": Fault("F1", "kill -9 at a named crash point", crash_at),
    "pause": Fault("F2", "a process stops (SIGSTOP) and wakes", pause_process),
    "broker-kill": Fault("F3", "kill -9 of the broker", kill_broker, ON_KAFKA),
    "broker-pause": Fault("F3", "the broker stops and wakes", pause_broker, ON_KAFKA),
    "broker-slow": Fault("F3", "the broker is slow", slow_broker, ON_KAFKA),
    "broker-partition": Fault("F5", "one-way partition from the broker", part_broker, ON_KAFKA),
    "broker-reset": Fault("F5", "connections to the broker are reset", reset_broker, ON_KAFKA),
    "database-slow": Fault("F5", "a database is slow", slow_database),
    "database-partition": Fault("F5", "one-way partition from a database", part_database),
    "database-reset": Fault("F5", "connections to a database are reset in mid-message", reset_database),
    "database-refused": Fault("F5", "a database refuses connections", refuse_database),
    "caller-reset": Fault("F5", "callers' connections are reset in mid-message", cut_callers),
    "caller-deaf": Fault("F5", "answers to callers are lost", deaf_callers),
    "caller-half-close": Fault("F5", "callers' connections are half closed", half_close_callers),
    "postgres-crash": Fault("F6", "PostgreSQL crashes and recovers", crash_postgres),
    "backend-kill": Fault("F6", "kill -9 of a PostgreSQL backend", kill_backend),
    "sessions-ended": Fault("F7", "sessions are ended at random", end_sessions),
    "hot-lock": Fault("F7", "a hot row is held", lock_hot_rows),
    "replay": Fault("F12", "a consumer hears everything again", replay_everything),
    "poison": Fault("F13", "poison on the bus", poison_bus),
    "secrets-rotated": Fault("F17", "keys and secrets are rotated under load", rotate_secrets),
    "receiver-bad": Fault("F16", "a receiver refuses and breaks off", bad_receiver),
    "receiver-deaf": Fault("F16", "a receiver's answers are lost", deaf_receiver),
}
