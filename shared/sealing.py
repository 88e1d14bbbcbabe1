"""Secrets at rest: AES-256-GCM with the place they belong to as associated data."""

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.keyfiles import Watched


class Sealer:
    """Seals bytes for one place (`aad`), so that a value cannot be moved to another row unnoticed.

    The first key seals; every key opens. A key file that is replaced is read again, so a rotation needs no restart.
    """

    def __init__(self, *keys: bytes) -> None:
        self._ring: Callable[[], Sequence[AESGCM]] = lambda ring=_ring_of(keys): ring  # type: ignore[misc]
        # Of the oldest key, which a rotation keeps: a page that was begun before it can be finished after it.
        self.cursor_key = hashlib.blake2b(b"cursor", key=keys[-1], digest_size=16).hexdigest()

    @classmethod
    def from_file(cls, path: Path) -> "Sealer":
        """Of a file with a base64 key per line, the newest first."""
        sealer = cls(*_keys_in(path.read_text()))
        sealer._ring = Watched(path, lambda text: _ring_of(_keys_in(text))).get
        return sealer

    def seal(self, plain: bytes, aad: str) -> bytes:
        nonce = os.urandom(12)
        return b"\x01" + nonce + self._ring()[0].encrypt(nonce, plain, aad.encode())

    def open(self, sealed: bytes, aad: str) -> bytes:
        """Raises `cryptography.exceptions.InvalidTag` for a wrong key, a wrong place or altered bytes."""
        assert sealed[:1] == b"\x01", "unknown seal version"
        for box in self._ring():
            try:
                return box.decrypt(sealed[1:13], sealed[13:], aad.encode())
            except InvalidTag:
                continue
        raise InvalidTag


def _keys_in(text: str) -> list[bytes]:
    return [base64.b64decode(line) for line in text.split()]


def _ring_of(keys: Sequence[bytes]) -> list[AESGCM]:
    assert keys and all(len(key) == 32 for key in keys), "a sealing key has 32 bytes"
    return [AESGCM(key) for key in keys]


def new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()
