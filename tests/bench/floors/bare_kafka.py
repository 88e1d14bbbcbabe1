"""Floor of the relay and the consumers: kafka-python alone, one topic; SERVERS COUNT prints sent and read per second."""

import json
import sys
import time
from typing import Any
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata

BODY = json.dumps({"type": "floor", "data": "x" * 500}).encode()
SENT_AT_ONCE, READ_AT_ONCE = 500, 200


def main(servers: str, count: int) -> list[float]:
    topic = f"bare-{uuid4().hex}"
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics([NewTopic(name=topic, num_partitions=6, replication_factor=1)])
    admin.close()
    return [count / _send(servers, topic, count), count / _read(servers, topic, count)]


def _send(servers: str, topic: str, count: int) -> float:
    producer: Any = KafkaProducer(bootstrap_servers=servers, acks="all")
    producer.send(topic, BODY).get(timeout=30)
    began = time.perf_counter()
    for first in range(1, count, SENT_AT_ONCE):
        for number in range(first, min(first + SENT_AT_ONCE, count)):
            producer.send(topic, key=str(number % 50).encode(), value=BODY)
        producer.flush(timeout=30)
    spent = time.perf_counter() - began
    producer.close()
    return spent


def _read(servers: str, topic: str, count: int) -> float:
    """Polled in batches, each partition's offset committed after its records."""
    consumer: Any = KafkaConsumer(
        topic, bootstrap_servers=servers, group_id=topic, auto_offset_reset="earliest", enable_auto_commit=False
    )
    began, read = 0.0, 0
    while read < count:
        for partition, records in consumer.poll(timeout_ms=500, max_records=READ_AT_ONCE).items():
            began = began or time.perf_counter()
            read += len(records)
            consumer.commit({partition: OffsetAndMetadata(records[-1].offset + 1, "", -1)})
    spent = time.perf_counter() - began
    consumer.close(autocommit=False)
    return spent


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
