"""Client secrets: random, shown once, kept only as a keyed digest; and the key that signs tokens."""

import hashlib
import hmac
import secrets
from functools import cache
from pathlib import Path

from shared.auth import TokenSigner
from shared.keyfiles import Watched
from shared.settings import Settings

SECRET_BYTES = 32


def new_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def digest_of(pepper: bytes, secret: str) -> bytes:
    """HMAC-SHA-256: useless to whoever reads the database without the pepper."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).digest()


def pepper_of(settings: Settings) -> bytes:
    """The key of the digests, from the secrets of this deployment."""
    return _read(settings.secrets / "pepper")


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes().strip()


def signer_of(settings: Settings) -> TokenSigner:
    """What signs access tokens; only the registry has its key."""
    return _signer(settings.secrets / "token_key.pem", settings.issuer).get()


@cache
def _signer(path: Path, issuer: str) -> Watched[TokenSigner]:
    return Watched(path, lambda text: TokenSigner.from_text(text, issuer))
