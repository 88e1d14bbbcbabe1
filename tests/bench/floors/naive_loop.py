"""The usual delivery loop: claim one row, httpx.post, commit. DATABASE_URL; URL, bodies as lines on stdin."""

import os
import sys
import time

import httpx
import psycopg

CLAIM = "SELECT id, body FROM naive WHERE sent IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"


def main(url: str, bodies: list[bytes]) -> float:
    with psycopg.connect(os.environ["DATABASE_URL"]) as database, httpx.Client(trust_env=False) as client:
        database.execute("DROP TABLE IF EXISTS naive")
        database.execute("CREATE TABLE naive (id bigint PRIMARY KEY, body bytea NOT NULL, sent timestamptz)")
        database.execute("CREATE INDEX naive_due ON naive (id) WHERE sent IS NULL")
        with database.cursor().copy("COPY naive (id, body) FROM STDIN") as rows:
            for number, body in enumerate(bodies):
                rows.write_row((number, body))
        database.commit()
        began = time.perf_counter()
        while row := database.execute(CLAIM).fetchone():
            client.post(url, content=row[1], headers={"content-type": "application/cloudevents+json"})
            database.execute("UPDATE naive SET sent = now() WHERE id = %s", (row[0],))
            database.commit()
        return len(bodies) / (time.perf_counter() - began)


if __name__ == "__main__":
    print(main(sys.argv[1], sys.stdin.buffer.read().splitlines()))
