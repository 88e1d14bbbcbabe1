"""The log has no gap and no late number; feed, stream and webhooks show the same events in the same bytes."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
import uvicorn
from sqlmodel import col, select

from infra.system import System
from services.notifications.actions.log import append_event
from services.notifications.models import EventLog, LogHead
from services.notifications.queries.feed import cursor_of
from services.registry.roles import scopes_of
from shared.auth import TOKEN_SECONDS, Caller, TokenSigner
from shared.run import daily
from tests.conftest import ISSUER, TODAY, Api, As, Cluster, shown
from tests.integration.notifications.receivers import (
    OTHER,
    Receiver,
    accepted,
    deliveries,
    feed,
    feed_ids,
    happen,
    ids,
    send,
    started,
    subscribed,
    wrapped,
)


@pytest.fixture
def reader(as_role: As) -> Api:
    return as_role("subscriber")


def log_rows(system: System) -> list[EventLog]:
    with system.contexts["notifications"].db.read() as tx:
        return list(tx.exec(select(EventLog).order_by(col(EventLog.seq))))


def test_concurrent_writers_leave_no_gap_and_a_reader_at_the_head_misses_nothing(system: System, reader: Api) -> None:
    seen: list[str] = []
    done = threading.Event()

    def write() -> None:
        for _ in range(10):
            happen(system, accepted(), accepted(OTHER))

    def read() -> None:
        cursor = None
        while True:
            last = done.is_set()
            page = feed(reader, limit=7, **({"after": cursor} if cursor else {}))
            seen.extend(event["id"] for event in page["events"])
            cursor = page["cursor"]
            if last and not page["has_more"]:
                return

    writers, watching = [threading.Thread(target=write) for _ in range(4)], threading.Thread(target=read)
    for thread in (*writers, watching):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    watching.join()
    rows = log_rows(system)
    assert [row.seq for row in rows] == list(range(1, 81))
    assert seen == [str(row.event_id) for row in rows]


def test_a_rolled_back_append_takes_no_number(system: System) -> None:
    db = system.contexts["notifications"].db
    happen(system, accepted())
    with pytest.raises(ZeroDivisionError), db.begin() as tx:
        append_event(tx, wrapped(accepted()), TODAY)
        raise ZeroDivisionError
    happen(system, accepted())
    assert [row.seq for row in log_rows(system)] == [1, 2]


def test_internal_events_are_not_in_the_log(system: System) -> None:
    from shared.events.audits import ObligationWaived

    happen(system, ObligationWaived(uscc=OTHER, round=accepted().round, code="REPORT"))
    assert log_rows(system) == []


def test_the_events_of_the_feed_are_the_bytes_of_the_webhook(system: System, reader: Api, receiver: Receiver) -> None:
    subscribed(reader, receiver)
    envelopes = happen(system, accepted(), accepted(OTHER))
    send(system)
    answer = reader.get("/notifications/v1/events")
    assert answer.content.startswith(b'{"events":[' + b",".join(e.cloud_event() for e in envelopes) + b'],"cursor"')
    assert {post.body for post in receiver.posts} == {e.cloud_event() for e in envelopes}


def test_a_cursor_goes_on_where_the_page_ended(system: System, reader: Api) -> None:
    assert feed(reader)["events"] == []
    sent = ids(happen(system, *[accepted() for _ in range(5)]))
    first = feed(reader, limit=2)
    second = feed(reader, limit=2, after=first["cursor"])
    third = feed(reader, limit=2, after=second["cursor"])
    pages = (first, second, third)
    assert [event["id"] for page in pages for event in page["events"]] == sent
    assert [page["has_more"] for page in pages] == [True, True, False]
    again = feed(reader, after=third["cursor"])
    assert (again["events"], again["cursor"], again["has_more"]) == ([], third["cursor"], False)


def test_latest_starts_at_the_head(system: System, reader: Api) -> None:
    happen(system, accepted())
    start = feed(reader, after="latest")
    assert start["events"] == []
    (after,) = happen(system, accepted())
    assert feed_ids(reader, after=start["cursor"]) == [str(after.id)]


def test_types_are_names_or_patterns(system: System, as_role: As) -> None:
    officer = as_role("provincial_ecology")
    one, two = happen(system, accepted(), started())
    assert feed_ids(officer, types="audits.acceptance.recorded.v1") == [str(one.id)]
    assert feed_ids(officer, types="audits.round.*,incentives.*") == [str(two.id)]
    assert feed_ids(officer, types="audits.*") == ids([one, two])
    assert officer.get("/notifications/v1/events?types=audits.nothing.v1").json()["code"] == "type_unknown"


def test_a_cursor_that_is_not_ours_is_refused(system: System, reader: Api) -> None:
    happen(system, accepted())
    with system.contexts["notifications"].db.read() as tx:
        epoch = tx.get_one(LogHead, 1).epoch
    for wrong in ("%00x", "MTI", "", cursor_of(uuid4(), 1), cursor_of(epoch, 2), cursor_of(epoch, -1), cursor_of(epoch, True)):
        answer = reader.get("/notifications/v1/events", params={"after": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid"), wrong
    assert reader.get("/notifications/v1/events", params={"after": cursor_of(epoch, 1)}).status_code == 200


def test_ninety_days_are_kept_and_an_older_cursor_is_told_so(system: System, reader: Api, receiver: Receiver) -> None:
    context = system.contexts["notifications"]
    subscribed(reader, receiver)
    start = feed(reader)["cursor"]
    kept_since = context.clock.today() - timedelta(days=90)
    happen(system, accepted(), accepted(OTHER), accepted())
    with context.db.begin() as tx:
        for seq, day in ((1, kept_since - timedelta(days=1)), (2, kept_since), (3, context.clock.today())):
            tx.execute(sa.update(EventLog).where(col(EventLog.seq) == seq).values(recorded_at=f"{day} 12:00+08"))
    send(system)
    from services.notifications.service import service

    assert daily(service, context, context.clock.today())
    assert [row.seq for row in log_rows(system)] == [2, 3]
    assert len(feed_ids(reader)) == 2
    answer = reader.get("/notifications/v1/events", params={"after": start})
    assert (answer.status_code, answer.json()["code"]) == (410, "cursor_expired")
    assert len(feed_ids(reader, after=answer.json()["oldest_cursor"])) == 2


def test_waiting_ends_with_the_event_and_holds_no_connection_meanwhile(system: System, reader: Api) -> None:
    cursor = feed(reader)["cursor"]
    pages: list[dict[str, object]] = []
    waiting = threading.Thread(target=lambda: pages.append(feed(reader, after=cursor, wait=25)))
    began = time.monotonic()
    waiting.start()
    pool = system.contexts["notifications"].db.engine.pool
    free = 0
    while free < 50:
        free = free + 1 if pool.checkedout() == 0 else 0  # type: ignore[attr-defined]
        time.sleep(0.005)
    (envelope,) = happen(system, accepted())
    waiting.join()
    assert time.monotonic() - began < 20
    assert [event["id"] for event in pages[0]["events"]] == [str(envelope.id)]  # type: ignore[attr-defined]


def test_waiting_for_nothing_ends_in_time_with_the_same_cursor(reader: Api) -> None:
    cursor = feed(reader)["cursor"]
    began = time.monotonic()
    page = feed(reader, after=cursor, wait=1)
    assert 0.9 < time.monotonic() - began < 5
    assert (page["events"], page["cursor"]) == ([], cursor)
    assert reader.get("/notifications/v1/events?wait=31").status_code == 422


@contextmanager
def served(system: System) -> Iterator[str]:
    config = uvicorn.Config(
        system.edge, host="127.0.0.1", port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def frames(response: httpx.Response, count: int) -> list[dict[str, str]]:
    """The first `count` events of a stream, field by field."""
    found: list[dict[str, str]] = []
    current: dict[str, str] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line and not line.startswith(":"):
            current[name] = value
        elif not line:
            if "data" in current:
                found.append(current)
            current = {}
        if len(found) == count:
            return found
    raise AssertionError(f"the stream ended after {len(found)} of {count} events")


def test_the_stream_carries_the_same_bytes_and_resumes_after_the_last_id(system: System, reader: Api) -> None:
    first = happen(system, accepted(), accepted(OTHER))
    token = {"Authorization": f"Bearer {reader._token}"}
    with served(system) as base, httpx.Client(timeout=20) as client:
        path = f"{base}/notifications/v1/events/stream"
        with client.stream("GET", path, headers=token) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            threading.Timer(0.2, lambda: first.extend(happen(system, accepted()))).start()
            shown_frames = frames(response, 3)
        assert [f["data"].encode() for f in shown_frames] == [e.cloud_event() for e in first]
        assert {f["event"] for f in shown_frames} == {"audits.acceptance.recorded.v1"}
        with client.stream("GET", path, headers=token | {"Last-Event-ID": shown_frames[0]["id"]}) as response:
            assert [json.loads(f["data"])["id"] for f in frames(response, 2)] == ids(first[1:])
        assert feed_ids(reader, after=shown_frames[1]["id"]) == ids(first[2:])


def test_a_stream_ends_with_its_token(system: System, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["services.notifications.routes.feed"], "HEARTBEAT", 0.2)
    signer = TokenSigner.from_file(cluster.home.secrets / "token_key.pem", ISSUER)
    caller = Caller("short", "provincial_ecology", "省厅", "43", "", scopes_of("provincial_ecology"))
    issued = time.time() - TOKEN_SECONDS + 2
    headers = {"Authorization": f"Bearer {signer.issue(caller, issued)}"}
    stream = partial(httpx.stream, "GET", headers=headers, timeout=20)
    with served(system) as base, stream(f"{base}/notifications/v1/events/stream") as response:
        assert response.status_code == 200
        for _ in response.iter_lines():
            assert time.time() < issued + TOKEN_SECONDS + 5, "it goes on although the token has expired"


def test_feed_webhook_and_stream_show_the_same_set(system: System, as_role: As, receiver: Receiver) -> None:
    officer = as_role("city_ecology", jurisdiction="4302")
    made = subscribed(officer, receiver)
    happen(system, accepted(), started(), started(OTHER, "430602"), accepted(OTHER, "430602"), started())
    send(system)
    pushed = [d["event_id"] for d in deliveries(officer, made)]
    with served(system) as base, httpx.Client(timeout=20) as client:
        headers = {"Authorization": f"Bearer {officer._token}"}
        with client.stream("GET", f"{base}/notifications/v1/events/stream", headers=headers) as response:
            streamed = [json.loads(f["data"])["id"] for f in frames(response, 4)]
    assert feed_ids(officer) == streamed == pushed
    assert sorted(receiver.ids) == sorted(pushed) and len(pushed) == 4


def test_the_catalogue_shows_what_can_be_subscribed_to_and_nothing_internal(reader: Api) -> None:
    answer = reader.get("/notifications/v1/event-types")
    assert answer.status_code == 200, shown(answer)
    by_type = {item["type"]: item for item in answer.json()["items"]}
    assert "audits.round.moved.v1" not in by_type
    acceptance = by_type["audits.acceptance.recorded.v1"]
    assert acceptance["audience"] == "public" and "accepted" in acceptance["description"]
    assert "fraud" not in acceptance["schema"]["properties"] and "fraud" not in acceptance["example"]["data"]
    import jsonschema

    for item in by_type.values():
        jsonschema.validate(item["example"]["data"], item["schema"])
