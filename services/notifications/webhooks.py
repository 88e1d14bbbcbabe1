"""One webhook: what is posted, how it is signed, and what an answer means."""

import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.notifications.actions.subscriptions import Sealed, secrets_of
from services.notifications.models import Progress
from services.notifications.schedule import FailedAttempt, Schedule, disables
from services.notifications.signing import SigningKey, sign
from services.notifications.targets import AllowList
from services.notifications.transport import Outgoing, Sent
from shared.clock import local_time, utc_now
from shared.keyfiles import Watched, pem_blocks
from shared.service import Context

MEDIA_TYPE = "application/cloudevents+json; charset=utf-8"
_JITTER = random.SystemRandom()


@dataclass(frozen=True)
class Receiver:
    """Where to, and what signs now: the subscriber's secrets, the platform's key."""

    url: str
    secrets: list[str]
    key: SigningKey


class Addressed(Sealed, Protocol):
    """What says where to send."""

    @property
    def url(self) -> str: ...


def receiver_of(context: Context, found: Addressed) -> Receiver:
    return Receiver(found.url, secrets_of(found, context.sealer), signing_keys(context)[0])


def signing_keys(context: Context) -> list[SigningKey]:
    """The platform's Ed25519 keys: the first one signs, the one before it is still published."""
    watched = context.extras.get("webhook_keys")
    if watched is None:
        watched = context.extras["webhook_keys"] = Watched(context.settings.secrets / "webhook_key.pem", _keys_in)
    assert isinstance(watched, Watched)
    found: list[SigningKey] = watched.get()
    return found


def _keys_in(text: str) -> list[SigningKey]:
    keys = [load_pem_private_key(block.encode(), None) for block in pem_blocks(text)]
    assert all(isinstance(key, Ed25519PrivateKey) for key in keys), "webhooks are signed with Ed25519"
    return [SigningKey(key.private_bytes_raw()) for key in keys if isinstance(key, Ed25519PrivateKey)]


def allowed_targets(context: Context) -> AllowList:
    return AllowList.parse(context.settings.webhook_allow)


def outgoing(receiver: Receiver, message_id: str, body: bytes, more: Mapping[str, str] | None = None) -> Outgoing:
    """The signed POST; signed now, so that a late retry is as fresh as a first attempt."""
    timestamp = int(utc_now().timestamp())
    headers = {
        "content-type": MEDIA_TYPE,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(receiver.secrets, receiver.key, message_id, timestamp, body),
    }
    return Outgoing(receiver.url, headers | dict(more or {}), body)


def challenge(receiver: Receiver) -> tuple[str, Outgoing]:
    """A fresh challenge and the POST that carries it; whoever can answer it controls the url."""
    secret = os.urandom(24).hex()
    body = json.dumps({"type": "subscription.verify", "challenge": secret}, separators=(",", ":")).encode()
    return secret, outgoing(receiver, str(uuid4()), body)


def test_event(receiver: Receiver, subscription_id: UUID) -> Outgoing:
    """A signed event that says nothing but that it is a test."""
    message_id = str(uuid4())
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": message_id,
        "source": "notifications",
        "type": "subscription.test",
        "subject": str(subscription_id),
        "time": local_time(utc_now()).isoformat(),
        "datacontenttype": "application/json",
        "data": {"subscription": str(subscription_id)},
    }
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return outgoing(receiver, message_id, body, {"webhook-attempt": "1"})


@dataclass(frozen=True)
class Verdict:
    """What becomes of a delivery after an attempt; `gone`: the receiver wants no more at all."""

    state: Progress
    next_at: datetime | None = None
    gone: bool = False


def judge(sent: Sent, schedule: Schedule, number: int, first_at: datetime, ended_at: datetime) -> Verdict:
    """2xx: delivered. 410: gone, still owed. Anything else: again by the schedule, dead after its end."""
    if sent.succeeded:
        return Verdict(Progress.DELIVERED)
    if disables(sent.http_status):
        return Verdict(Progress.RETRY_WAIT, ended_at, gone=True)
    failed = FailedAttempt(
        number=number,
        first_at=first_at,
        ended_at=ended_at,
        status=sent.http_status,
        error_code=sent.error_code,
        retry_after_s=sent.retry_after_s,
    )
    again = schedule.next_attempt_at(failed, _JITTER)
    return Verdict(Progress.DEAD) if again is None else Verdict(Progress.RETRY_WAIT, again)
