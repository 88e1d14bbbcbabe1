"""The access ledger: append an entry, check the chain."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from services.registry.actions.enterprises import lock_uscc
from services.registry.models import AccessEntry
from services.registry.rules.ledger import GENESIS, broken, entry_hash


@dataclass(frozen=True)
class Read:
    """A bank's read of restricted facts."""

    uscc: str
    bank: str
    bank_name: str
    purpose: str
    consent: UUID
    service: str
    at: datetime
    field_names: list[str] = field(default_factory=list)


def note_read(tx: Session, read: Read) -> AccessEntry:
    """Append a read to the enterprise's ledger; the lock keeps one chain."""
    lock_uscc(tx, f"ledger/{read.uscc}")
    newest = select(AccessEntry).where(AccessEntry.uscc == read.uscc).order_by(col(AccessEntry.number).desc())
    last = tx.exec(newest.limit(1)).first()
    entry = AccessEntry(
        uscc=read.uscc,
        number=last.number + 1 if last else 1,
        at=read.at,
        bank=read.bank,
        who=read.bank_name,
        purpose=read.purpose,
        field_names=read.field_names,
        consent=read.consent,
        service=read.service,
        previous_hash=last.hash if last else GENESIS,
        hash="",
    )
    entry.hash = entry_hash(entry)
    tx.add(entry)
    tx.flush()
    return entry


def verify_ledger(tx: Session, uscc: str) -> list[int]:
    """The numbers of the entries that do not fit the chain; none means that nothing was altered or taken out."""
    mine = select(AccessEntry).where(AccessEntry.uscc == uscc).order_by(col(AccessEntry.number))
    entries: list[AccessEntry] = list(tx.exec(mine))
    return broken(entries)
