"""F17: keys are changed while requests, sign-ins and webhooks go on, and none of them fails."""

import threading
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest

from infra.client import Caller, Callers, until
from infra.fiction import Firm
from infra.receiver import Receiver
from infra.rotate import rotate
from services.notifications.signing import verify
from shared.clock import utc_now
from shared.codes import make_uscc
from tests.instances import Instance, running_instance

pytestmark = pytest.mark.slow
ROUNDS = 3


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with running_instance() as running:
        yield running


class Load:
    """Threads that ask again and again and keep every answer that is none of the expected."""

    def __init__(self, *asks: Callable[[], httpx.Response]) -> None:
        self.failed: list[str] = []
        self.asked = [0] * len(asks)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n, ask), daemon=True) for n, ask in enumerate(asks)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def more(self, count: int = 20) -> None:
        """Wait until every thread has had `count` answers more."""
        wanted = [asked + count for asked in self.asked]
        until(
            lambda: self.failed or all(now >= then for now, then in zip(self.asked, wanted, strict=True)),
            60,
            "the load",
        )

    def _run(self, number: int, ask: Callable[[], httpx.Response]) -> None:
        while not self._stop.wait(0.01):
            answer = ask()
            if answer.status_code not in (200, 201):
                self.failed.append(
                    f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:300]}"
                )
            self.asked[number] += 1


def test_no_request_notices_that_the_keys_of_tokens_and_seals_are_changed(instance: Instance) -> None:
    signed_in = [_signed_in(instance)]
    asks: list[Callable[[], httpx.Response]] = [
        lambda: signed_in[-1].request("GET", "/registry/v1/enterprises"),
        lambda: Callers(instance.home / "credentials.json")["bank"].request("GET", "/notifications/v1/event-types"),
        lambda: _twice(instance),
    ]
    with Load(*asks) as load:
        for kind in ("token", "sealing") * ROUNDS:
            signed_in.append(_signed_in(instance))  # its token outlives the one rotation that may come within its life
            rotate(kind, instance.home / "secrets")
            load.more()
    assert load.failed == []


def _signed_in(instance: Instance) -> Caller:
    caller = instance.callers["provincial_ecology"]
    caller.token()
    return caller


def _twice(instance: Instance) -> httpx.Response:
    """A creating request and its repetition, whose answer is unsealed."""
    office = instance.callers["provincial_ecology"]
    key, number = {"Idempotency-Key": uuid4().hex}, uuid4().int % 20_000_000
    body = {"uscc": make_uscc(number, series="MB"), "name": f"示例{number}", "division": "430102", "industry": "2611"}
    first = office.request("POST", "/registry/v1/enterprises", json=body, headers=key)
    again = office.request("POST", "/registry/v1/enterprises", json=body, headers=key)
    assert first.content == again.content, (first.text, again.text)
    return again


def test_a_webhook_verifies_with_the_old_and_the_new_key_while_both_are_published(instance: Instance) -> None:
    receiver = Receiver().start()
    office, path = instance.callers["provincial_ecology"], "/notifications/v1/subscriptions"
    made = office.post(path, {"url": receiver.url, "types": ["credit.*"]})
    office.post(f"{path}/{made['id']}/verify")
    published = [_keys(instance)]
    secrets = [made["secret"]]
    for number in range(ROUNDS):
        rotate("webhook", instance.home / "secrets")
        secrets.append(office.post(f"{path}/{made['id']}/rotate-secret")["secret"])
        published.append(_keys(instance))
        _grade(instance, number)
        until(lambda wanted=number: len(receiver.of("credit.record.published.v1")) > wanted, what="the webhook")
        got = receiver.of("credit.record.published.v1")[-1]
        now = int(utc_now().timestamp())
        for known in (published[-1], secrets[-1:], secrets[-2:-1]):
            keys = [key for key in known if key.startswith("whpk_")]
            shared = [key for key in known if key.startswith("whsec_")]
            verify(shared, got.headers, got.body, now=now, public_keys=keys)
    receiver.stop()
    assert all(len(keys) == 2 for keys in published[1:])
    assert all(set(older) & set(newer) for older, newer in pairwise(published))


def _keys(instance: Instance) -> list[str]:
    """The published keys as receivers configure them."""
    document = httpx.get(f"{instance.base}/notifications/v1/.well-known/webhook-keys.json", trust_env=False).json()
    return ["whpk_" + b64encode(urlsafe_b64decode(key["x"] + "==")).decode() for key in document["keys"]]


def _grade(instance: Instance, number: int) -> dict[str, Any]:
    office = instance.callers["provincial_ecology"]
    firm = Firm(make_uscc(880 + number, series="MB"), f"示例轮换{number}", "430102", "2611")
    office.post(
        "/registry/v1/enterprises",
        {"uscc": firm.uscc, "name": firm.name, "division": firm.division, "industry": "2611"},
    )
    until(lambda: office.request("GET", f"/credit/v1/enterprises/{firm.uscc}").status_code == 200, what="credit")
    record = {"uscc": firm.uscc, "evaluation_year": 2024, "grade": "蓝牌", "level": "province"}
    made: dict[str, Any] = office.post(
        "/credit/v1/records", record | {"published_on": "2025-06-05", "document_no": "示例"}
    )
    return made
