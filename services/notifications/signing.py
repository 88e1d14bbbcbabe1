"""Webhook signatures after Standard Webhooks 1.0: HMAC-SHA256 (`v1`) and Ed25519 (`v1a`) side by side in one header."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TOLERANCE_SECONDS = 300
_SECRET, _PUBLIC, _PRIVATE = "whsec_", "whpk_", "whsk_"
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class SignatureRefused(Exception):
    """A receiver must not trust this request; `reason` is a stable code, never a key or an expected signature."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SigningKey:
    """The service's Ed25519 key: signs `v1a`, and is published as a JWK whose `kid` is its RFC 7638 thumbprint."""

    def __init__(self, seed: bytes) -> None:
        """`seed` has 32 bytes; anything else is a ValueError."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()

    @classmethod
    def new(cls) -> "SigningKey":
        return cls(os.urandom(32))

    @classmethod
    def from_text(cls, text: str) -> "SigningKey":
        """Read `whsk_` and base64 of the seed, or of seed and public key; ValueError when the two do not belong."""
        raw = _decode(text.removeprefix(_PRIVATE))
        key = cls(raw[:32])
        if raw[32:] and raw[32:] != key._public:
            raise ValueError("the public half does not belong to this signing key")
        return key

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"

    @property
    def seed(self) -> bytes:
        return self._key.private_bytes_raw()

    @property
    def public_text(self) -> str:
        """The public key as receivers configure it: `whpk_` and base64."""
        return _PUBLIC + _encode(self._public)

    @property
    def kid(self) -> str:
        required = {"crv": "Ed25519", "kty": "OKP", "x": _url_encode(self._public)}
        canonical = json.dumps(required, sort_keys=True, separators=(",", ":")).encode()
        return _url_encode(hashlib.sha256(canonical).digest())

    def jwk(self) -> dict[str, str]:
        x = _url_encode(self._public)
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig", "alg": "EdDSA"}

    def sign(self, content: bytes) -> bytes:
        return self._key.sign(content)


def jwks(keys: Sequence[SigningKey]) -> dict[str, list[dict[str, str]]]:
    """The document at `/.well-known/webhook-keys.json`."""
    return {"keys": [key.jwk() for key in keys]}


def new_secret() -> str:
    """A subscription's shared secret: `whsec_` and base64 of 32 random bytes."""
    return _SECRET + _encode(os.urandom(32))


def secret_bytes(secret: str | bytes) -> bytes:
    """The HMAC key of a secret: bytes as they are, text as base64 with or without `whsec_` and padding.

    Raises ValueError for an empty secret or text that is not base64.
    """
    key = secret if isinstance(secret, bytes) else _decode(secret.removeprefix(_SECRET))
    if not key:
        raise ValueError("a webhook secret may not be empty")
    return key


def sign(
    secrets: Sequence[bytes | str], ed25519_key: SigningKey | None, message_id: str, timestamp: int, body: bytes
) -> str:
    """The value of `webhook-signature`: one `v1` per live secret, then `v1a`; `timestamp` in Unix seconds.

    Raises ValueError for an id with a dot (the signed text joins its parts with dots) and when there is nothing
    to sign with.
    """
    content = _content(message_id, str(timestamp), body)
    parts = [f"v1,{_hmac(secret, content)}" for secret in secrets]
    if ed25519_key is not None:
        parts.append(f"v1a,{_encode(ed25519_key.sign(content))}")
    if not parts:
        raise ValueError("a webhook needs a secret or a signing key")
    return " ".join(parts)


def verify(
    secrets: Sequence[bytes | str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: int,
    public_keys: Sequence[str] = (),
) -> None:
    """What a receiver does before it reads the body: one signature of one known key, at most five minutes off `now`.

    `public_keys` are `whpk_` texts. Raises SignatureRefused (`missing_header`, `bad_timestamp`, `too_old`, `too_new`,
    `bad_id`, `no_match`), or ValueError for a secret that is none.
    """
    if not secrets and not public_keys:
        raise ValueError("a receiver needs a secret or a public key")
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = given.get("webhook-id"), given.get("webhook-timestamp")
    signatures = given.get("webhook-signature")
    if not message_id or not timestamp or not signatures:
        raise SignatureRefused("missing_header")
    _check_time(timestamp, now)
    if "." in message_id:
        raise SignatureRefused("bad_id")
    content = _content(message_id, timestamp, body)
    expected = [_hmac(secret, content).encode() for secret in secrets]
    keys = [Ed25519PublicKey.from_public_bytes(_decode(text.removeprefix(_PUBLIC))) for text in public_keys]
    for part in signatures.split(" "):
        version, _, signature = part.partition(",")
        if version == "v1" and any([hmac.compare_digest(one, signature.encode()) for one in expected]):
            return
        if version == "v1a" and any(_is_signed_by(key, signature, content) for key in keys):
            return
    raise SignatureRefused("no_match")


def _check_time(timestamp: str, now: int) -> None:
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureRefused("bad_timestamp")
    if int(timestamp) < now - TOLERANCE_SECONDS:
        raise SignatureRefused("too_old")
    if int(timestamp) > now + TOLERANCE_SECONDS:
        raise SignatureRefused("too_new")


def _content(message_id: str, timestamp: str, body: bytes) -> bytes:
    if not message_id or "." in message_id:
        raise ValueError("a message id is not empty and contains no dot")
    return f"{message_id}.{timestamp}.".encode() + body


def _hmac(secret: bytes | str, content: bytes) -> str:
    return _encode(hmac.digest(secret_bytes(secret), content, "sha256"))


def _is_signed_by(key: Ed25519PublicKey, signature: str, content: bytes) -> bool:
    try:
        key.verify(_decode(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _url_encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
