"""Check that a webhook comes from the platform (Standard Webhooks 1.0). Copy this file; it needs nothing but Python.

    document = verify([secret], request.headers, request.body)    # raises Refused: answer 400 and do nothing

`secret` is the `whsec_…` that subscribing or rotating showed. Give both secrets for the 24 hours after a rotation.
Check the bytes as they came, before any JSON is read; keep `webhook-id`, and do nothing for one that you know already.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

TOLERANCE = 300  # seconds between the sender's clock and yours


class Refused(Exception):
    """Not a webhook of ours, or not a fresh one."""


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float | None = None) -> Any:
    """The event, when one of the secrets signed it within the last five minutes; raises Refused."""
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not message_id or not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise Refused("no webhook-id or webhook-timestamp")
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE:
        raise Refused("too old, or too new")
    content = f"{message_id}.{timestamp}.".encode() + body
    expected = [hmac.digest(_key(secret), content, hashlib.sha256) for secret in secrets]
    for part in given.get("webhook-signature", "").split(" "):
        version, _, signature = part.partition(",")
        if version == "v1" and any(hmac.compare_digest(_encoded(one), signature.encode()) for one in expected):
            return json.loads(body)
    raise Refused("no signature of a secret of yours")


def _key(secret: str) -> bytes:
    text = secret.removeprefix("whsec_").rstrip("=")
    key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    if not key:
        raise ValueError("the secret is empty")  # else anybody could sign
    return key


def _encoded(digest: bytes) -> bytes:
    return base64.b64encode(digest)
