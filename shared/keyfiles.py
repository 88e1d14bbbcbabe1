"""Key files that are replaced while we run: the key in use stands first, the ones before it after it."""

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n?", re.DOTALL)


class Watched(Generic[T]):
    """What a file holds, read again only after it was replaced."""

    def __init__(self, path: Path, read: Callable[[str], T]) -> None:
        self._path, self._read = path, read
        self._mark: tuple[int, int] | None = None
        self._held: T | None = None

    def get(self) -> T:
        found = os.stat(self._path)  # noqa: PTH116 — half the cost of Path.stat, for every signature
        mark = (found.st_ino, found.st_mtime_ns)
        if self._held is None or mark != self._mark:
            self._held, self._mark = self._read(self._path.read_text()), mark
        return self._held


def pem_blocks(text: str) -> list[str]:
    """The keys of a PEM file, the one in use first; ValueError where there is none."""
    found = _PEM.findall(text)
    if not found:
        raise ValueError("the file holds no key in PEM")
    return found


def replace(path: Path, content: str) -> None:
    """Put a private file in the place of another at once: a reader sees the old one or the new one."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    if path.exists():
        owner = path.stat()
        os.chown(fresh, owner.st_uid, owner.st_gid)
    fresh.replace(path)
