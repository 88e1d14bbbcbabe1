"""Floor of the way of an event: the bare hops one after another, DATABASE_URL; SINK COUNT PER_SECOND [KAFKA].

Commit of one row; publish (insert and NOTIFY until the listener wakes, or a record acknowledged by the broker); poll
(a read of what is new); a POST to the receiver. Prints the seconds of every sum as JSON.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any, Protocol
from uuid import uuid4

import aiohttp
import psycopg
import uvloop
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

BODY = json.dumps({"type": "floor", "data": "x" * 700}).encode()


class Bus(Protocol):
    def publish(self) -> None: ...
    def poll(self) -> bytes: ...


class Listening:
    """A log table: its writer and, on a connection of its own, its reader."""

    def __init__(self) -> None:
        self._writer = psycopg.connect(os.environ["DATABASE_URL"])
        self._reader = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        self._writer.execute("DROP TABLE IF EXISTS hop_log")
        self._writer.execute(
            "CREATE TABLE hop_log (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value bytea NOT NULL)"
        )
        self._writer.commit()
        self._reader.execute("LISTEN hop_log")
        self._last = 0

    def publish(self) -> None:
        self._writer.execute("INSERT INTO hop_log (value) VALUES (%s)", (BODY,))
        self._writer.execute("SELECT pg_notify('hop_log', '')")
        self._writer.commit()
        for _ in self._reader.notifies(timeout=5, stop_after=1):
            return

    def poll(self) -> bytes:
        rows = self._reader.execute("SELECT n, value FROM hop_log WHERE n > %s ORDER BY n", (self._last,)).fetchall()
        self._last = rows[-1][0]
        return bytes(rows[-1][1])


class Broker:
    """A topic of one partition."""

    def __init__(self, servers: str) -> None:
        topic = f"hops-{uuid4().hex}"
        admin = KafkaAdminClient(bootstrap_servers=servers)
        admin.create_topics([NewTopic(name=topic, num_partitions=1, replication_factor=1)])
        admin.close()
        self._topic, self._producer = topic, KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=0)
        self._producer.send(topic, BODY).get(timeout=30)
        self._consumer: Any = KafkaConsumer(
            topic, bootstrap_servers=servers, auto_offset_reset="earliest", fetch_max_wait_ms=500, fetch_min_bytes=1
        )
        self.poll()

    def publish(self) -> None:
        self._producer.send(self._topic, BODY).get(timeout=30)

    def poll(self) -> bytes:
        while not (found := self._consumer.poll(timeout_ms=500)):
            continue
        return next(iter(found.values()))[0].value  # type: ignore[no-any-return]


async def main(sink: str, count: int, per_second: float, bus: Bus) -> list[float]:
    spent, outbox = [], psycopg.connect(os.environ["DATABASE_URL"])
    outbox.execute("DROP TABLE IF EXISTS hop_outbox")
    outbox.execute("CREATE TABLE hop_outbox (value jsonb NOT NULL)")
    outbox.commit()
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            began = time.perf_counter()
            outbox.execute("INSERT INTO hop_outbox VALUES (%s)", (BODY.decode(),))
            outbox.commit()
            bus.publish()
            async with session.post(sink, data=bus.poll()) as answer:
                await answer.read()
            spent.append(time.perf_counter() - began)
            await asyncio.sleep(max(0.0, 1 / per_second - spent[-1]))
    return spent


if __name__ == "__main__":
    made: Bus = Broker(sys.argv[4]) if len(sys.argv) > 4 else Listening()
    print(json.dumps(uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), made))))
