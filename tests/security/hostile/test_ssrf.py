"""No URL that a subscriber gives us leads inside: at no stage, in no form, by no change of mind of a resolver."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from aiohttp import ThreadedResolver

from infra.system import System
from services.notifications.models import Subscription
from services.notifications.models.subscriptions import State
from tests.conftest import Api, As, shown
from tests.integration.notifications.receivers import accepted, happen, send
from tests.security.hostile.targets import PORT, PUBLIC, Canary, Names, corpus, dressed, listening, names, redirecting

PATH = "/notifications/v1/subscriptions"
GOOD = "https://receiver.example.org/hook"
Record = Callable[[str, object], None]


@pytest.fixture
def canary() -> Iterator[Canary]:
    with listening() as bird:
        yield bird


@pytest.fixture
def resolver(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> Names:
    """Answers with a blocked address for each name of the corpus, publicly for the good one, else with the canary."""
    known = {name: [ip] for name, ip in names().items()} | {"receiver.example.org": [PUBLIC]}
    found = Names([canary.host], known)
    monkeypatch.setattr(ThreadedResolver, "resolve", lambda self, *given: found.resolve(self, *given))
    return found


@pytest.fixture(params=["", "127.255.255.254/32,10.77.0.0/16"], ids=["nothing opened", "something opened"])
def opened(request: pytest.FixtureRequest, system: System) -> str:
    """Ranges that an operator has opened; none of them holds a target of the corpus."""
    context = system.contexts["notifications"]
    context.settings = context.settings.model_copy(update={"webhook_allow": request.param})
    return str(request.param)


@pytest.fixture
def urls(canary: Canary, resolver: Names, opened: str) -> list[str]:
    """The whole corpus; where something is opened, what could be mistaken for it."""
    return dressed(canary.host) if opened else corpus(canary.host)


@pytest.fixture
def owner(as_role: As) -> Api:
    return as_role("subscriber")


def made(owner: Api) -> str:
    answer = owner.post(PATH, {"url": GOOD, "types": ["*"]})
    assert answer.status_code == 201, shown(answer)
    return str(answer.json()["id"])


def put(system: System, subscription: str, url: str, state: State = State.PENDING) -> None:
    """As if the url had been allowed when it was given."""
    with system.contexts["notifications"].db.begin() as tx:
        found = tx.get_one(Subscription, UUID(subscription))
        found.url, found.state = url, state


def tell(record: Record, stage: str, count: int) -> None:
    record("forms", count)
    print(f"{stage}: {count} forms")


def test_none_can_be_subscribed_to(owner: Api, canary: Canary, urls: list[str], record_property: Record) -> None:
    codes = {url: owner.post(PATH, {"url": url, "types": ["*"]}).json().get("code") for url in urls}
    assert {url: code for url, code in codes.items() if code != "target_not_allowed"} == {}
    assert owner.get(PATH).json()["items"] == [] and canary.connections == 0
    tell(record_property, "create", len(codes))


def test_no_subscription_can_be_turned_to_one(
    owner: Api, canary: Canary, urls: list[str], record_property: Record
) -> None:
    place, match = f"{PATH}/{made(owner)}", {"If-Match": "*"}
    codes = {url: owner.patch(place, {"url": url}, headers=match).json().get("code") for url in urls}
    assert {url: code for url, code in codes.items() if code != "target_not_allowed"} == {}
    assert owner.get(place).json()["url"] == GOOD and canary.connections == 0
    tell(record_property, "update", len(codes))


@pytest.mark.parametrize("stage", ["verify", "test"])
def test_none_is_posted_to_when_the_owner_asks_for_it(
    stage: str, system: System, owner: Api, canary: Canary, urls: list[str], record_property: Record
) -> None:
    subscription, told = made(owner), {}
    for url in urls:
        put(system, subscription, url)
        answer = owner.post(f"{PATH}/{subscription}/{stage}").json()
        told[url] = answer.get("code") or answer["error_code"]
    assert {url: code for url, code in told.items() if code != "target_not_allowed"} == {}
    assert canary.connections == 0
    tell(record_property, stage, len(told))


def test_none_is_delivered_to(
    system: System, owner: Api, canary: Canary, urls: list[str], record_property: Record
) -> None:
    subscriptions = {made(owner): url for url in urls}
    for subscription, url in subscriptions.items():
        put(system, subscription, url, State.ACTIVE)
    happen(system, accepted())
    assert send(system) == len(urls)
    told = {}
    for subscription, url in subscriptions.items():
        (delivery,) = owner.get(f"{PATH}/{subscription}/deliveries").json()["items"]
        told[url] = delivery["error_code"]
    assert {url: code for url, code in told.items() if code != "target_not_allowed"} == {}
    assert canary.connections == 0
    tell(record_property, "delivery", len(told))


@pytest.mark.parametrize("answer", ["inside", "public and inside", "inside and public"])
def test_a_name_that_turns_inward_is_not_followed(
    answer: str, system: System, owner: Api, canary: Canary, resolver: Names
) -> None:
    subscription = made(owner)
    addresses = {"public": PUBLIC, "inside": canary.host}
    resolver.known["receiver.example.org"] = [addresses[word] for word in answer.split(" and ")]
    put(system, subscription, f"https://receiver.example.org:{PORT}/hook")
    assert owner.post(f"{PATH}/{subscription}/verify").json()["code"] == "target_not_allowed"
    assert owner.post(f"{PATH}/{subscription}/test").json()["error_code"] == "target_not_allowed"
    put(system, subscription, f"https://receiver.example.org:{PORT}/hook", State.ACTIVE)
    happen(system, accepted())
    send(system)
    (delivery,) = owner.get(f"{PATH}/{subscription}/deliveries").json()["items"]
    assert (delivery["error_code"], canary.connections) == ("target_not_allowed", 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_inside_is_never_followed(status: int, system: System, owner: Api, canary: Canary) -> None:
    context = system.contexts["notifications"]
    context.settings = context.settings.model_copy(update={"webhook_allow": "127.0.0.0/8"})
    for scheme in ("http", "https"):
        with redirecting(status, f"{scheme}://{canary.host}:{PORT}/") as (url, asked):
            subscription = owner.post(PATH, {"url": url, "types": ["*"]}).json()["id"]
            assert owner.post(f"{PATH}/{subscription}/verify").json()["code"] == "verification_failed"
            attempt = owner.post(f"{PATH}/{subscription}/test").json()
            assert (attempt["http_status"], attempt["error_code"]) == (status, "redirect")
            put(system, subscription, url, State.ACTIVE)
            happen(system, accepted())
            send(system)
            (delivery,) = owner.get(f"{PATH}/{subscription}/deliveries").json()["items"]
            assert delivery["error_code"] == "redirect" and asked == ["/first"] * 3
            put(system, subscription, url, State.DELETED)
    assert canary.connections == 0


def test_no_proxy_of_the_environment_is_used(
    system: System, owner: Api, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{canary.host}:{PORT}")
        monkeypatch.setenv(name.lower(), f"http://{canary.host}:{PORT}")
    context = system.contexts["notifications"]
    context.settings = context.settings.model_copy(update={"webhook_allow": "127.0.0.1/32"})
    with redirecting(204, "") as (url, asked):
        subscription = owner.post(PATH, {"url": url, "types": ["*"]}).json()["id"]
        assert owner.post(f"{PATH}/{subscription}/test").json()["http_status"] == 204
        put(system, subscription, url, State.ACTIVE)
        happen(system, accepted())
        send(system)
    assert asked == ["/first"] * 2 and canary.connections == 0
