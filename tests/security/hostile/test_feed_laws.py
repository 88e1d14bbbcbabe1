"""Feed, webhook and stream are one set in one order, whatever happens in between (T14), and all of it is CloudEvents (T12)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from infra.system import System
from shared.codes import make_uscc
from tests.conftest import As
from tests.integration.notifications.receivers import (
    Receiver,
    accepted,
    happen,
    place,
    running_receiver,
    send,
    started,
    subscribed,
)
from tests.integration.notifications.test_event_log_and_feed import frames, served

FIRMS = [make_uscc(number, division="430200") for number in range(50, 54)]
EVENTS = "/notifications/v1/events"


@pytest.fixture
def receiver(system: System) -> Any:
    context = system.contexts["notifications"]
    context.settings = context.settings.model_copy(update={"webhook_allow": "127.0.0.0/8", "retry_seconds": "0.001"})
    with running_receiver() as running:
        yield running


def machine_of(system: System, as_role: As, receiver: Receiver) -> type[RuleBasedStateMachine]:
    """Writers, a pausing and failing subscriber, a reader with a cursor of its own: over one log."""
    reader = as_role("provincial_ecology", client_id="laws")
    subscription = place(subscribed(reader, receiver))
    told: list[bytes] = []
    moment = [datetime.now(UTC)]

    class Laws(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.cursor, self.read = reader.get(EVENTS, params={"after": "latest"}).json()["cursor"], list[Any]()
            self.begun = len(told)
            receiver.answer = lambda _: 200

        @rule(firms=st.lists(st.sampled_from(FIRMS), min_size=1, max_size=4), public=st.booleans())
        def write(self, firms: list[str], public: bool) -> None:
            events = happen(system, *[accepted(firm) if public else started(firm) for firm in firms])
            told.extend(event.cloud_event() for event in events)

        @rule(limit=st.integers(1, 3))
        def read_on(self, limit: int) -> None:
            page = reader.get(EVENTS, params={"after": self.cursor, "limit": limit}).json()
            again = reader.get(EVENTS, params={"after": self.cursor, "limit": limit}).content
            assert reader.get(EVENTS, params={"after": self.cursor, "limit": limit}).content == again
            self.cursor, self.read = page["cursor"], [*self.read, *page["events"]]

        @rule(fails=st.booleans())
        def deliver(self, fails: bool) -> None:
            receiver.answer = lambda _: 503 if fails else 200
            moment[0] += timedelta(seconds=1)
            send(system, moment[0])

        @rule()
        def pause(self) -> None:
            reader.post(f"{subscription}/pause")

        @rule()
        def enable(self) -> None:
            reader.post(f"{subscription}/enable")

        @invariant()
        def no_gap_and_no_reorder(self) -> None:
            expected = told[self.begun : self.begun + len(self.read)]
            assert [document["id"] for document in self.read] == [from_body(body)["id"] for body in expected]

    Laws.TestCase.settings = settings(deadline=None)
    Laws.told = told
    Laws.settle = lambda: settle(system, reader, subscription, receiver, moment[0])
    Laws.reader = reader
    return Laws


def from_body(body: bytes) -> dict[str, Any]:
    import json

    return dict(json.loads(body))


def settle(system: System, reader: Any, subscription: str, receiver: Receiver, moment: datetime) -> None:
    """Heal, and let everything that is owed go out."""
    receiver.answer = lambda _: 200
    reader.post(f"{subscription}/enable")
    while send(system, moment + timedelta(hours=1)):
        pass


def test_the_laws_of_the_feed(system: System, as_role: As, receiver: Receiver) -> None:
    laws: Any = machine_of(system, as_role, receiver)
    run_state_machine_as_test(
        laws,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    laws.settle()
    good = list(receiver.posts)
    bodies = {post.id: post.body for post in good}
    assert sorted(bodies.values()) == sorted(laws.told) and len(laws.told) > 30
    assert all(post.body == bodies[post.id] for post in good), "the same bytes on every attempt"
    for firm in FIRMS:
        order = list(dict.fromkeys(post.id for post in good if post.document["subject"] == firm))
        assert order == [d["id"] for d in map(from_body, laws.told) if d["subject"] == firm]
    with served(system) as base, httpx.Client(timeout=20) as client:
        headers = {"Authorization": f"Bearer {laws.reader._token}"}
        with client.stream("GET", f"{base}{EVENTS}/stream", headers=headers) as response:
            streamed = [frame["data"].encode() for frame in frames(response, len(laws.told))]
    assert streamed == laws.told
    for post in good:
        parsed = from_http_event(HTTPMessage(headers=post.headers, body=post.body))
        item = from_http_event(
            HTTPMessage(headers={"content-type": "application/cloudevents+json"}, body=bodies[post.id])
        )
        assert parsed.get_attributes() == item.get_attributes() and parsed.get_data() == post.document["data"]
        assert (parsed.get_id(), parsed.get_specversion()) == (post.headers["webhook-id"], "1.0")
    print(f"{len(laws.told)} events, {len(good)} posts, {len(streamed)} frames")
