"""The chain of the access ledger: each entry's hash covers its content and the hash before it."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

GENESIS = "0" * 64


class Entry(Protocol):
    """An entry as it is stored."""

    uscc: str
    number: int
    at: datetime
    bank: str
    who: str
    purpose: str
    field_names: list[str]
    consent: UUID
    service: str
    previous_hash: str
    hash: str


def entry_hash(entry: Entry) -> str:
    """SHA-256 over the hash before and the entry's canonical JSON (sorted names, no blanks, instants in UTC)."""
    content = {
        "uscc": entry.uscc,
        "number": entry.number,
        "at": entry.at.astimezone(UTC).isoformat(),
        "bank": entry.bank,
        "who": entry.who,
        "purpose": entry.purpose,
        "fields": entry.field_names,
        "consent": str(entry.consent),
        "service": entry.service,
    }
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{entry.previous_hash}\n{canonical}".encode()).hexdigest()


def broken(entries: Iterable[Entry]) -> list[int]:
    """The numbers of the entries that do not fit: altered, moved, or with one missing before them."""
    found, previous, expected = [], GENESIS, 1
    for entry in entries:
        if entry.number != expected or entry.previous_hash != previous or entry_hash(entry) != entry.hash:
            found.append(entry.number)
        previous, expected = entry.hash, entry.number + 1
    return found
