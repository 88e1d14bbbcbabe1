"""Tier lists as answers: the frozen files, pages, and the part of them that a city or county may see."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from services.incentives import rules
from services.incentives.actions.tiers import latest_version
from services.incentives.models import TierEntry, TierFile, TierList, TierUnresolved
from services.incentives.tierfiles import CSV, CSV_ZH, Writer, head_of
from shared.auth import Caller
from shared.clock import local_time
from shared.db import Database
from shared.problems import NotFound


@dataclass(frozen=True)
class View:
    """A version and the divisions of it that a caller sees; "" is the whole province."""

    list: TierList
    division: str = ""


def view_of(tx: Session, me: Caller, period: str, version: int | None) -> View:
    """The named or newest version; `NotFound` before the first publication."""
    found = find_version(tx, period, version)
    if found is None:
        raise NotFound()
    partial = me.oversees and me.jurisdiction != rules.tier_policy().whole_province
    return View(found, me.jurisdiction if partial else "")


def find_version(tx: Session, period: str, version: int | None) -> TierList | None:
    if version is None:
        return latest_version(tx, period)
    return tx.exec(select(TierList).where(TierList.period == period, TierList.version == version)).first()


def list_out(list_: TierList, totals: dict[str, Any]) -> dict[str, Any]:
    """What a version says of itself."""
    return {
        "period": list_.period,
        "version": list_.version,
        "document_no": list_.document_no,
        "settlement_mode": list_.settlement_mode,
        "effective_from": list_.effective_from.isoformat(),
        "published_at": local_time(list_.published_at).isoformat(),
        "rows": totals["rows"],
        "control_totals": totals,
    }


def entries(tx: Session, view: View, after: Sequence[str] | None, limit: int) -> Sequence[TierEntry]:
    """A page of rows in their order, one more than asked for where there is more."""
    mine = select(TierEntry).where(TierEntry.list_id == view.list.id)
    if view.division:
        mine = mine.where(col(TierEntry.division).startswith(view.division))
    if after is not None:
        mine = mine.where(col(TierEntry.position) > int(after[0]))
    return tx.exec(mine.order_by(col(TierEntry.position)).limit(limit + 1)).all()


def unresolved(tx: Session, view: View, after: Sequence[str] | None, limit: int) -> Sequence[TierUnresolved]:
    """A page of what could not be decided for this version."""
    mine = select(TierUnresolved).where(TierUnresolved.list_id == view.list.id)
    if view.division:
        mine = mine.where(col(TierUnresolved.division).startswith(view.division))
    if after is not None:
        mine = mine.where(col(TierUnresolved.uscc) > after[0])
    return tx.exec(mine.order_by(col(TierUnresolved.uscc)).limit(limit + 1)).all()


def pieces(db: Database, list_: UUID, format_: str) -> Iterator[bytes]:
    """The frozen file, a piece at a time and no connection held between them."""
    wanted = [(format_, 0)] if format_ == CSV_ZH else []
    for name, first in wanted:
        yield _piece(db, list_, name, first) or b""
    rows, part = (CSV, 1) if format_ == CSV_ZH else (format_, 0)
    while (content := _piece(db, list_, rows, part)) is not None:
        yield content
        part += 1


def _piece(db: Database, list_: UUID, format_: str, part: int) -> bytes | None:
    with db.read() as tx:
        row = tx.get(TierFile, (list_, format_, part))
        return row.content if row is not None else None


def partial(tx: Session, view: View, format_: str) -> tuple[bytes, Writer]:
    """The same file for one jurisdiction, made now: a city has few smelters."""
    writer, content = Writer(), bytearray(head_of(format_))
    rows = CSV if format_ == CSV_ZH else format_
    mine = select(TierEntry).where(TierEntry.list_id == view.list.id, col(TierEntry.division).startswith(view.division))
    for entry in tx.exec(mine.order_by(col(TierEntry.position))):
        writer.add(entry)
    content += b"".join(piece for name, piece in writer.pieces(1) if name == rows)
    return bytes(content), writer


def totals_of(tx: Session, view: View) -> dict[str, Any]:
    """The control totals of what the caller sees."""
    if not view.division:
        return view.list.control_totals
    return partial(tx, view, CSV)[1].totals.as_json()
