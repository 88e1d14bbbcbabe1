"""Lanes: leased in batches, given back with their results; all of the dispatcher's SQL."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import psycopg
import sqlalchemy as sa
from sqlmodel import col

from services.notifications.actions.subscriptions import disable
from services.notifications.models import OPEN, Delivery, EventLog, Lane, Progress, Subscription
from services.notifications.rules import owner_of_subscription, visible
from services.notifications.windows import LANES_AT_FIRST
from shared.db import Database, Fixed, driver
from shared.presence import LIVING

LEASE = timedelta(seconds=60)
IN_A_RUN = 16

_CLAIM = sa.text(
    """
    WITH picked AS MATERIALIZED (
        SELECT found.subscription_id, found.subject FROM subscription s
        LEFT JOIN unnest(CAST(:busy AS uuid[]), CAST(:counts AS int[])) AS mine (id, n) ON mine.id = s.id
        CROSS JOIN LATERAL (
            SELECT l.subscription_id, l.subject, l.due_at FROM lane l
            WHERE l.subscription_id = s.id AND l.due_at <= :now AND (l.lease_until IS NULL OR l.lease_until <= :now)
            ORDER BY l.due_at LIMIT greatest(0, :most - coalesce(mine.n, 0)) FOR UPDATE SKIP LOCKED
        ) found
        WHERE s.state = 'active' ORDER BY found.due_at LIMIT :free
    )
    UPDATE lane SET lease_token = :token, lease_worker = :worker, lease_until = :until FROM picked
    WHERE lane.subscription_id = picked.subscription_id AND lane.subject = picked.subject
    RETURNING lane.subscription_id, lane.subject
    """
)
_RECORD = """
    WITH given AS (
        SELECT * FROM unnest(
            %(subscription)s::uuid[], %(subject)s::text[], %(token)s::uuid[], %(delivery)s::uuid[],
            %(n)s::int[], %(state)s::text[], %(next_at)s::timestamptz[], %(at)s::timestamptz[],
            %(duration)s::int[], %(status)s::int[], %(error)s::text[], %(head)s::bytea[]
        ) AS g (subscription_id, subject, token, delivery_id, n, state, next_at, at, duration, status, error, head)
    ), done AS (
        UPDATE delivery d SET state = g.state, next_at = coalesce(g.next_at, d.next_at), error_code = g.error,
            attempts = CASE WHEN g.state = 'skipped' THEN d.attempts ELSE g.n END,
            first_at = CASE WHEN g.state = 'skipped' THEN d.first_at ELSE coalesce(d.first_at, g.at) END,
            done_at = CASE WHEN g.state <> 'retry_wait' THEN g.at END, last_status = coalesce(g.status, d.last_status)
        FROM given g JOIN lane l ON l.subscription_id = g.subscription_id AND l.subject = g.subject
            AND l.lease_token = g.token
        WHERE d.id = g.delivery_id AND d.state IN ('ready', 'retry_wait') RETURNING d.id
    )
    INSERT INTO attempt (delivery_id, n, started_at, duration_ms, http_status, error_code, response_head)
    SELECT g.delivery_id, g.n, g.at, g.duration, g.status, g.error, g.head
    FROM given g JOIN done ON done.id = g.delivery_id WHERE g.state <> 'skipped'
"""
_GIVEN = (
    "unnest(%(subscription)s::uuid[], %(subject)s::text[], %(token)s::uuid[])"
    " AS g (subscription_id, subject, token)"
)
_MINE = f"FROM lane l JOIN {_GIVEN} ON l.subscription_id = g.subscription_id AND l.subject = g.subject" + (
    " AND l.lease_token = g.token"
)
_HELD = f"SELECT l.subscription_id, l.subject, g.token {_MINE}"
_LOCK = f"SELECT l.subscription_id, l.subject, g.token {_MINE} FOR UPDATE OF l SKIP LOCKED"
_GIVE_BACK = """
    WITH rest AS (
        SELECT g.*, (
            SELECT d.next_at FROM delivery d WHERE d.subscription_id = g.subscription_id AND d.subject = g.subject
            AND d.state IN ('ready', 'retry_wait') ORDER BY d.seq LIMIT 1
        ) AS next_at FROM :given
    ), gone AS (
        DELETE FROM lane l USING rest r
        WHERE l.subscription_id = r.subscription_id AND l.subject = r.subject AND r.next_at IS NULL
    )
    UPDATE lane l SET due_at = r.next_at, lease_token = NULL, lease_worker = NULL, lease_until = NULL FROM rest r
    WHERE l.subscription_id = r.subscription_id AND l.subject = r.subject AND r.next_at IS NOT NULL
    RETURNING r.next_at
""".replace(":given", _GIVEN)
_FREE = (
    sa.update(Lane)
    .where(col(Lane.lease_worker).is_not(None), col(Lane.lease_worker).not_in(sa.text(LIVING)))
    .values(lease_token=None, lease_worker=None, lease_until=None)
)
_NEXT = """
    SELECT min(found.due) FROM subscription s CROSS JOIN LATERAL (
        SELECT greatest(l.due_at, coalesce(l.lease_until, l.due_at)) AS due FROM lane l WHERE l.subscription_id = s.id
        ORDER BY l.due_at LIMIT %(most)s
    ) found WHERE s.state = 'active'
"""


@dataclass(frozen=True)
class Endpoint:
    """Of a subscription, what sending needs."""

    id: UUID
    url: str
    secret: bytes
    old_secret: bytes | None
    old_until: datetime | None
    resumed_at: datetime | None


@dataclass(frozen=True)
class Owed:
    """One delivery to be attempted: everything that its POST needs."""

    delivery_id: UUID
    event_id: UUID
    attempts: int
    first_at: datetime | None
    body: bytes
    traceparent: str
    recorded_at: datetime
    entitled: bool


@dataclass
class Leased:
    """A lane that is ours until `until`: the first open deliveries of one subject, oldest first."""

    subscription: Endpoint
    subject: str
    token: UUID
    until: datetime
    owed: list[Owed] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """What an attempt came to, or that it was not made (`skipped`)."""

    lane: Leased
    delivery_id: UUID
    n: int
    state: Progress
    at: datetime
    next_at: datetime | None = None
    duration_ms: int = 0
    http_status: int | None = None
    error_code: str | None = None
    head: bytes = b""
    gone: bool = False


@dataclass(frozen=True)
class Room:
    """What the dispatcher can take: lanes in all, and for each subscription how many of the first ones are taken."""

    free: int
    busy: dict[UUID, int]
    worker: int | None = None


def free_the_dead(db: Database) -> None:
    """End the leases of dispatchers that are gone, so that what they held is sent at once."""
    with db.begin() as tx:
        tx.execute(_FREE)


def claim(db: Database, room: Room, now: datetime, today: date) -> list[Leased]:
    """Lease lanes that are due, with their first deliveries and whether their owner may see them today."""
    token, until = uuid4(), now + LEASE
    values = {
        "busy": list(room.busy),
        "counts": list(room.busy.values()),
        "now": now,
        "most": LANES_AT_FIRST,
        "free": room.free,
        "token": token,
        "worker": room.worker,
        "until": until,
        "today": today,
    }
    with db.plain() as connection:
        rows = _claimed().run(connection, **values).fetchall()
    lanes: dict[tuple[UUID, str], Leased] = {}
    for row in rows:
        lane = lanes.get((row.id, row.subject))
        if lane is None:
            endpoint = Endpoint(row.id, row.url, row.secret, row.old_secret, row.old_until, row.resumed_at)
            lane = lanes[row.id, row.subject] = Leased(endpoint, row.subject, token, until)
        if row.delivery_id is not None:
            lane.owed.append(_owed(row))
    return list(lanes.values())


def _owed(row: Any) -> Owed:
    return Owed(
        delivery_id=row.delivery_id,
        event_id=row.event_id,
        attempts=row.attempts,
        first_at=row.first_at,
        body=row.body,
        traceparent=row.traceparent,
        recorded_at=row.recorded_at,
        entitled=row.entitled,
    )


@cache
def _claimed() -> Fixed:
    claimed = _CLAIM.columns(sa.column("subscription_id", sa.Uuid), sa.column("subject", sa.Text)).cte("claimed")
    first = (
        sa.select(
            col(Delivery.id).label("delivery_id"),
            col(Delivery.seq),
            col(Delivery.attempts),
            col(Delivery.first_at),
        )
        .where(
            col(Delivery.subscription_id) == claimed.c.subscription_id,
            col(Delivery.subject) == claimed.c.subject,
            col(Delivery.state).in_(OPEN),
        )
        .order_by(col(Delivery.seq))
        .limit(IN_A_RUN)
        .lateral("first")
    )
    may = visible(owner_of_subscription()).label("entitled")
    event = (col(EventLog.event_id), col(EventLog.body), col(EventLog.traceparent), col(EventLog.recorded_at))
    endpoint = [col(getattr(Subscription, part.name)) for part in fields(Endpoint)]
    return Fixed.of(
        sa.select(*endpoint, claimed.c.subject, *first.c, *event, may)
        .select_from(claimed)
        .join(Subscription, col(Subscription.id) == claimed.c.subscription_id)
        .outerjoin(first, sa.true())
        .outerjoin(EventLog, col(EventLog.seq) == first.c.seq)
        .order_by(claimed.c.subscription_id, claimed.c.subject, first.c.seq)
    )


@dataclass(frozen=True)
class Recorded:
    """The lanes to give back again later, and whether one that was given back has more to send."""

    locked: list[Leased]
    more: bool


def record(db: Database, results: Sequence[Result], done: Sequence[Leased]) -> Recorded:
    """Keep results of lanes that are still ours, and give lanes back.

    A lane whose row is locked is being given a new delivery: waiting for it here could be a deadlock.
    """
    with db.begin() as tx:
        if results:
            driver(tx).execute(_RECORD, _columns(results))
        for subscription_id in {r.lane.subscription.id for r in results if r.gone}:
            disable(tx, subscription_id, "gone")
            tx.flush()
        return _give_back(driver(tx), done)


def _columns(results: Sequence[Result]) -> dict[str, list[Any]]:
    return {
        "subscription": [r.lane.subscription.id for r in results],
        "subject": [r.lane.subject for r in results],
        "token": [r.lane.token for r in results],
        "delivery": [r.delivery_id for r in results],
        "n": [r.n for r in results],
        "state": [r.state.value for r in results],
        "next_at": [r.next_at for r in results],
        "at": [r.at for r in results],
        "duration": [r.duration_ms for r in results],
        "status": [r.http_status for r in results],
        "error": [r.error_code for r in results],
        "head": [r.head for r in results],
    }


def _give_back(connection: psycopg.Connection[Any], done: Sequence[Leased]) -> Recorded:
    if not done:
        return Recorded([], more=False)
    by_key = {(lane.subscription.id, lane.subject, lane.token): lane for lane in done}
    locked = set(connection.execute(_LOCK, _keys(list(by_key))).fetchall())
    more = bool(connection.execute(_GIVE_BACK, _keys(list(locked))).fetchall()) if locked else False
    rest = [key for key in by_key if key not in locked]
    held = set(connection.execute(_HELD, _keys(rest)).fetchall()) if rest else set()
    return Recorded([by_key[key] for key in rest if key in held], more)


def _keys(keys: Sequence[Any]) -> dict[str, list[Any]]:
    return {"subscription": [k[0] for k in keys], "subject": [k[1] for k in keys], "token": [k[2] for k in keys]}


def next_due(db: Database) -> datetime | None:
    """When the next lane of an active subscription is due (a leased one: when its lease ends)."""
    with db.plain() as connection:
        row = connection.execute(_NEXT, {"most": LANES_AT_FIRST}).fetchone()
        return row[0] if row else None
