"""The embedded bus: offsets never pass a failure, one consumer per group, woken by the append."""

import time

import psycopg
import pytest
import sqlalchemy as sa

from shared.db import Database
from shared.messaging.inbox import Settler
from shared.messaging.postgres import BATCH, PostgresBus
from tests.integration.messaging.effects import Running, effects, envelope, noting, rows, until

TOPICS = ["registry.events"]
Admin = psycopg.Connection[tuple[object, ...]]


def offset(bus_db: Database) -> int:
    ((found,),) = rows(bus_db, "SELECT position FROM group_offset WHERE consumer = 'g'")
    assert isinstance(found, int)
    return found


def test_an_offset_never_passes_a_failure(bus: PostgresBus, bus_db: Database) -> None:
    bus.join("g", TOPICS)
    bus.publish([envelope("A", n) for n in range(3)])

    def refuse(records: object) -> None:
        raise RuntimeError("not settled")

    before = offset(bus_db)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            bus.poll("g", TOPICS, refuse)
        assert offset(bus_db) == before
    seen: list[bytes] = []
    assert bus.poll("g", TOPICS, seen.extend) == 3
    assert (len(seen), bus.poll("g", TOPICS, seen.extend), bus.lag("g", TOPICS)) == (3, 0, 0)


def test_a_slow_consumer_that_lost_its_group_does_not_turn_the_offset_back(bus: PostgresBus, bus_db: Database) -> None:
    bus.join("g", TOPICS)
    bus.publish([envelope("A", n) for n in range(BATCH)])

    def overtaken(records: object) -> None:
        bus.publish([envelope("A", BATCH)])
        assert bus.poll("g", TOPICS, lambda r: None) == BATCH
        assert bus.poll("g", TOPICS, lambda r: None) == 1

    bus.poll("g", TOPICS, overtaken)
    assert bus.lag("g", TOPICS) == 0


def test_a_poll_takes_a_batch_at_most_and_leaves_nothing_out(bus: PostgresBus) -> None:
    bus.join("g", TOPICS)
    bus.publish([envelope("A", n) for n in range(BATCH + 7)])
    assert [bus.poll("g", TOPICS, lambda r: None) for _ in range(3)] == [BATCH, 7, 0]


def test_a_late_append_is_not_passed(bus: PostgresBus, bus_db: Database) -> None:
    """An append that is open holds back the next one, so that no position becomes visible before a lower one."""
    bus.join("g", TOPICS)
    seen: list[bytes] = []
    with bus_db.begin() as slow:
        slow.execute(sa.text("SELECT pg_advisory_xact_lock(4302)"))
        slow.execute(sa.text("INSERT INTO log (topic, key, value) VALUES ('registry.events', 'slow', 'slow')"))
        with Running(lambda stop: bus.publish([envelope("fast")])) as fast:
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            until(lambda: rows(bus_db, waiting) != [(0,)])
            assert bus.poll("g", TOPICS, seen.extend) == 0
            slow.commit()
            fast.join()
    bus.poll("g", TOPICS, seen.extend)
    assert seen[0] == b"slow" and len(seen) == 2


def test_a_consumer_is_woken_by_the_append(bus: PostgresBus, db: Database) -> None:
    settler = Settler(noting(), db)
    with Running(lambda stop: bus.consume("g", TOPICS, settler.settle, stop)):
        bus.publish([envelope("first")])
        until(lambda: len(effects(db)) == 1)
        took = []
        for n in range(8):
            began = time.monotonic()
            bus.publish([envelope(f"n{n}")])
            until(lambda n=n: len(effects(db)) == n + 2)  # type: ignore[misc]
            took.append(time.monotonic() - began)
    assert sorted(took)[len(took) // 2] < 0.2, took


def test_one_consumer_of_a_group_works_and_the_second_takes_over(
    bus: PostgresBus, db: Database, urls: dict[str, str], admin: Admin
) -> None:
    one, two = Settler(noting(), db), Settler(noting(), db)
    took: list[str] = []

    def settle(name: str, settler: Settler) -> object:
        def go(records: list[bytes]) -> None:
            took.append(name)
            settler.settle(records)

        return go

    with Running(lambda stop: bus.consume("g", TOPICS, settle("one", one), stop)) as first:  # type: ignore[arg-type]
        bus.publish([envelope("A")])
        until(lambda: len(effects(db)) == 1)
        with Running(lambda stop: bus.consume("g", TOPICS, settle("two", two), stop)):  # type: ignore[arg-type]
            bus.publish([envelope("B")])
            until(lambda: len(effects(db)) == 2)
            assert took == ["one", "one"]
            ended = admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = %s)",
                (f"bus_{urls['MARK']}",),
            )
            assert ended.fetchall() == [(True,)]
            bus.publish([envelope("C")])
            first.join()
            bus.publish([envelope("D")])
            until(lambda: len(effects(db)) == 4)
            until(lambda: took[-1] == "two")
    assert [subject for subject, _ in effects(db)] == ["A", "B", "C", "D"]
