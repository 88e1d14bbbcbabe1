"""The feed: pages of the event log as one caller may see it, and the cursors between them."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Session, col

from services.notifications.models import EventLog, LogHead
from services.notifications.rules import given_viewer, types_of, unknown_patterns, values_of, visible
from shared.auth import Caller
from shared.problems import Fault, Problem, Text, Unprocessable

SCANNED_AT_ONCE = 50_000


@dataclass(frozen=True)
class Item:
    """An event of a page."""

    seq: int
    type: str
    body: bytes


@dataclass(frozen=True)
class FeedPage:
    """Events after a place, the cursor after them, and whether there may be more right now."""

    items: list[Item]
    epoch: UUID
    seq: int
    has_more: bool

    @property
    def cursor(self) -> str:
        return cursor_of(self.epoch, self.seq)

    def as_json(self) -> bytes:
        """The events are put in as the bytes that every other channel carries."""
        events = b",".join(item.body for item in self.items)
        tail = json.dumps({"cursor": self.cursor, "has_more": self.has_more}, separators=(",", ":"))
        return b'{"events":[' + events + b"]," + tail[1:].encode()


@dataclass(frozen=True)
class Asked:
    """Who reads, which types (None: all), from which cursor, how many at most, on which legal day."""

    me: Caller
    types: list[str] | None
    limit: int
    today: date


class CursorExpired(Problem):
    """`cursor_expired`: what came after the cursor is no longer kept."""

    status, title = 410, Text("已过保留期", "No longer kept")


def cursor_of(epoch: UUID, seq: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([epoch.hex, seq], separators=(",", ":")).encode()).decode().rstrip("=")


def parse_types(types: str | None) -> list[str] | None:
    """The types that a comma-separated list of types and patterns names; 422 `type_unknown`."""
    if not types:
        return None
    patterns = [part.strip() for part in types.split(",")]
    if unknown_patterns(patterns):
        text = Text("未知的事件类型。", "This event type is not known.")
        raise Unprocessable("type_unknown", text, faults=[Fault("/query/types", "type_unknown", text)])
    return types_of(patterns)


def start_of(tx: Session, after: str | None) -> int:
    """The number after which to read: `None` the oldest kept, `latest` the head, else a cursor."""
    head = _head(tx)
    oldest = tx.execute(sa.select(sa.func.min(col(EventLog.seq)))).scalar_one()
    first = (oldest - 1) if oldest is not None else head.seq
    if after is None:
        return int(first)
    if after == "latest":
        return head.seq
    seq = _parse(after, head)
    if seq < first:
        text = Text("该游标之后的部分事件已过保留期。", "Some events after this cursor are no longer kept.")
        raise CursorExpired("cursor_expired", text, oldest_cursor=cursor_of(head.epoch, first))
    return seq


def _parse(after: str, head: LogHead) -> int:
    try:
        epoch, seq = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        if UUID(epoch) == head.epoch and type(seq) is int and 0 <= seq <= head.seq:
            return seq
    except (ValueError, TypeError, AttributeError):
        pass
    text = Text("游标无效。", "The cursor is not valid.")
    raise Unprocessable("cursor_invalid", text, faults=[Fault("/query/after", "cursor_invalid", text)])


def read_page(tx: Session, asked: Asked, after: int) -> FeedPage:
    """Up to `limit` events after a number; `has_more` also where a stretch was scanned and the head is further on."""
    head = _head(tx)
    end = min(head.seq, after + SCANNED_AT_ONCE)
    values: dict[str, Any] = values_of(asked.me) | {
        "today": asked.today,
        "after": after,
        "end": end,
        "most": asked.limit + 1,
    }
    values |= {"types": asked.types}
    rows: Sequence[sa.Row[tuple[int, str, bytes]]] = tx.execute(_reading(), values).all()
    items = [Item(row.seq, row.type, bytes(row.body)) for row in rows[: asked.limit]]
    full = len(rows) > asked.limit
    return FeedPage(items, head.epoch, items[-1].seq if full else max(end, after), full or end < head.seq)


@cache
def _reading() -> sa.Select[int, str, bytes]:
    """The events between two numbers that the given caller may see; `types` may be null."""
    types = sa.bindparam("types", type_=ARRAY(sa.Text))
    after, end = (sa.bindparam(name, type_=sa.BigInteger) for name in ("after", "end"))
    wanted = sa.or_(types.is_(None), col(EventLog.type) == sa.any_(types))
    statement = sa.select(col(EventLog.seq), col(EventLog.type), col(EventLog.body)).where(
        col(EventLog.seq) > after, col(EventLog.seq) <= end, wanted, visible(given_viewer())
    )
    return statement.order_by(col(EventLog.seq)).limit(sa.bindparam("most", type_=sa.Integer))


def _head(tx: Session) -> LogHead:
    found = tx.get(LogHead, 1)
    if found is None:
        tx.execute(sa.text("INSERT INTO log_head (id) VALUES (1) ON CONFLICT DO NOTHING"))
        tx.commit()
        found = tx.get_one(LogHead, 1)
    return found
