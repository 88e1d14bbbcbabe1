"""KafkaBus: one topic per producing service, keyed by subject. The only module that imports kafka."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaError,
    NotCoordinatorError,
    TopicAlreadyExistsError,
)
from kafka.structs import OffsetAndMetadata

from shared.crashpoints import crash_point
from shared.events import PRODUCERS, Envelope, topic_of
from shared.messaging.outbox import BusUnavailable

log = structlog.get_logger("kafka")

PARTITIONS = 6
BATCH = 200
# Kafka's own seven days would lose what a consumer that is down longer, or a new one, has yet to hear.
KEPT_WHOLE = {"retention.ms": "-1", "retention.bytes": "-1"}
BROKERS_OWN = -1
COORDINATED_WITHIN = 10.0  # seconds
NEVER = -1  # the offset of a group that has settled nothing yet
POLL_SECONDS = 0.5
TOPICS_ASKED_SECONDS = 60.0  # how long partitions that were added to a topic may go unnoticed
SESSION_SECONDS = 10.0
JOINING_SECONDS = 2 * SESSION_SECONDS  # a member that died without a word is waited for through one session


def _make(admin: Any, topic: str) -> None:
    fresh = NewTopic(name=topic, num_partitions=PARTITIONS, replication_factor=BROKERS_OWN, topic_configs=KEPT_WHOLE)
    with suppress(TopicAlreadyExistsError):
        admin.create_topics([fresh])


def _keep_whole(admin: Any, topic: str) -> None:
    """Of a topic that is older than this rule, or that a broker made of its own accord."""
    # The client takes a setting for unknown while the broker still spreads the word of a topic.
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, KEPT_WHOLE)], raise_on_unknown=False)


class JoiningUnended(KafkaError):  # type: ignore[misc]
    """The group gave partitions that this member has not heard of: it is to join anew."""


class _Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Watches that what is given up for a rebalance is followed by what is given instead.

    kafka-python 3.0 forgets a join that outlasts the poll it began in, when a change of the topics was its cause: the
    heart stops, nothing is read any more, and no error is raised.
    """

    def __init__(self) -> None:
        self._joining_since: float | None = None

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._joining_since = time.monotonic()

    def on_partitions_assigned(self, assigned: Any) -> None:
        self._joining_since = None

    def require_end_of_joining(self) -> None:
        """Raises `JoiningUnended` where a join lasts longer than any that is only slow."""
        since = self._joining_since
        if since is not None and time.monotonic() - since > JOINING_SECONDS:
            raise JoiningUnended(f"no partitions in {JOINING_SECONDS:.0f} s")


class KafkaBus:
    """The broker of the province; offsets move only by our own commits."""

    def __init__(self, servers: str) -> None:
        self._servers = servers.split(",")
        self._producer: Any = None
        self._observer: Any = None
        self._admin: Any = None
        self._observing = threading.Lock()

    def prepare(self) -> None:
        """Make the five topics, and let all of them keep what they hold. Raises `BusUnavailable`."""
        try:
            admin = KafkaAdminClient(bootstrap_servers=self._servers)
        except KafkaError as error:
            raise BusUnavailable(repr(error)) from error
        try:
            there = set(admin.list_topics())
            for topic in map(topic_of, PRODUCERS):
                if topic in there:
                    _keep_whole(admin, topic)
                else:
                    _make(admin, topic)
        except KafkaError as error:
            raise BusUnavailable(repr(error)) from error
        finally:
            admin.close()

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Send and wait for every acknowledgement; raises `BusUnavailable` when one is missing."""
        try:
            producer = self._connected()
            sent = [
                producer.send(e.topic, key=e.subject.encode(), value=e.model_dump_json().encode()) for e in envelopes
            ]
            producer.flush(timeout=30)
            for future in sent:
                future.get(timeout=30)
        except KafkaError as error:
            self.close()
            raise BusUnavailable(repr(error)) from error

    def consume(
        self, group: str, topics: list[str], settle: Callable[[Sequence[bytes]], None], stop: threading.Event
    ) -> None:
        """Settle records strictly in order per partition; an offset moves only after its own records."""
        while not stop.is_set():
            try:
                self._consume(group, topics, settle, stop)
            except KafkaError as error:
                log.warning("consumer.bus_unavailable", group=group, error=repr(error))
                stop.wait(1.0)

    def _consume(
        self, group: str, topics: list[str], settle: Callable[[Sequence[bytes]], None], stop: threading.Event
    ) -> None:
        membership = _Membership()
        consumer = self._member(group)
        try:
            consumer.subscribe(topics, listener=membership)
            for topic in topics:
                # A member that joins before it knows its topics is given nothing, and has to join once more.
                consumer.partitions_for_topic(topic)
            while not stop.is_set():
                polled = consumer.poll(timeout_ms=int(POLL_SECONDS * 1000), max_records=BATCH)
                membership.require_end_of_joining()
                for partition, records in polled.items():
                    crash_point("consumer.before_settle")
                    settle([record.value for record in records])
                    crash_point("consumer.after_settle")
                    consumer.commit({partition: OffsetAndMetadata(records[-1].offset + 1, "", -1)})
                    crash_point("consumer.after_offset")
        finally:
            consumer.close(autocommit=False)

    def _member(self, group: str) -> Any:
        # kafka-python's own defaults would commit on a timer and start at the newest record.
        return KafkaConsumer(
            bootstrap_servers=self._servers,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=BATCH,
            fetch_max_wait_ms=500,
            fetch_min_bytes=1,
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=2000,
            metadata_max_age_ms=int(TOPICS_ASKED_SECONDS * 1000),
        )

    def records(self, topics: list[str], since: datetime, group: str = "") -> Iterator[bytes]:
        """What was published since an instant, in order per partition; with a group, only what it has settled."""
        consumer = KafkaConsumer(bootstrap_servers=self._servers, group_id=group or None, enable_auto_commit=False)
        try:
            parts, first = _first_since(consumer, topics, since)
            ends = consumer.end_offsets(parts)
            if group:
                ends = {part: consumer.committed(part) or 0 for part in parts}
            left = {part: ends[part] for part in parts if first[part] < ends[part]}
            consumer.assign(list(left))
            for part in left:
                consumer.seek(part, first[part])
            while left:
                for part, found in consumer.poll(timeout_ms=500).items():
                    yield from (record.value for record in found if record.offset < ends[part])
                left = {part: end for part, end in left.items() if consumer.position(part) < end}
        finally:
            consumer.close(autocommit=False)

    def rewind(self, group: str, topics: list[str], since: datetime) -> None:
        """Turn a group back, so that everything since an instant comes to it again; raises while it has members."""
        consumer = KafkaConsumer(bootstrap_servers=self._servers, group_id=group, enable_auto_commit=False)
        try:
            parts, first = _first_since(consumer, topics, since)
            settled = {part: consumer.committed(part) for part in parts}
            back = {part: first[part] for part in parts if (settled[part] or 0) > first[part]}
            consumer.assign(list(back))
            if back:
                consumer.commit({part: OffsetAndMetadata(offset, "", -1) for part, offset in back.items()})
        except KafkaError as error:
            raise BusUnavailable(f"{group} was not turned back (do its workers still run?): {error!r}") from error
        finally:
            consumer.close(autocommit=False)

    def lag(self, group: str, topics: list[str]) -> int:
        """Records that the group has not settled."""
        with self._observing:
            consumer, admin = self._observers()
            parts = [TopicPartition(t, p) for t in topics for p in consumer.partitions_for_topic(t) or ()]
            starts, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
            # One question for all partitions: `committed` would ask for each, and health is asked for every few seconds.
            settled = _settled(admin, group, parts) if parts else {}
            return sum(ends[p] - (starts[p] if settled[p].offset == NEVER else settled[p].offset) for p in parts)

    def _observers(self) -> tuple[Any, Any]:
        if self._observer is None:
            self._observer = KafkaConsumer(bootstrap_servers=self._servers, enable_auto_commit=False)
        if self._admin is None:
            self._admin = KafkaAdminClient(bootstrap_servers=self._servers)
        return self._observer, self._admin

    def check(self) -> None:
        """Raises when the broker does not answer."""
        try:
            with self._observing:
                self._observers()[0].topics()
        except KafkaError as error:
            raise BusUnavailable(repr(error)) from error

    def close(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.close(timeout=1)
        with self._observing:
            observer, admin, self._observer, self._admin = self._observer, self._admin, None, None
            if observer is not None:
                observer.close(autocommit=False)
            if admin is not None:
                admin.close()

    def _connected(self) -> Any:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._servers,
                acks="all",
                linger_ms=0,
                request_timeout_ms=15000,
                max_block_ms=5000,
                delivery_timeout_ms=20000,
            )
        return self._producer


def _settled(admin: Any, group: str, parts: list[Any]) -> Any:
    """Where a group stands. A broker that has just started makes it a coordinator first, and is asked again meanwhile."""
    end = time.monotonic() + COORDINATED_WITHIN
    while True:
        try:
            return admin.list_group_offsets({group: parts})[group]
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            if time.monotonic() > end:
                raise
        time.sleep(0.1)


def _first_since(consumer: Any, topics: list[str], since: datetime) -> tuple[list[Any], dict[Any, int]]:
    """The partitions, and in each the first offset not older than an instant."""
    parts = [TopicPartition(topic, p) for topic in topics for p in consumer.partitions_for_topic(topic) or ()]
    found = consumer.offsets_for_times({part: int(since.timestamp() * 1000) for part in parts}) if parts else {}
    ends = consumer.end_offsets(parts) if parts else {}
    return parts, {part: found[part].offset if found.get(part) else ends[part] for part in parts}
