"""Deliveries keep their promises: same bytes, in order per enterprise, nothing lost, nobody told who may not know."""

import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
import standardwebhooks
import svix
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from sqlmodel import select

from infra.system import System
from services.notifications import lanes
from services.notifications.dispatcher import dispatch
from services.notifications.models import Progress
from shared.events.registry import ConsentGranted, ConsentRevoked
from tests.conftest import TODAY, Api, As, shown
from tests.integration.notifications.receivers import (
    BANK,
    FIRM,
    OTHER,
    Post,
    Receiver,
    accepted,
    deliveries,
    happen,
    ids,
    place,
    send,
    started,
    subscribed,
)


@pytest.fixture
def owner(as_role: As) -> Api:
    return as_role("subscriber")


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_500_500_200_is_three_posts_of_the_same_bytes_and_only_that_firm_waits(
    system: System, owner: Api, receiver: Receiver
) -> None:
    made = subscribed(owner, receiver)
    first, second, other = happen(system, accepted(), accepted(), accepted(OTHER, "430602"))
    answers = iter([500, 500])
    receiver.answer = lambda post: next(answers, 200) if post.id == str(first.id) else 200
    assert send(system) == 2
    assert sorted(receiver.ids) == sorted(ids([first, other]))
    assert send(system, later(0.5)) == 0
    assert send(system, later(2)) == 1
    assert send(system, later(6)) == 2
    mine = [post for post in receiver.posts if post.id != str(other.id)]
    assert [post.id for post in mine] == ids([first, first, first, second])
    assert [post.headers["webhook-attempt"] for post in mine] == ["1", "2", "3", "1"]
    assert {post.body for post in mine[:3]} == {first.cloud_event()}
    assert [d["state"] for d in deliveries(owner, made)] == ["delivered"] * 3
    attempts = owner.get(f"{place(made)}/deliveries/{deliveries(owner, made)[0]['id']}/attempts").json()["items"]
    assert [(a["n"], a["http_status"], a["error_code"]) for a in attempts] == [
        (1, 500, "http_status"),
        (2, 500, "http_status"),
        (3, 200, None),
    ]


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.Webhook])
def test_public_libraries_verify_every_attempt_also_during_rotation(
    system: System, owner: Api, receiver: Receiver, library: type
) -> None:
    made = subscribed(owner, receiver)
    happen(system, accepted())
    answers = iter([500])
    receiver.answer = lambda _: next(answers, 200)
    assert send(system) + send(system, later(2)) == 2
    assert owner.post(f"{place(made)}/test").json()["http_status"] == 200
    old = [*receiver.posts, *receiver.challenges]
    assert len(old) == 4
    for post in old:
        library(made["secret"]).verify(post.body, post.headers)
    rotated = owner.post(f"{place(made)}/rotate-secret")
    assert rotated.status_code == 200, shown(rotated)
    happen(system, accepted())
    assert send(system, later(3)) == 1
    for secret in (made["secret"], rotated.json()["secret"]):
        library(secret).verify(receiver.posts[-1].body, receiver.posts[-1].headers)
    with pytest.raises((standardwebhooks.WebhookVerificationError, svix.WebhookVerificationError)):
        library(rotated.json()["secret"]).verify(receiver.posts[0].body, receiver.posts[0].headers)


def test_after_24_hours_the_old_secret_signs_no_more(system: System, owner: Api, receiver: Receiver) -> None:
    made = subscribed(owner, receiver)
    assert owner.post(f"{place(made)}/rotate-secret").status_code == 200
    with system.contexts["notifications"].db.begin() as tx:
        from services.notifications.models import Subscription

        row = tx.get_one(Subscription, UUID(made["id"]))
        assert row.old_until is not None and row.old_until > datetime.now(UTC) + timedelta(hours=23)
        row.old_until = datetime.now(UTC) - timedelta(seconds=1)
    happen(system, accepted())
    send(system)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(made["secret"]).verify(receiver.posts[0].body, receiver.posts[0].headers)


def test_a_delivery_is_a_structured_cloud_event(system: System, owner: Api, receiver: Receiver) -> None:
    subscribed(owner, receiver)
    (envelope,) = happen(system, accepted())
    send(system)
    (post,) = receiver.posts
    event = from_http_event(HTTPMessage(headers=post.headers, body=post.body))
    assert (event.get_id(), event.get_type(), event.get_subject()) == (post.id, "audits.acceptance.recorded.v1", FIRM)
    assert post.headers["content-type"].startswith("application/cloudevents+json")
    assert post.headers["traceparent"] == envelope.traceparent
    assert "division" not in post.document["data"]


def test_events_between_creation_and_verification_are_owed(system: System, owner: Api, receiver: Receiver) -> None:
    before = happen(system, accepted())
    made = subscribed(owner, receiver, verify=False)
    between = happen(system, accepted(), accepted(OTHER))
    assert send(system) == 0
    assert owner.post(f"{place(made)}/verify").status_code == 200
    after = happen(system, accepted())
    assert send(system) == 3
    assert sorted(receiver.ids) == sorted(ids(between + after))
    assert not set(ids(before)) & set(receiver.ids)


@pytest.mark.parametrize("how", ["pause", "gone"])
def test_what_happens_while_it_is_paused_or_disabled_comes_afterwards_in_order(
    system: System, owner: Api, receiver: Receiver, how: str
) -> None:
    made = subscribed(owner, receiver)
    first = happen(system, accepted(), accepted())
    if how == "pause":
        assert owner.post(f"{place(made)}/pause").json()["state"] == "paused"
    else:
        receiver.answer = lambda _: 410
        assert send(system) == 1
        assert owner.get(place(made)).json()["state"] == "disabled"
    receiver.answer, receiver.posts = (lambda _: 200), []
    owed = first + happen(system, *[accepted() for _ in range(5)])
    assert send(system, later(3600)) == 0
    assert owner.post(f"{place(made)}/enable").json()["state"] == "active"
    owed += happen(system, accepted())
    assert send(system) == 8
    assert receiver.ids == ids(owed)
    assert send(system, later(3600)) == 0


def test_a_gone_receiver_is_told_as_an_event(system: System, owner: Api, receiver: Receiver) -> None:
    from shared.messaging.tables import OutboxRow

    made = subscribed(owner, receiver)
    happen(system, accepted(), accepted(OTHER))
    receiver.answer = lambda _: 410
    assert send(system) in (1, 2)
    with system.contexts["notifications"].db.read() as tx:
        told = [row.envelope for row in tx.exec(select(OutboxRow))]
    assert [(e["type"], e["subject"]) for e in told] == [("notifications.subscription.disabled.v1", made["id"])]


def consent(**changes: object) -> ConsentGranted:
    given = {"consent": UUID(int=7), "uscc": FIRM, "bank": BANK, "purpose": "pre_loan", "scope": ["audit"]}
    return ConsentGranted.model_validate(given | {"valid_to": date(2027, 1, 31)} | changes)


def test_a_consent_withdrawn_between_two_attempts_skips_the_delivery(
    system: System, as_role: As, receiver: Receiver
) -> None:
    bank = as_role("bank", uscc=BANK)
    made = subscribed(bank, receiver, types=["audits.*"])
    happen(system, consent(), started())
    receiver.answer = lambda _: 500
    assert send(system) == 1
    happen(
        system, ConsentRevoked(consent=UUID(int=7), uscc=FIRM, bank=BANK, scope=["audit"], valid_to=date(2027, 1, 31))
    )
    assert send(system, later(2)) == 0
    (delivery,) = deliveries(bank, made)
    assert (delivery["state"], delivery["error_code"], delivery["attempts"]) == ("skipped", "not_entitled", 1)
    happen(system, started())
    assert len(deliveries(bank, made)) == 1


def test_after_72_hours_it_is_dead_and_the_owner_may_ask_for_it_again(
    system: System, owner: Api, receiver: Receiver
) -> None:
    made = subscribed(owner, receiver)
    dead, next_one = happen(system, accepted(), accepted())
    receiver.answer = lambda post: 500 if post.id == str(dead.id) else 200
    send(system)
    send(system, later(72 * 3600 - 60))
    assert [d["state"] for d in deliveries(owner, made)] == ["retry_wait", "ready"]
    assert send(system, later(72 * 3600 + 60)) == 2
    assert [d["state"] for d in deliveries(owner, made)] == ["dead", "delivered"]
    (delivery,) = deliveries(owner, made, state="dead")
    assert deliveries(owner, made, state="delivered")[0]["event_id"] == str(next_one.id)
    receiver.answer = lambda _: 200
    assert owner.post(f"{place(made)}/deliveries/{delivery['id']}/retry").json()["state"] == "ready"
    assert owner.post(f"{place(made)}/deliveries/{delivery['id']}/retry").json()["code"] == "move_not_allowed"
    assert send(system) == 1
    assert receiver.ids[-1] == str(dead.id)


def leased(system: System, now: datetime) -> list[lanes.Leased]:
    return lanes.claim(system.contexts["notifications"].db, lanes.Room(200, {}), now, TODAY)


def test_work_of_a_crashed_dispatcher_is_done_after_its_lease(system: System, owner: Api, receiver: Receiver) -> None:
    subscribed(owner, receiver)
    (envelope,) = happen(system, accepted())
    assert len(leased(system, datetime.now(UTC))) == 1
    assert send(system, later(59)) == 0
    assert send(system, later(61)) == 1
    assert receiver.ids == [str(envelope.id)]


def test_results_of_a_lost_lease_are_ignored(system: System, owner: Api, receiver: Receiver) -> None:
    made = subscribed(owner, receiver)
    happen(system, accepted())
    (slow,) = leased(system, datetime.now(UTC))
    (fast,) = leased(system, later(61))
    db = system.contexts["notifications"].db

    def result(lane: lanes.Leased, state: Progress) -> lanes.Result:
        return lanes.Result(lane, lane.owed[0].delivery_id, 1, state, datetime.now(UTC), http_status=200)

    lanes.record(db, [result(slow, Progress.DEAD)], [slow])
    assert [d["state"] for d in deliveries(owner, made)] == ["ready"]
    lanes.record(db, [result(fast, Progress.DELIVERED)], [fast])
    assert [d["state"] for d in deliveries(owner, made)] == ["delivered"]


def test_two_dispatchers_never_share_a_lane_and_keep_the_order(system: System, owner: Api, receiver: Receiver) -> None:
    subscribed(owner, receiver)
    firms = [f"firm-{n}" for n in range(30)]
    owed = happen(system, *[accepted(firm) for _ in range(10) for firm in firms])
    workers = [threading.Thread(target=send, args=(system,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(receiver.ids) == sorted(ids(owed))
    for firm in firms:
        wanted = [str(e.id) for e in owed if e.subject == firm]
        assert [post.id for post in receiver.posts if post.document["subject"] == firm] == wanted


def test_a_new_event_leaves_within_a_moment_and_stopping_finishes_what_is_in_flight(
    system: System, owner: Api, receiver: Receiver
) -> None:
    context, stop = system.contexts["notifications"], threading.Event()
    subscribed(owner, receiver)
    loop = threading.Thread(target=dispatch, args=(context, stop))
    loop.start()
    try:
        sent = ids(happen(system, accepted()))
        receiver.wait_for(1)
        for _ in range(20):
            sent += ids(happen(system, accepted()))
        receiver.wait_for(21)
    finally:
        stop.set()
        loop.join(15)
    assert not loop.is_alive()
    assert receiver.ids == sent
    assert send(system, later(120)) == 0


def test_an_event_that_joins_a_lane_in_flight_is_not_forgotten(system: System, owner: Api, receiver: Receiver) -> None:
    subscribed(owner, receiver)
    (first,) = happen(system, accepted())
    joined: list[str] = []

    def answer(post: Post) -> int:
        if post.id == str(first.id):
            joined.extend(ids(happen(system, accepted())))
        return 200

    receiver.answer = answer
    send(system)
    assert receiver.ids == [str(first.id), *joined]


def test_a_filter_narrows_by_enterprise_and_by_place(system: System, as_role: As, receiver: Receiver) -> None:
    by_firm = subscribed(as_role("subscriber", client_id="a"), receiver, filter={"uscc": [FIRM]})
    by_place = subscribed(as_role("subscriber", client_id="b"), receiver, filter={"division": "4306"})
    mine, other = happen(system, accepted(), accepted(OTHER, "430602"))
    assert [d["event_id"] for d in deliveries(as_role("subscriber", client_id="a"), by_firm)] == ids([mine])
    assert [d["event_id"] for d in deliveries(as_role("subscriber", client_id="b"), by_place)] == ids([other])


def test_an_event_that_comes_twice_is_delivered_once(system: System, owner: Api, receiver: Receiver) -> None:
    from services.notifications.handlers import handlers
    from shared.messaging.inbox import deliver

    subscribed(owner, receiver)
    envelopes = happen(system, accepted())
    deliver(envelopes + envelopes, handlers, system.contexts["notifications"].db)
    send(system)
    assert receiver.ids == ids(envelopes)
