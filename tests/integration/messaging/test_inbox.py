"""Each handler has its effect once per event; what cannot be handled is set aside, and only that."""

import base64
import json
import threading
import uuid
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from shared.db import Database
from shared.events import Envelope
from shared.events.registry import EnterpriseRegistered
from shared.messaging.inbox import Handlers, Settler, TooManySetAside, deliver, redrive
from tests.integration.messaging.effects import Running, add_effect, bytes_of, effects, envelope, noting, rows, until

LETTERS = "SELECT subject, content->'data'->>'version' FROM dead_letter ORDER BY position"


def settler(db: Database, handlers: Handlers, waits: tuple[float, ...] = (0.0,)) -> Settler:
    return Settler(handlers, db, waits=waits)


def test_a_duplicate_has_no_second_effect_within_a_batch_or_after_it(db: Database) -> None:
    one, handlers = envelope("A"), noting()
    settler(db, handlers).settle(bytes_of([one, one, envelope("B"), one]))
    settler(db, handlers).settle(bytes_of([one]))
    assert effects(db) == [("A", 1), ("B", 1)]


def test_every_handler_has_its_own_effect_and_a_new_one_catches_up(db: Database) -> None:
    sent, handlers = [envelope("A"), envelope("B")], noting()
    deliver(sent, handlers, db)

    @handlers.on(EnterpriseRegistered)
    def late(event: EnterpriseRegistered, tx: Session) -> None:
        add_effect(tx, "late", event.uscc, event.version)

    deliver(sent, handlers, db)
    assert (effects(db), effects(db, "late")) == ([("A", 1), ("B", 1)], [("A", 1), ("B", 1)])


def test_two_consumers_of_the_same_events_have_one_effect_in_any_order(db: Database) -> None:
    sent = [envelope(f"{n:02}") for n in range(40)]
    for _ in range(5):
        again = [e.model_copy(update={"id": uuid.uuid4()}) for e in sent]
        starts = threading.Barrier(2)

        def take(given: list[Envelope], starts: threading.Barrier = starts) -> Callable[[threading.Event], None]:
            def go(_: threading.Event) -> None:
                starts.wait(10)
                settler(db, noting()).settle(bytes_of(given))

            return go

        with Running(take(again)) as one, Running(take(again[::-1])) as two:
            one.join()
            two.join()
        assert (one.failure, two.failure) == (None, None)
    found = effects(db)
    assert len(found) == 200
    assert rows(db, LETTERS) == []


def test_a_failed_batch_is_settled_one_by_one_and_a_recovering_event_is_not_set_aside(db: Database) -> None:
    seen: list[str] = []

    def fails(subject: str, n: int) -> bool:
        seen.append(subject)
        return subject == "B" and seen.count("B") < 3

    settler(db, noting(fails), waits=(0.0, 0.0)).settle(bytes_of([envelope("A"), envelope("B"), envelope("C")]))
    assert effects(db) == [("A", 1), ("B", 1), ("C", 1)]
    assert rows(db, LETTERS) == []


def test_poison_parks_only_its_subject_and_later_events_follow_it(db: Database) -> None:
    bad = noting(lambda subject, n: (subject, n) == ("P", 2))
    consumer = settler(db, bad)
    consumer.settle(bytes_of([envelope("P", 1), envelope("P", 2), envelope("Q", 1), envelope("P", 3)]))
    consumer.settle(bytes_of([envelope("P", 4), envelope("Q", 2)]))
    assert effects(db) == [("P", 1), ("Q", 1), ("Q", 2)]
    assert rows(db, LETTERS) == [("P", "2"), ("P", "3"), ("P", "4")]
    assert "poison" in str(rows(db, "SELECT reason FROM dead_letter ORDER BY position")[0])


def test_a_redrive_replays_in_order_stops_at_a_failure_and_absorbs_what_was_done(db: Database) -> None:
    ill: set[int] = {2, 4}
    handlers = noting(lambda subject, n: n in ill)
    sent = [envelope("P", n) for n in range(1, 6)]
    settler(db, handlers).settle(bytes_of(sent))
    assert rows(db, LETTERS) == [("P", "2"), ("P", "3"), ("P", "4"), ("P", "5")]
    ill.discard(2)
    with pytest.raises(ValueError, match="poison"):
        redrive("P", handlers, db)
    assert (effects(db), rows(db, LETTERS)) == ([("P", 1), ("P", 2), ("P", 3)], [("P", "4"), ("P", "5")])
    ill.clear()
    deliver([sent[3]], handlers, db)
    assert redrive("P", handlers, db) == 2
    assert effects(db) == [("P", n) for n in range(1, 6)]
    settler(db, handlers).settle(bytes_of([*sent, envelope("P", 6)]))
    assert effects(db)[5:] == [("P", 6)]


def test_an_event_that_is_set_aside_twice_is_one_letter(db: Database) -> None:
    sent = bytes_of([envelope("P", 1), envelope("P", 2)])
    for _ in range(2):
        settler(db, noting(lambda s, n: True)).settle(sent)
    assert rows(db, LETTERS) == [("P", "1"), ("P", "2")]


@pytest.mark.parametrize(
    "record", [b"", b"\xff\xfe\x00\x81", b'{"id": "\x00"}', b"[1,2", b'{"id": 7}', "不是信封\0".encode(), b"\x00" * 100]
)
def test_bytes_that_are_no_envelope_are_set_aside_as_they_came_and_hold_up_nobody(db: Database, record: bytes) -> None:
    settler(db, noting()).settle([record, *bytes_of([envelope("A")])])
    assert effects(db) == [("A", 1)]
    ((content,),) = rows(db, "SELECT content FROM dead_letter")
    assert base64.b64decode(content["base64"]) == record  # type: ignore[index]
    assert redrive("", noting(), db) == 0


def test_an_unknown_type_is_skipped_even_where_its_subject_is_parked(db: Database) -> None:
    consumer = settler(db, noting(lambda s, n: s == "P"))
    strange = envelope("P", type="registry.enterprise.dreamt.v9")
    consumer.settle(bytes_of([strange, envelope("P"), strange, envelope("Q")]))
    assert (effects(db), rows(db, LETTERS)) == ([("Q", 1)], [("P", "1")])


def test_a_long_row_of_one_parked_subject_does_not_stop_the_others(db: Database) -> None:
    consumer = settler(db, noting(lambda s, n: s == "P"))
    consumer.settle(bytes_of([*(envelope("P", n) for n in range(50)), envelope("Q")]))
    assert effects(db) == [("Q", 1)]
    assert len(rows(db, LETTERS)) == 50


def test_more_than_twenty_subjects_in_a_row_stop_the_consumer_and_it_stays_stopped(db: Database) -> None:
    sent = bytes_of([envelope(f"{n:02}") for n in range(60)])
    for _ in range(2):
        with pytest.raises(TooManySetAside):
            settler(db, noting(lambda s, n: True)).settle(sent)
        assert len(rows(db, LETTERS)) == 21


def test_a_success_in_between_keeps_the_consumer_going(db: Database) -> None:
    consumer = settler(db, noting(lambda s, n: s.startswith("P")), waits=())
    consumer.settle(bytes_of([envelope(f"{'P' if n % 20 else 'Q'}{n}") for n in range(60)]))
    assert len(effects(db)) == 3


def raising(code: str, tries: int) -> tuple[Handlers, list[str]]:
    """Handlers that fail with this SQLSTATE for the first so many tries."""
    handlers, tried = Handlers("proof"), []

    @handlers.on(EnterpriseRegistered)
    def note(event: EnterpriseRegistered, tx: Session) -> None:
        add_effect(tx, "note", event.uscc, event.version)
        tried.append(event.uscc)
        if len(tried) <= tries:
            tx.execute(sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$"))

    return handlers, tried


@pytest.mark.parametrize("code", ["40001", "40P01", "55P03"])
def test_a_deadlock_is_tried_again_and_stops_nothing(db: Database, code: str) -> None:
    handlers, tried = raising(code, 4)
    settler(db, handlers).settle(bytes_of([envelope("A"), envelope("B")]))
    assert effects(db) == [("A", 1), ("B", 1)]
    assert len(tried) == 6
    assert rows(db, LETTERS) == []


@pytest.mark.parametrize("code", ["57P01", "53300", "53100", "08006", "40P01"])
def test_an_unwell_database_stops_the_consumer_and_sets_nothing_aside(db: Database, code: str) -> None:
    handlers, _ = raising(code, 10_000)
    with pytest.raises(OperationalError):
        settler(db, handlers).settle(bytes_of([envelope("A")]))
    assert (effects(db), rows(db, LETTERS), rows(db, "SELECT * FROM inbox")) == ([], [], [])


def test_a_connection_of_our_own_that_fails_sets_nothing_aside(db: Database) -> None:
    handlers = Handlers("proof")

    @handlers.on(EnterpriseRegistered)
    def copy(event: EnterpriseRegistered, tx: Session) -> None:
        raise psycopg.OperationalError("the connection is lost")

    with pytest.raises(psycopg.OperationalError):
        settler(db, handlers).settle(bytes_of([envelope("A")]))
    assert rows(db, LETTERS) == []


def test_a_row_that_no_database_can_hold_is_poison_and_not_an_unwell_database(db: Database) -> None:
    handlers, _ = raising("54000", 10_000)
    settler(db, handlers).settle(bytes_of([envelope("A")]))
    assert rows(db, LETTERS) == [("A", "1")]


def test_stopping_gives_up_no_event(db: Database) -> None:
    consumer = settler(db, noting(lambda s, n: True), waits=(30.0,))
    with Running(lambda stop: consumer.settle(bytes_of([envelope("A")]))) as running:
        until(lambda: True)
        consumer.stop.set()
        running.join()
    assert isinstance(running.failure, ValueError)
    assert rows(db, LETTERS) == []


def test_what_a_handler_emits_names_its_cause(db: Database) -> None:
    from shared.messaging.outbox import emit
    from tests.integration.messaging.effects import firm

    handlers, cause = Handlers("proof"), envelope("A").model_copy(update={"correlation_id": "r-7", "traceparent": "t"})

    @handlers.on(EnterpriseRegistered)
    def follow(event: EnterpriseRegistered, tx: Session) -> None:
        emit(tx, firm("follows"))

    deliver([cause], handlers, db)
    ((found,),) = rows(db, "SELECT envelope FROM outbox")
    assert isinstance(found, dict), json.dumps(found)
    assert (found["causation_id"], found["correlation_id"], found["traceparent"]) == (str(cause.id), "r-7", "t")
