"""The access ledger: who read an enterprise's restricted facts, each entry chained to the one before."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field

from services.registry.models.table import Table
from shared.db import Json, Utc


class AccessEntry(Table, table=True):
    """One read of restricted facts. `hash` is SHA-256 over the hash before and the entry's canonical JSON."""

    __tablename__ = "access_entry"
    uscc: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Utc)
    bank: str
    who: str
    purpose: str
    field_names: list[str] = Field(sa_type=Json)
    consent: UUID
    service: str
    previous_hash: str
    hash: str
