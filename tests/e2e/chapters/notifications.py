"""Notifications: a subscription's whole life, deliveries and their retry, the feed in its three forms, the keys."""

import json
from base64 import b64decode, urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from infra.client import until
from infra.fiction import Firm
from infra.receiver import Receiver
from tests.e2e.chapters.world import NOBODY, World

PATH, FEED = "/notifications/v1/subscriptions", "/notifications/v1/events"
CREDIT = "credit.record.published.v1"


def subscribe(w: World) -> None:
    subscriber, body = w.subscriber, {"url": w.receiver.url, "types": ["audits.acceptance.recorded.v1", "audits.list_entry.*"]}
    for url in ("https://10.0.0.1/x", "https://169.254.169.254/", "http://example.org/", "https://[::ffff:10.0.0.1]/"):
        w.refused(subscriber, 422, "target_not_allowed", "POST", PATH, json=body | {"url": url})
    w.refused(subscriber, 422, "type_unknown", "POST", PATH, json=body | {"types": ["gossip.*"]})
    w.refused(subscriber, 422, "unknown_field", "POST", PATH, json=body | {"secret": "whsec_mine"})
    w.refused(subscriber, 400, "idempotency_key_required", "POST", PATH, json=body, headers={"Idempotency-Key": ""})
    w.refused(w.narrow("subscriber"), 403, "forbidden", "POST", PATH, json=body)
    made = subscriber.post(PATH, body)
    w.subscription, w.secret = made["id"], made["secret"]
    assert made["state"] == "pending" and w.secret.startswith("whsec_")
    assert subscriber.post(f"{PATH}/{w.subscription}/verify")["state"] == "active"
    assert "secret" not in subscriber.get(f"{PATH}/{w.subscription}")
    assert [s["id"] for s in subscriber.get(PATH)["items"]] == [w.subscription] and w.bank.get(PATH)["items"] == []
    w.refused(w.narrow("subscriber"), 403, "forbidden", "GET", PATH)
    types = {t["type"]: t for t in w.bank.get("/notifications/v1/event-types")["items"]}
    assert types["audits.acceptance.recorded.v1"]["audience"] == "public" and types[CREDIT]["schema"] and types[CREDIT]["example"]
    w.refused(w.narrow("bank"), 403, "forbidden", "GET", "/notifications/v1/event-types")


def acceptance_was_pushed(w: World) -> None:
    got = until(lambda: w.receiver.of("audits.acceptance.recorded.v1", w.firm.uscc), what="the acceptance's webhook")[0]
    assert Webhook(w.secret).verify(got.body, got.headers)["data"]["level"] == "I"
    assert got.json["specversion"] == "1.0" and got.id == got.json["id"]
    keys = w.stranger.get("/notifications/v1/.well-known/webhook-keys.json").json()["keys"]
    signed = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
    signature = next(s for s in got.headers["webhook-signature"].split() if s.startswith("v1a,"))
    x = keys[0]["x"]
    Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(x + "=" * (-len(x) % 4))).verify(b64decode(signature[4:]), signed)
    place = f"{PATH}/{w.subscription}/deliveries"
    items = until(lambda: w.subscriber.get(place, state="delivered")["items"], what="the delivery")
    one = f"{place}/{items[0]['id']}"
    assert w.subscriber.get(f"{one}/attempts")["items"][0]["http_status"] == 204
    assert w.subscriber.get(one)["state"] == "delivered"
    w.refused(w.subscriber, 409, "move_not_allowed", "POST", f"{one}/retry")
    w.missing(w.bank, f"GET {place}", f"GET {one}", f"GET {one}/attempts", f"POST {one}/retry")
    w.refused(w.subscriber, 422, "invalid", "GET", place, params={"state": "lost"})


def a_subscription_lives(w: World) -> None:
    """Changed, tested, paused, enabled, re-keyed; disabled by a receiver that is gone; deleted."""
    receiver = Receiver().start()
    try:
        made = w.subscriber.post(PATH, {"url": receiver.url, "types": ["incentives.*"]})
        place = f"{PATH}/{made['id']}"
        _changed(w, place)
        attempt = w.subscriber.post(f"{place}/test")
        assert attempt["http_status"] == 204 and Webhook(made["secret"]).verify(receiver.received[0].body, receiver.received[0].headers)
        _paused(w, place, receiver)
        _rekeyed(w, place, receiver, made["secret"])
        _fails_and_comes_back(w, place, receiver)
        w.refused(w.subscriber, 412, "version_stale", "DELETE", place, headers={"If-Match": '"99"'})
        assert w.subscriber.request("DELETE", place).status_code == 204
        moves = ("verify", "test", "pause", "enable", "rotate-secret")
        w.missing(w.subscriber, f"GET {place}", f"PATCH {place}", f"DELETE {place}", *(f"POST {place}/{m}" for m in moves))
        w.missing(w.subscriber, f"GET {PATH}/{NOBODY}")
    finally:
        receiver.stop()


def _changed(w: World, place: str) -> None:
    change: dict[str, Any] = {"types": [CREDIT], "filter": {"division": "4302"}}
    w.refused(w.subscriber, 428, "if_match_required", "PATCH", place, json=change)
    w.refused(w.subscriber, 412, "version_stale", "PATCH", place, json=change, headers={"If-Match": '"99"'})
    w.refused(w.subscriber, 409, "move_not_allowed", "POST", f"{place}/pause")
    now = {"If-Match": f'"{w.subscriber.get(place)["version"]}"'}
    inside = {"url": "https://192.168.1.1/"}
    w.refused(w.subscriber, 422, "target_not_allowed", "PATCH", place, json=inside, headers=now)
    changed = w.subscriber.patch(place, change, w.subscriber.get(place)["version"])
    assert changed["types"] == [CREDIT] and changed["filter"] == {"division": "4302"}
    assert w.subscriber.post(f"{place}/verify")["state"] == "active"
    w.refused(w.subscriber, 409, "move_not_allowed", "POST", f"{place}/verify")
    w.refused(w.subscriber, 409, "move_not_allowed", "POST", f"{place}/enable")
    for move in ("rotate-secret", "pause"):
        w.refused(w.subscriber, 412, "version_stale", "POST", f"{place}/{move}", headers={"If-Match": '"99"'})


def _paused(w: World, place: str, receiver: Receiver) -> None:
    assert w.subscriber.post(f"{place}/pause")["state"] == "paused"
    head = w.subscriber.get(FEED, after="latest")["cursor"]
    _graded(w, w.willing)
    until(lambda: w.subscriber.get(FEED, after=head, types=CREDIT)["events"], what="the event in the log")
    assert not receiver.of(CREDIT), "a paused subscription was sent to"
    assert w.subscriber.post(f"{place}/enable")["state"] == "active"
    assert len(until(lambda: receiver.of(CREDIT, w.willing.uscc), what="what came while it was paused")) == 1


def _rekeyed(w: World, place: str, receiver: Receiver, old: str) -> None:
    new = w.subscriber.post(f"{place}/rotate-secret")["secret"]
    assert new != old
    _graded(w, w.slow)
    got = until(lambda: receiver.of(CREDIT, w.slow.uscc), what="the event after the rotation")[0]
    for secret in (old, new):
        assert Webhook(secret).verify(got.body, got.headers)["subject"] == w.slow.uscc


def _fails_and_comes_back(w: World, place: str, receiver: Receiver) -> None:
    """500 is tried again, 410 disables; enabled again it gets what it was owed, with the same bytes."""
    answers = [500, 410]
    receiver.answer = lambda received: answers.pop(0) if answers else 204
    _graded(w, w.erring)
    until(lambda: w.subscriber.get(place)["state"] == "disabled", what="the end of a receiver that is gone")
    assert w.subscriber.post(f"{place}/enable")["state"] == "active"
    got = until(lambda: (r := receiver.of(CREDIT, w.erring.uscc))[2:] and r, what="what it was owed")
    assert len({r.body for r in got}) == len({r.id for r in got}) == 1, "an attempt had another id or other bytes"
    delivery = until(lambda: w.subscriber.get(f"{place}/deliveries", state="delivered")["items"][2:], what="the deliveries")
    assert len(delivery) == 1
    newest = w.subscriber.get(f"{place}/deliveries", limit=1)["items"][0]
    attempts = w.subscriber.get(f"{place}/deliveries/{newest['id']}/attempts")["items"]
    assert [(a["n"], a["http_status"]) for a in attempts] == [(1, 500), (2, 410), (3, 204)]


def _graded(w: World, firm: Firm) -> None:
    record = {"uscc": firm.uscc, "evaluation_year": w.start.year - 2, "grade": "绿牌", "level": "province"}
    published = {"published_on": f"{w.start.year - 1}-07-01", "document_no": f"示例{w.chance.randrange(1000)}"}
    w.province.post("/credit/v1/records", record | published)


def feed(w: World) -> None:
    wanted = ("audits.acceptance.recorded.v1", "audits.list_entry.published.v1", "audits.list_entry.withdrawn.v1")

    def pushed() -> set[str]:
        return {r.id for r in w.receiver.received}

    seen = until(lambda: (s := _whole_feed(w)) and {e["id"] for e in s if e["type"] in wanted} == pushed() and s, what="the feed")
    assert len(w.receiver.received) == len(pushed()), "an event was pushed twice"
    assert not any(e["type"].startswith(("audits.round", "audits.obligation", "incentives.decision")) for e in seen)
    w.refused(w.subscriber, 422, "cursor_invalid", "GET", FEED, params={"after": "yesterday"})
    w.refused(w.subscriber, 422, "cursor_invalid", "GET", f"{FEED}/stream", params={"after": "yesterday"})
    w.refused(w.subscriber, 422, "invalid", "GET", FEED, params={"wait": 31})
    w.refused(w.narrow("subscriber"), 403, "forbidden", "GET", FEED)


def _whole_feed(w: World) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    cursor, more = None, True
    while more:
        answer = w.subscriber.get(FEED, after=cursor, limit=50)
        seen, cursor, more = seen + answer["events"], answer["cursor"], answer["has_more"]
    return seen


def wait_and_stream(w: World) -> None:
    """A poll that waits and a stream that goes on from a cursor tell the same event in the same bytes."""
    head = w.subscriber.get(FEED, after="latest")["cursor"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(w.subscriber.get, FEED, after=head, types=CREDIT, wait=30)
        _graded(w, w.firm)
        polled = waiting.result()["events"]
    assert [e["subject"] for e in polled] == [w.firm.uscc]
    asked = {"Authorization": f"Bearer {w.subscriber.token()}", "Last-Event-ID": head}
    with w.stranger.stream("GET", f"{FEED}/stream", params={"types": CREDIT}, headers=asked) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        data = next(line for line in stream.iter_lines() if line.startswith("data:"))
    assert json.loads(data.removeprefix("data:")) == polled[0]


