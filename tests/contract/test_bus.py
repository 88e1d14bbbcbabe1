"""One contract for both buses: order per subject, redelivery after a crash, unknown types, groups of their own."""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.net.connection import KafkaConnection

from infra.client import until
from shared.db import Database
from shared.events import PRODUCERS, Envelope, topic_of
from shared.messaging import kafka as kafka_bus
from shared.messaging.kafka import PARTITIONS, KafkaBus
from shared.messaging.postgres import PostgresBus
from tests.broker import Broker

Bus = PostgresBus | KafkaBus


def envelope(subject: str, number: int, type: str = "registry.enterprise.changed.v1") -> Envelope:
    return Envelope(
        id=uuid.uuid4(),
        type=type,
        source="registry",
        subject=subject,
        time=datetime.now(UTC),
        correlation_id="c",
        data={"n": number},
    )


@pytest.fixture(params=["postgres", pytest.param("kafka", marks=pytest.mark.kafka)])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    if request.param == "kafka":
        kafka = KafkaBus(request.getfixturevalue("broker").servers)
        kafka.prepare()
        yield kafka
        kafka.close()
    else:
        db = Database(request.getfixturevalue("environment")["BUS_DATABASE_URL"])
        embedded = PostgresBus(db)
        embedded.prepare()
        yield embedded
        db.dispose()


class Reader:
    """A consumer in a thread, stopped when it has seen what the test waits for."""

    def __init__(
        self, bus: Bus, group: str, want: Callable[[Envelope], bool], topics: Sequence[str] = ("registry.events",)
    ) -> None:
        self.seen: list[Envelope] = []
        self.stop, self._enough, self._want = threading.Event(), threading.Event(), want
        self.failure: BaseException | None = None
        self._topics = [*topics]
        self._thread = threading.Thread(target=self._run, args=(bus, group), daemon=True)

    def _run(self, bus: Bus, group: str) -> None:
        try:
            bus.consume(group, self._topics, self.settle, self.stop)
        except BaseException as error:
            self.failure = error
            self._enough.set()

    def settle(self, records: Sequence[bytes]) -> None:
        for record in records:
            found = Envelope.model_validate_json(record)
            if self._want(found):
                self.seen.append(found)

    def until(self, count: int) -> "Reader":
        give_up = threading.Event()
        with self.reading():
            for _ in range(600):
                if len(self.seen) >= count or self._enough.is_set():
                    break
                give_up.wait(0.05)
        return self

    @contextmanager
    def reading(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.stop.set()
            self._thread.join(timeout=15)


class TestBus:
    def test_one_subject_arrives_in_the_order_it_was_published(self, bus: Bus) -> None:
        mark = uuid.uuid4().hex
        sent = [envelope(f"{mark}-{i % 7}", i) for i in range(500)]
        bus.publish(sent[:200])
        bus.publish(sent[200:])
        reader = Reader(bus, f"g-{mark}", lambda e: e.subject.startswith(mark)).until(500)
        assert len(reader.seen) == 500
        for lane in range(7):
            numbers = [e.data["n"] for e in reader.seen if e.subject == f"{mark}-{lane}"]
            assert numbers == sorted(numbers)

    def test_what_was_not_settled_comes_again_and_nothing_is_skipped(self, bus: Bus) -> None:
        mark = uuid.uuid4().hex
        bus.publish([envelope(mark, i) for i in range(20)])
        first = Reader(bus, f"g-{mark}", lambda e: e.subject == mark)

        def die(records: Sequence[bytes]) -> None:
            if any(Envelope.model_validate_json(r).subject == mark for r in records):
                raise SystemExit("died before settling")

        first.settle = die  # type: ignore[method-assign]
        first.until(1)
        assert isinstance(first.failure, SystemExit)
        second = Reader(bus, f"g-{mark}", lambda e: e.subject == mark).until(20)
        assert [e.data["n"] for e in second.seen] == list(range(20))

    def test_groups_do_not_take_events_from_one_another(self, bus: Bus) -> None:
        mark = uuid.uuid4().hex
        bus.publish([envelope(mark, i) for i in range(5)])
        one = Reader(bus, f"a-{mark}", lambda e: e.subject == mark).until(5)
        two = Reader(bus, f"b-{mark}", lambda e: e.subject == mark).until(5)
        assert len(one.seen) == len(two.seen) == 5

    def test_lag_counts_what_a_group_has_not_settled(self, bus: Bus) -> None:
        mark = uuid.uuid4().hex
        Reader(bus, f"g-{mark}", lambda e: e.subject == mark).until(0)
        before = bus.lag(f"g-{mark}", ["registry.events"])
        bus.publish([envelope(mark, i) for i in range(3)])
        assert bus.lag(f"g-{mark}", ["registry.events"]) == before + 3
        Reader(bus, f"g-{mark}", lambda e: True).until(before + 3)
        assert bus.lag(f"g-{mark}", ["registry.events"]) == 0

    def test_bytes_are_carried_unchanged(self, bus: Bus) -> None:
        mark = uuid.uuid4().hex
        sent = envelope(mark, 1).model_copy(update={"data": {"name": "株洲“示例”\\n有限公司", "n": 1}})
        bus.publish([sent])
        assert Reader(bus, f"g-{mark}", lambda e: e.subject == mark).until(1).seen == [sent]


@pytest.mark.kafka
def test_the_broker_forgets_nothing_by_age_or_size_not_even_of_older_topics(broker: Broker) -> None:
    admin: Any = KafkaAdminClient(bootstrap_servers=broker.servers)
    names = [topic_of(producer) for producer in PRODUCERS]
    week = {"retention.ms": "604800000", "retention.bytes": "1000000"}

    def kept() -> set[tuple[str | None, ...]]:
        told = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])["topic"]
        return {tuple(told[name].get(key, {}).get("value") for key in week) for name in names}

    for older in (False, True):
        if older:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, week) for name in names])
            until(lambda: kept() == {tuple(week.values())}, 20, "the older rule")
        bus = KafkaBus(broker.servers)
        bus.prepare()
        bus.close()
        until(lambda: kept() == {("-1", "-1")}, 20, "the broker to tell of it")
    admin.close()


@pytest.mark.kafka
def test_a_lag_costs_the_broker_a_few_questions_however_many_partitions_there_are(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus, topics, asked = KafkaBus(broker.servers), [topic_of(producer) for producer in PRODUCERS], []
    bus.prepare()
    bus.lag("g-few", topics)
    send = KafkaConnection.send_request

    def counted(connection: Any, request: Any, **given: Any) -> Any:
        asked.append(type(request).__name__)
        return send(connection, request, **given)

    monkeypatch.setattr(KafkaConnection, "send_request", counted)
    bus.lag("g-few", topics)
    bus.close()
    questions = [name for name in asked if "Offset" in name]
    assert 0 < len(questions) < PARTITIONS, asked


@pytest.mark.kafka
def test_a_join_that_outlasts_every_poll_ends_in_reading_all_the_same(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first join to topics just made, and when partitions are added to a topic that is being read."""
    monkeypatch.setattr(kafka_bus, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(kafka_bus, "TOPICS_ASKED_SECONDS", 0.2)
    monkeypatch.setattr(kafka_bus, "JOINING_SECONDS", 1.0)
    mark = uuid.uuid4().hex
    topic = f"{mark}.events"
    admin: Any = KafkaAdminClient(bootstrap_servers=broker.servers)
    admin.create_topics([NewTopic(topic, 1, 1)])
    bus, producer = KafkaBus(broker.servers), KafkaProducer(bootstrap_servers=broker.servers, metadata_max_age_ms=200)
    reader = Reader(bus, f"g-{mark}", lambda e: e.subject == mark, [topic])

    def send(partition: int) -> None:
        record = envelope(mark, partition).model_dump_json().encode()
        until(lambda: partition in producer.partitions_for(topic), 20, f"the producer to know partition {partition}")
        producer.send(topic, record, partition=partition).get(10)

    send(0)
    with reader.reading():
        until(lambda: len(reader.seen) == 1, 20, "the first partition to be read")
        admin.create_partitions({topic: NewPartitions(total_count=2)})
        send(1)
        until(lambda: len(reader.seen) == 2, 20, "the partition that was added to be read")
    for open_one in (bus, producer, admin):
        open_one.close()
