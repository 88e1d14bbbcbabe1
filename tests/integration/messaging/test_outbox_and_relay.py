"""Events leave with their transaction, all of them, in order, and the relay is one."""

import threading
import time
from collections.abc import Sequence

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from shared.db import Database, Wakeup, notify
from shared.events import Envelope
from shared.messaging.inbox import deliver
from shared.messaging.outbox import BusUnavailable, emit, pending, relay, run_relay
from shared.messaging.postgres import PostgresBus
from tests.integration.messaging.effects import Running, effects, firm, noting, until

Admin = psycopg.Connection[tuple[object, ...]]


class Basket:
    """A bus for one test: keeps what is published; may be away."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.batches: list[int] = []
        self.away = threading.Event()

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self.away.is_set():
            raise BusUnavailable("away")
        self.got += envelopes
        self.batches.append(len(envelopes))

    @property
    def subjects(self) -> list[str]:
        return [e.subject for e in self.got]


def emit_all(db: Database, *subjects: str) -> None:
    with db.begin() as tx:
        for subject in subjects:
            emit(tx, firm(subject))


def test_an_event_leaves_only_with_its_transaction(db: Database) -> None:
    basket = Basket()
    with pytest.raises(ValueError, match="late"), db.begin() as tx:
        emit(tx, firm("A"))
        raise ValueError("late")
    assert relay(db, basket) == 0
    with db.begin() as tx:
        emit(tx, firm("A"))
        tx.flush()
        assert relay(db, basket) == 0
    assert relay(db, basket) == 1
    assert (relay(db, basket), basket.subjects) == (0, ["A"])


def test_a_commit_that_fails_emits_nothing(db: Database) -> None:
    with pytest.raises(IntegrityError), db.begin() as tx:
        emit(tx, firm("A"))
        tx.execute(sa.text("INSERT INTO child VALUES (1)"))
        tx.flush()
    assert pending(db) == (0, 0.0)


def test_a_savepoint_that_is_rolled_back_takes_its_event_and_not_the_others(db: Database) -> None:
    basket = Basket()
    with db.begin() as tx:
        emit(tx, firm("kept"))
        inner = tx.begin_nested()
        emit(tx, firm("undone"))
        inner.rollback()
    relay(db, basket)
    assert basket.subjects == ["kept"]


def test_dying_between_publish_and_mark_has_one_effect(db: Database) -> None:
    handlers = noting()
    emit_all(db, "A", "B")

    class Dying(Basket):
        def publish(self, envelopes: Sequence[Envelope]) -> None:
            deliver(envelopes, handlers, db)
            raise SystemExit

    class Living(Basket):
        def publish(self, envelopes: Sequence[Envelope]) -> None:
            deliver(envelopes, handlers, db)

    with pytest.raises(SystemExit):
        relay(db, Dying())
    assert relay(db, Living()) == 2
    assert effects(db) == [("A", 1), ("B", 1)]


def test_a_late_committer_with_a_lower_position_is_not_lost(db: Database) -> None:
    basket = Basket()
    with db.begin() as slow:
        emit(slow, firm("slow"))
        slow.flush()
        emit_all(db, "fast")
        assert relay(db, basket) == 1
    assert relay(db, basket) == 1
    assert basket.subjects == ["fast", "slow"]
    with db.read() as tx:
        rows = tx.execute(sa.text("SELECT envelope->>'subject' FROM outbox ORDER BY position")).scalars().all()
    assert rows == ["slow", "fast"], "the positions were not taken as this test needs them"


def test_more_than_a_batch_goes_in_batches_and_in_order(db: Database) -> None:
    basket, names = Basket(), [f"{n:03}" for n in range(25)]
    emit_all(db, *names)
    assert [relay(db, basket, batch=10) for _ in range(4)] == [10, 10, 5, 0]
    assert (basket.subjects, basket.batches) == (names, [10, 10, 5])


def test_the_relay_is_woken_by_the_commit(db: Database) -> None:
    basket = Basket()
    emit_all(db, "first")
    with Running(lambda stop: run_relay("proof", db, basket, stop)):
        until(lambda: basket.subjects == ["first"])
        took = []
        for n in range(10):
            began = time.monotonic()
            emit_all(db, f"n{n}")
            until(lambda n=n: basket.subjects[-1] == f"n{n}")  # type: ignore[misc]
            took.append(time.monotonic() - began)
    assert sorted(took)[len(took) // 2] < 0.2, took


def test_each_transaction_of_one_session_wakes_its_listeners(db: Database) -> None:
    wakeup, stop = Wakeup(db, "proof"), threading.Event()
    with db.session() as tx:
        for _ in range(2):
            notify(tx, "proof")
            notify(tx, "proof")
            tx.commit()
            began = time.monotonic()
            wakeup.wait(10.0, stop)
            assert time.monotonic() - began < 5
    wakeup.close()


def test_a_second_relay_stands_by_and_takes_over_when_the_first_one_ends(
    db: Database, urls: dict[str, str], admin: Admin
) -> None:
    one, two = Basket(), Basket()
    with Running(lambda stop: run_relay("proof", db, one, stop)) as first:
        emit_all(db, "a")
        until(lambda: one.subjects == ["a"])
        with Running(lambda stop: run_relay("proof", db, two, stop)):
            emit_all(db, "b")
            until(lambda: one.subjects == ["a", "b"])
            assert two.subjects == []
            ended = admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4301"
                " AND granted AND database = (SELECT oid FROM pg_database WHERE datname = %s)",
                (f"credit_{urls['MARK']}",),
            )
            assert ended.fetchall() == [(True,)], "one leader, one lock"
            emit_all(db, "c")
            first.join()
            assert first.failure is not None, "a lost lock must end the relay"
            until(lambda: (one.subjects + two.subjects)[-1] == "c")
            emit_all(db, "d")
            until(lambda: two.subjects[-1:] == ["d"])
    assert sorted(set(one.subjects + two.subjects)) == ["a", "b", "c", "d"]


def test_events_wait_in_order_while_the_bus_is_away(db: Database) -> None:
    basket = Basket()
    basket.away.set()
    with Running(lambda stop: run_relay("proof", db, basket, stop)) as running:
        emit_all(db, "a")
        emit_all(db, "b")
        assert pending(db)[0] == 2
        emit_all(db, "c")
        basket.away.clear()
        until(lambda: len(basket.got) == 3)
        assert running.failure is None
    assert (basket.subjects, pending(db)[0]) == (["a", "b", "c"], 0)


def test_events_wait_while_the_database_of_the_bus_refuses(
    db: Database, bus: PostgresBus, bus_db: Database, urls: dict[str, str], admin: Admin
) -> None:
    name = f"bus_{urls['MARK']}"
    admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    try:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        with Running(lambda stop: run_relay("proof", db, bus, stop)) as running:
            for subject in "abc":
                emit_all(db, subject)
            with pytest.raises(BusUnavailable):
                relay(db, bus)
            assert pending(db)[0] == 3
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            until(lambda: pending(db)[0] == 0)
            assert running.failure is None
    finally:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    with bus_db.read() as tx:
        assert tx.execute(sa.text("SELECT key FROM log ORDER BY position")).scalars().all() == ["a", "b", "c"]


def test_a_bus_with_no_connection_left_is_away_and_no_defect(db: Database, bus: PostgresBus, bus_db: Database) -> None:
    tight = Database(bus_db.url, pool=1)
    tight.engine.pool._max_overflow, tight.engine.pool._timeout = 0, 0.05  # type: ignore[attr-defined]
    emit_all(db, "a")
    with tight.read() as held:
        held.execute(sa.text("SELECT 1"))
        with pytest.raises(BusUnavailable):
            relay(db, PostgresBus(tight))
    assert relay(db, PostgresBus(tight)) == 1
    tight.dispose()
