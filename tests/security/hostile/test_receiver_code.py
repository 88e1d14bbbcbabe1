"""The code that subscribers copy from /docs/verify_webhook.py: that very file, against us and against forgers (T5)."""

import time
from types import ModuleType
from typing import Any

import pytest
import standardwebhooks
import svix
from starlette.testclient import TestClient

from infra import documents
from infra.system import System
from services.notifications.signing import SigningKey, new_secret, sign
from tests.conftest import As
from tests.integration.notifications.receivers import accepted, happen, place, running_receiver, send, subscribed
from tests.unit.notifications.test_webhook_signing import AT, BODY, ID, REFUSED, SECRET, V1, headers


@pytest.fixture(scope="module")
def copied() -> Any:
    """The file as a subscriber downloads it."""
    answer = TestClient(documents.application()).get("/docs/verify_webhook.py")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    module = ModuleType("verify_webhook")
    exec(compile(answer.text, "verify_webhook.py", "exec"), module.__dict__)  # noqa: S102 - as a subscriber would run it
    return module


@pytest.mark.parametrize("now", [AT, AT - 300, AT + 300])
@pytest.mark.parametrize("signature", [V1, f"v1,AAAA {V1}", f"v9,what {V1}", f"{V1} v1a,AAAA"])
def test_it_takes_a_good_signature_within_five_minutes(copied: Any, signature: str, now: int) -> None:
    assert copied.verify([SECRET], headers(signature), BODY, now=now) == {"test": 2432232314}
    assert copied.verify([new_secret(), SECRET], {k.title(): v for k, v in headers(signature).items()}, BODY, now=now)


@pytest.mark.parametrize(("given", "now"), [case[1:3] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_it_refuses_what_ours_refuses(copied: Any, given: dict[str, str], now: int) -> None:
    with pytest.raises(copied.Refused):
        copied.verify([SECRET], given, BODY, now=now)


def test_it_refuses_a_changed_body_another_secret_and_a_missing_header(copied: Any) -> None:
    for body, secrets, missing in (
        (BODY + b" ", [SECRET], ""),
        (BODY, [new_secret()], ""),
        (BODY, [], ""),
        *((BODY, [SECRET], name) for name in headers(V1)),
    ):
        given = {name: value for name, value in headers(V1).items() if name != missing}
        with pytest.raises(copied.Refused):
            copied.verify(secrets, given, body, now=AT)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_====", "whsec_不是"])
def test_a_secret_that_is_none_is_a_mistake_and_lets_nobody_in(copied: Any, secret: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        copied.verify([secret], headers(V1), BODY, now=AT)


def test_a_secret_may_come_without_prefix_or_padding(copied: Any) -> None:
    for secret in (SECRET, SECRET.removeprefix("whsec_"), SECRET.rstrip("=")):
        assert copied.verify([secret], headers(V1), BODY, now=AT)


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.Webhook])
def test_it_takes_what_the_libraries_sign(copied: Any, library: type) -> None:
    now, secret = int(time.time()), new_secret()
    from datetime import UTC, datetime

    signature = library(secret).sign(ID, datetime.fromtimestamp(now, UTC), BODY.decode())
    given = headers(signature, timestamp=str(now))
    assert copied.verify([secret], given, BODY) == copied.verify([secret], given, BODY, now=now)
    both = sign([secret], SigningKey.new(), ID, now, BODY)
    assert copied.verify([secret], headers(both, timestamp=str(now)), BODY)


def test_it_takes_our_deliveries_tests_retries_and_both_secrets_of_a_rotation(
    copied: Any, system: System, as_role: As
) -> None:
    context = system.contexts["notifications"]
    context.settings = context.settings.model_copy(update={"webhook_allow": "127.0.0.0/8", "retry_seconds": "0.001"})
    owner = as_role("subscriber")
    with running_receiver() as receiver:
        made = subscribed(owner, receiver)
        receiver.answer = lambda _: 503 if len(receiver.posts) == 0 else 200
        (envelope,) = happen(system, accepted())
        while len(receiver.posts) < 2:
            send(system)
        renewed = owner.post(f"{place(made)}/rotate-secret").json()
        owner.post(f"{place(made)}/test")
        first, retry, test = receiver.posts
        for post in (*receiver.challenges, first, retry, test):
            assert copied.verify([made["secret"]], post.headers, post.body) == post.document
        assert copied.verify([renewed["secret"]], test.headers, test.body)["type"] == "subscription.test"
        assert first.id == retry.id == str(envelope.id) and first.body == retry.body
        with pytest.raises(copied.Refused):
            copied.verify([renewed["secret"]], first.headers, first.body)
