"""Subscriptions: one owner, one secret shown once, proven control of the url, no packet to where none may go."""

from uuid import UUID, uuid4

import pytest

from infra.system import System
from services.notifications.models import Subscription
from tests.conftest import Api, As, shown
from tests.integration.notifications.receivers import (
    Receiver,
    accepted,
    deliveries,
    happen,
    ids,
    place,
    send,
    subscribed,
)

PATH = "/notifications/v1/subscriptions"


@pytest.fixture
def owner(as_role: As) -> Api:
    return as_role("subscriber")


def test_the_secret_is_shown_once_and_kept_sealed(system: System, owner: Api, receiver: Receiver) -> None:
    made = subscribed(owner, receiver, verify=False)
    assert made["secret"].startswith("whsec_") and made["state"] == "pending"
    assert "secret" not in owner.get(place(made)).json()
    assert "secret" not in owner.get(PATH).json()["items"][0]
    context = system.contexts["notifications"]
    with context.db.read() as tx:
        row = tx.get_one(Subscription, UUID(made["id"]))
    assert made["secret"].encode() not in row.secret
    assert context.sealer.open(row.secret, made["id"]).decode() == made["secret"]


def test_the_same_key_makes_one_subscription_with_one_secret(owner: Api, receiver: Receiver) -> None:
    body, headers = {"url": receiver.url, "types": ["*"]}, {"Idempotency-Key": "once"}
    first, second = owner.post(PATH, body, headers=headers), owner.post(PATH, body, headers=headers)
    assert first.json() == second.json() and second.headers["Idempotency-Replayed"] == "true"
    assert len(owner.get(PATH).json()["items"]) == 1


def test_only_the_owner_knows_of_a_subscription(as_role: As, owner: Api, receiver: Receiver) -> None:
    made = subscribed(owner, receiver)
    stranger = as_role("subscriber", client_id="somebody-else")
    assert stranger.get(PATH).json()["items"] == []
    for answer in (
        stranger.get(place(made)),
        stranger.patch(place(made), {"types": ["*"]}),
        stranger.delete(place(made)),
        stranger.post(f"{place(made)}/pause"),
        stranger.post(f"{place(made)}/rotate-secret"),
        stranger.get(f"{place(made)}/deliveries"),
        owner.get(f"{PATH}/{uuid4()}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_checks_come_in_the_order_of_the_contract(nobody: Api, owner: Api, receiver: Receiver) -> None:
    body = {"url": receiver.url, "types": ["*"]}
    assert nobody.post(PATH, body).status_code == 401
    answer = owner.post(PATH, {}, headers={"Idempotency-Key": ""})
    assert answer.json()["code"] == "idempotency_key_required", shown(answer)
    assert owner.post(PATH, body | {"unknown": 1}).json()["errors"][0]["code"] == "unknown_field"
    made = subscribed(owner, receiver)
    assert owner.patch(place(made), {"types": ["*"]}).status_code == 428
    assert owner.patch(place(made), {"types": ["*"]}, headers={"If-Match": '"99"'}).status_code == 412
    answer = owner.post(f"{place(made)}/enable")
    assert (answer.status_code, answer.json()["state"], answer.json()["allowed"]) == (409, "active", ["pause"])


def test_unknown_and_internal_types_are_refused(owner: Api, receiver: Receiver) -> None:
    for wrong in ("audits.nothing.v1", "audits*", "nothing.*", "audits.round.moved.v1", ""):
        answer = owner.post(PATH, {"url": receiver.url, "types": ["*", wrong]})
        assert (answer.status_code, answer.json()["code"]) == (422, "type_unknown"), shown(answer)
        assert answer.json()["errors"][0]["pointer"] == "/types/1"


def test_a_target_that_may_not_be_reached_is_refused(owner: Api) -> None:
    for url in (
        "http://10.0.0.1/hook",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://user@example.org/",
        "ftp://127.0.0.1/",
        "http://2130706433/",
        "https://192.168.1.1:443/x",
        "not a url",
        "http://0x7f.1/",
    ):
        answer = owner.post(PATH, {"url": url, "types": ["*"]})
        assert (answer.status_code, answer.json()["code"]) == (422, "target_not_allowed"), shown(answer)
    assert owner.get(PATH).json()["items"] == []


def test_a_target_that_is_no_longer_allowed_is_never_connected_to(
    system: System, owner: Api, receiver: Receiver
) -> None:
    made = subscribed(owner, receiver)
    happen(system, accepted())
    context = system.contexts["notifications"]
    context.settings = context.settings.model_copy(update={"webhook_allow": ""})
    before = receiver.connections
    assert send(system) == 1
    assert owner.post(f"{place(made)}/test").json()["error_code"] == "target_not_allowed"
    assert owner.post(PATH, {"url": receiver.url, "types": ["*"]}).json()["code"] == "target_not_allowed"
    assert receiver.connections == before and receiver.posts == []
    (delivery,) = deliveries(owner, made)
    assert (delivery["state"], delivery["error_code"]) == ("retry_wait", "target_not_allowed")


def test_who_does_not_return_the_challenge_is_not_verified(system: System, owner: Api, receiver: Receiver) -> None:
    made = subscribed(owner, receiver, verify=False)
    receiver.echo = False
    answer = owner.post(f"{place(made)}/verify")
    assert (answer.status_code, answer.json()["code"]) == (422, "verification_failed")
    assert owner.get(place(made)).json()["state"] == "pending"
    happen(system, accepted())
    assert send(system) == 0
    receiver.echo = True
    assert owner.post(f"{place(made)}/verify").json()["state"] == "active"
    assert [set(post.document) for post in receiver.challenges] == [{"type", "challenge"}] * 2
    assert owner.post(f"{place(made)}/verify").json()["code"] == "move_not_allowed"


def test_another_url_is_verified_again_and_what_is_owed_waits_for_it(
    system: System, owner: Api, receiver: Receiver
) -> None:
    made = subscribed(owner, receiver)
    owed = happen(system, accepted())
    changed = owner.patch(place(made), {"url": receiver.url + "2"}, headers={"If-Match": '"2"'})
    assert (changed.status_code, changed.json()["state"]) == (200, "pending"), shown(changed)
    owed += happen(system, accepted())
    assert send(system) == 0
    assert owner.post(f"{place(made)}/verify").status_code == 200
    assert send(system) == 2
    assert receiver.ids == ids(owed) and {post.path for post in receiver.posts} == {"/hook2"}


def test_a_merge_patch_leaves_what_it_does_not_name(owner: Api, receiver: Receiver) -> None:
    made = subscribed(owner, receiver, filter={"division": "4302"})
    changed = owner.patch(place(made), {"types": ["credit.*"]}, headers={"If-Match": '"2"'})
    assert (changed.json()["types"], changed.json()["filter"]) == (["credit.*"], {"division": "4302"})
    assert changed.json()["state"] == "active" and changed.headers["ETag"] == '"3"'
    changed = owner.patch(place(made), {"filter": None}, headers={"If-Match": '"3"'})
    assert changed.json()["filter"] is None
    for wrong, code in (
        ({"url": None}, "invalid_request"),
        ({"types": None}, "invalid_request"),
        ({"url": ""}, "target_not_allowed"),
    ):
        answer = owner.patch(place(made), wrong, headers={"If-Match": '"4"'})
        assert (answer.status_code, answer.json()["code"]) == (422, code), shown(answer)
    assert owner.get(place(made)).json()["version"] == 4


def test_after_delete_nothing_is_sent_and_nothing_is_there(system: System, owner: Api, receiver: Receiver) -> None:
    made = subscribed(owner, receiver)
    happen(system, accepted())
    assert owner.delete(place(made)).status_code == 204
    happen(system, accepted())
    assert send(system) == 0
    assert owner.get(place(made)).status_code == 404 and owner.get(PATH).json()["items"] == []


def test_a_test_event_is_signed_and_counts_as_no_delivery(owner: Api, receiver: Receiver) -> None:
    made = subscribed(owner, receiver)
    receiver.answer = lambda _: 503
    attempt = owner.post(f"{place(made)}/test").json()
    assert (attempt["n"], attempt["http_status"], attempt["error_code"]) == (1, 503, "http_status")
    assert receiver.posts[0].document["type"] == "subscription.test"
    assert deliveries(owner, made) == []


def test_pages_of_subscriptions_and_deliveries_have_no_hole(system: System, owner: Api, receiver: Receiver) -> None:
    made = [subscribed(owner, receiver) for _ in range(3)]
    first = owner.get(PATH, params={"limit": 2}).json()
    second = owner.get(PATH, params={"limit": 2, "after": first["next"]}).json()
    assert [s["id"] for s in first["items"] + second["items"]] == [s["id"] for s in made]
    sent = ids(happen(system, *[accepted() for _ in range(3)]))
    path = f"{place(made[0])}/deliveries"
    first = owner.get(path, params={"limit": 2}).json()
    second = owner.get(path, params={"limit": 2, "after": first["next"]}).json()
    assert [d["event_id"] for d in first["items"] + second["items"]] == sent[::-1]


def test_the_signing_keys_are_public_and_verify_v1a(
    system: System, nobody: Api, owner: Api, receiver: Receiver
) -> None:
    import base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    subscribed(owner, receiver)
    (key,) = nobody.get("/notifications/v1/.well-known/webhook-keys.json").json()["keys"]
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519") and "d" not in key
    happen(system, accepted())
    send(system)
    (post,) = receiver.posts
    signature = next(s for s in post.headers["webhook-signature"].split() if s.startswith("v1a,"))
    content = f"{post.id}.{post.headers['webhook-timestamp']}.".encode() + post.body
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    public.verify(base64.b64decode(signature.removeprefix("v1a,")), content)
