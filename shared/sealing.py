"""Secrets at rest: AES-256-GCM with the place they belong to as associated data."""

import base64
import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Sealer:
    """Seals bytes for one place (`aad`), so that a value cannot be moved to another row unnoticed."""

    def __init__(self, key: bytes) -> None:
        assert len(key) == 32, "the sealing key has 32 bytes"
        self._box = AESGCM(key)
        self.cursor_key = hashlib.blake2b(b"cursor", key=key, digest_size=16).hexdigest()

    @classmethod
    def from_file(cls, path: Path) -> "Sealer":
        return cls(base64.b64decode(path.read_text().strip()))

    def seal(self, plain: bytes, aad: str) -> bytes:
        nonce = os.urandom(12)
        return b"\x01" + nonce + self._box.encrypt(nonce, plain, aad.encode())

    def open(self, sealed: bytes, aad: str) -> bytes:
        """Raises `cryptography.exceptions.InvalidTag` for a wrong key, a wrong place or altered bytes."""
        assert sealed[:1] == b"\x01", "unknown seal version"
        return self._box.decrypt(sealed[1:13], sealed[13:], aad.encode())


def new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()
